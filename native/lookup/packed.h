// The look-up kernels in plain C++. Each instruction-set file includes this header and so compiles a copy of its
// own with its own compiler flags; the unnamed namespace keeps the linker from merging the copies (for the same
// reason nothing here calls a template of the standard library).
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "common/attributes.h"
#include "lookup/kernels.h"
#include "lookup/vectors.h"

namespace axsim {
namespace {

// 64-bit numbers in a register.
#if defined(__AVX512F__)
constexpr std::size_t kRegister = 8;
#elif defined(__AVX2__)
constexpr std::size_t kRegister = 4;
#else
constexpr std::size_t kRegister = 2;
#endif

// 32-bit entries: eight fixed operands, interleaved: out[i][lane]. One vector load then looks up eight products.
// Eight rows of eight entries at a time are transposed by three perfect shuffles.
AXSIM_APART void interleave(const std::int32_t *const *columns, std::int32_t *__restrict out) {
    using Row = Vector<std::int32_t, kPlainLanes>::type;
    static_assert(kPlainLanes == 8, "three shuffles transpose eight lanes");
    for (std::size_t i = 0; i < kSide; i += 8) {
        Row row[8], shuffled[8];
        for (std::size_t j = 0; j < 8; ++j) __builtin_memcpy(&row[j], columns[j] + i, sizeof(Row));
        for (int step = 0; step < 3; ++step) {
            for (std::size_t j = 0; j < 4; ++j) {
                shuffled[2 * j] = __builtin_shufflevector(row[j], row[j + 4], 0, 8, 1, 9, 2, 10, 3, 11);
                shuffled[2 * j + 1] = __builtin_shufflevector(row[j], row[j + 4], 4, 12, 5, 13, 6, 14, 7, 15);
            }
            for (std::size_t j = 0; j < 8; ++j) row[j] = shuffled[j];
        }
        for (std::size_t j = 0; j < 8; ++j) __builtin_memcpy(out + (i + j) * 8, &row[j], sizeof(Row));
    }
}

// The columns of the fixed operands [lane, lane + count) at term k; absent lanes repeat the last one.
template <std::size_t Lanes, class Entry>
struct Columns {
    const Entry *at[Lanes];

    Columns(const Entry *entries, const FixedPanel &fixed, std::size_t lane, std::size_t count, std::size_t k) {
        for (std::size_t j = 0; j < Lanes; ++j)
            at[j] = entries + *fixed.at(lane + (j < count ? j : count - 1), k) * kSide;
    }
};

// Adds Terms consecutive terms to every row; `bytes` are the stream's, kGroup to a row. A row's sums and entries
// are Parts vectors each.
template <class Row, std::size_t Parts, std::size_t Terms>
void add_rows(const Row *entries, const std::uint8_t *bytes, std::size_t rows, Row *sums) {
    for (std::size_t r = 0; r < rows; ++r, bytes += Panel::kGroup, sums += Parts) {
        Row sum[Parts];
        for (std::size_t part = 0; part < Parts; ++part) sum[part] = sums[part];
        for (std::size_t t = 0; t < Terms; ++t)
            for (std::size_t part = 0; part < Parts; ++part)
                sum[part] += entries[(t * kSide + bytes[t]) * Parts + part];
        for (std::size_t part = 0; part < Parts; ++part) sums[part] = sum[part];
    }
}

// Adds the terms of one group of the stream (all four, or those left at the end).
template <class Row, std::size_t Parts>
void add_group(const Row *entries, const Panel &stream, std::size_t k, std::size_t terms, Row *sums) {
    if (terms == Panel::kGroup) {
        add_rows<Row, Parts, Panel::kGroup>(entries, stream.at(0, k), stream.rows, sums);
        return;
    }
    for (std::size_t t = 0; t < terms; ++t)
        add_rows<Row, Parts, 1>(entries + t * kSide * Parts, stream.at(0, k + t), stream.rows, sums);
}

inline std::size_t group_terms(const Panel &stream, std::size_t k) {
    return stream.depth - k < Panel::kGroup ? stream.depth - k : Panel::kGroup;
}

inline void plain_wide(const std::int32_t *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane,
                       std::size_t count, std::uint64_t *, std::uint32_t *sums, std::size_t) {
    using Row = Vector<std::uint32_t, kPlainLanes>::type;
    alignas(64) std::int32_t interleaved[Panel::kGroup * kSide * kPlainLanes];
    for (std::size_t i = 0; i < stream.rows * kPlainLanes; ++i) sums[i] = 0;
    for (std::size_t k = 0; k < stream.depth; k += Panel::kGroup) {
        const std::size_t terms = group_terms(stream, k);
        for (std::size_t t = 0; t < terms; ++t)
            interleave(Columns<kPlainLanes, std::int32_t>(entries, fixed, lane, count, k + t).at,
                       interleaved + t * kSide * kPlainLanes);
        add_group<Row, 1>(reinterpret_cast<const Row *>(interleaved), stream, k, terms, reinterpret_cast<Row *>(sums));
    }
}

// 16-bit entries: three to a 64-bit number, in fields of 21 bits, so that one addition adds three products and a
// load of 64 bytes looks up 24. A field holds the sum of 32 entries; it is emptied in time.
constexpr std::size_t kField = 21, kFields = 3, kFieldTerms = 32;
static_assert(kFieldTerms * 65535 < (1U << kField), "a field holds its sums");
static_assert(kFieldTerms % Panel::kGroup == 0, "fields are emptied between groups");

// How the lanes of a row lie in its numbers, and those in vectors that fill a register where there are enough of them.
//
// Fields 0 and 1 of a number hold neighbouring lanes, as 32-bit sums lie in memory. Field 2 holds the lanes behind
// all those, in the order in which narrow() leaves the numbers of two vectors.
template <std::size_t Numbers>
struct Fields {
    static constexpr std::size_t kLanes = kFields * Numbers;
    static constexpr std::size_t kWidth = Numbers < kRegister ? Numbers : kRegister;  // numbers of a vector
    static constexpr std::size_t kVectors = Numbers / kWidth;
    static_assert(kVectors == 1 || kVectors % 2 == 0, "third fields are emptied by one or two vectors");

    using Row = typename Vector<std::uint64_t, kWidth>::type;
    using Words = typename Vector<std::uint16_t, 4 * kWidth>::type;
    using Doubles = typename Vector<std::uint32_t, 2 * kWidth>::type;
    // The 32-bit sums of third fields that are narrowed at once.
    static constexpr std::size_t kThirds = kVectors == 1 ? kWidth : 2 * kWidth;
    using Thirds = typename Vector<std::uint32_t, kThirds>::type;

    static constexpr std::size_t lane(std::size_t number, std::size_t field) {
        if (field < 2) return 2 * number + field;
        if (kVectors == 1) return 2 * Numbers + number;
        const std::size_t i = number % kWidth, vector = number / kWidth;
        return 2 * Numbers + vector / 2 * kThirds + i / 2 * 4 + vector % 2 * 2 + i % 2;
    }
};

// Unpacking, as SSE, AVX and NEON know it: neighbours in the lower (upper) half of each 16 bytes of the result are a
// pair, one from `first` and one from `second`.
template <std::size_t... I>
struct Places {};
template <std::size_t Count, std::size_t... I>
struct PlacesTo : PlacesTo<Count - 1, Count - 1, I...> {};
template <std::size_t... I>
struct PlacesTo<0, I...> : Places<I...> {};

template <std::size_t Half, std::size_t Count, class V, std::size_t... I>
V unpack(V first, V second, Places<I...>) {
    constexpr std::size_t each = 16 * Count / sizeof(V);  // elements of 16 bytes
    return __builtin_shufflevector(first, second,
                                   (I / each * each + Half * (each / 2) + I % each / 2 + I % 2 * Count)...);
}
template <std::size_t Half, class Element, class V>
V unpack(V first, V second) {
    constexpr std::size_t count = sizeof(V) / sizeof(Element);
    using Elements = typename Vector<Element, count>::type;
    return reinterpret_cast<V>(
        unpack<Half, count>(reinterpret_cast<Elements>(first), reinterpret_cast<Elements>(second), PlacesTo<count>()));
}

// Sixteen bytes each of Count places, side by side. (GCC's own code for it waits for the one port that shuffles.)
template <std::size_t Count>
typename Vector<std::uint16_t, 8 * Count>::type join(const std::uint16_t *const *from, std::size_t i) {
    using Joined = typename Vector<std::uint16_t, 8 * Count>::type;
    static_assert(Count == 1 || Count == 2 || Count == 4, "a vector fills a register, or half of one");
    if constexpr (Count == 1) {
        Joined joined;
        __builtin_memcpy(&joined, from[0] + i, sizeof joined);
        return joined;
    } else {
#if defined(__AVX2__)
        const auto at = [&](std::size_t j) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(from[j] + i)); };
        const __m256i two = _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1);
        if constexpr (Count == 2) return reinterpret_cast<Joined>(two);
#if defined(__AVX512F__)
        else
            return reinterpret_cast<Joined>(
                _mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi256_si512(two), at(2), 2), at(3), 3));
#endif
#endif
    }
}

// One vector of every row: out[i * kVectors] gets entry i of the columns of its numbers, in their fields. Works on
// the four 16-bit words of packed numbers, eight entries at a time: a field's bits are moved to their words by shifts,
// and three rounds of unpacking transpose. Each 16 bytes of a vector are two numbers.
template <std::size_t Numbers>
AXSIM_APART void pack_fields(const std::uint16_t *const *columns, std::size_t vector,
                             typename Fields<Numbers>::Row *__restrict out) {
    using Layout = Fields<Numbers>;
    using Row = typename Layout::Row;
    using Words = typename Layout::Words;
    constexpr std::size_t kJoined = Layout::kWidth / 2;
    const std::uint16_t *from[2][kFields][kJoined];  // the columns of every other number
    for (std::size_t second = 0; second < 2; ++second)
        for (std::size_t f = 0; f < kFields; ++f)
            for (std::size_t j = 0; j < kJoined; ++j)
                from[second][f][j] = columns[Layout::lane(vector * Layout::kWidth + 2 * j + second, f)];
    for (std::size_t i = 0; i < kSide; i += 8) {
#if defined(__AVX512F__)
        asm("" : "+m"(from));  // GCC would keep 24 addresses in vector registers: reading them again is cheaper
#endif
        Words packed[2][4];  // of the first and of the second number: entries 0 and 1, 2 and 3, ...
        for (std::size_t second = 0; second < 2; ++second) {
            Words entry[kFields];
            for (std::size_t f = 0; f < kFields; ++f) entry[f] = join<kJoined>(from[second][f], i);
            const Words word[4] = {entry[0], entry[1] << 5, entry[1] >> 11 | entry[2] << 10, entry[2] >> 6};
            const Words low[2] = {unpack<0, std::uint16_t>(word[0], word[1]),
                                  unpack<1, std::uint16_t>(word[0], word[1])};
            const Words high[2] = {unpack<0, std::uint16_t>(word[2], word[3]),
                                   unpack<1, std::uint16_t>(word[2], word[3])};
            for (std::size_t j = 0; j < 2; ++j) {
                packed[second][2 * j] = unpack<0, std::uint32_t>(low[j], high[j]);
                packed[second][2 * j + 1] = unpack<1, std::uint32_t>(low[j], high[j]);
            }
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out[(i + 2 * j) * Layout::kVectors] =
                reinterpret_cast<Row>(unpack<0, std::uint64_t>(packed[0][j], packed[1][j]));
            out[(i + 2 * j + 1) * Layout::kVectors] =
                reinterpret_cast<Row>(unpack<1, std::uint64_t>(packed[0][j], packed[1][j]));
        }
    }
}

// The lower halves of the numbers of two vectors: of two numbers of `first`, two of `second`, and so on.
template <class Thirds, std::size_t... I>
Thirds narrow(Thirds first, Thirds second, Places<I...>) {
    return __builtin_shufflevector(first, second, (I / 4 * 4 + I % 2 * 2 + I / 2 % 2 * sizeof...(I))...);
}

template <class Sums>
void add_to(std::uint32_t *sums, Sums more) {
    Sums sum;
    __builtin_memcpy(&sum, sums, sizeof sum);
    sum += more;
    __builtin_memcpy(sums, &sum, sizeof sum);
}

// Adds the fields of every row to its 32-bit sums and empties them.
template <std::size_t Numbers>
void empty(typename Fields<Numbers>::Row *fields, std::size_t rows, std::uint32_t *sums) {
    using Layout = Fields<Numbers>;
    using Row = typename Layout::Row;
    using Doubles = typename Layout::Doubles;
    using Thirds = typename Layout::Thirds;
    constexpr std::uint64_t first = (1U << kField) - 1, second = first << 32;
    for (std::size_t r = 0; r < rows; ++r, fields += Layout::kVectors, sums += Layout::kLanes) {
        Row third[Layout::kVectors];
        for (std::size_t v = 0; v < Layout::kVectors; ++v) {
            const Row row = fields[v];
            add_to(sums + 2 * Layout::kWidth * v,
                   reinterpret_cast<Doubles>((row & first) | (row << (32 - kField) & second)));
            third[v] = row >> 2 * kField;
            fields[v] = Row{};
        }
        if constexpr (Layout::kVectors == 1)
            add_to(sums + 2 * Numbers, __builtin_convertvector(third[0], Thirds));
        else
            for (std::size_t v = 0; v < Layout::kVectors; v += 2)
                add_to(sums + 2 * Numbers + v / 2 * Layout::kThirds,
                       narrow(reinterpret_cast<Thirds>(third[v]), reinterpret_cast<Thirds>(third[v + 1]),
                              PlacesTo<Layout::kThirds>()));
    }
}

template <std::size_t Numbers>
void packed_wide(const std::uint16_t *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane,
                 std::size_t count, std::uint64_t *running, std::uint32_t *sums, std::size_t) {
    using Layout = Fields<Numbers>;
    using Row = typename Layout::Row;
    constexpr std::size_t kLanes = Layout::kLanes, kVectors = Layout::kVectors;
    alignas(64) Row packed[Panel::kGroup * kSide * kVectors];
    Row *const fields = reinterpret_cast<Row *>(running);
    for (std::size_t i = 0; i < stream.rows * kLanes; ++i) sums[i] = 0;
    for (std::size_t i = 0; i < stream.rows * kVectors; ++i) fields[i] = Row{};
    for (std::size_t k = 0; k < stream.depth; k += Panel::kGroup) {
        const std::size_t terms = group_terms(stream, k);
        for (std::size_t t = 0; t < terms; ++t) {
            const Columns<kLanes, std::uint16_t> columns(entries, fixed, lane, count, k + t);
            for (std::size_t vector = 0; vector < kVectors; ++vector)
                pack_fields<Numbers>(columns.at, vector, packed + t * kSide * kVectors + vector);
        }
        add_group<Row, kVectors>(packed, stream, k, terms, fields);
        if ((k + Panel::kGroup) % kFieldTerms == 0 || k + Panel::kGroup >= stream.depth)
            empty<Numbers>(fields, stream.rows, sums);
    }
}

template <class Entry>
AXSIM_SCALAR void single(const Entry *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane,
                         std::uint32_t *sums) {
    const auto column = [&](std::size_t k) { return entries + *fixed.at(lane, k) * kSide; };
    for (std::size_t r = 0; r < stream.rows; ++r) sums[r] = 0;
    std::size_t k = 0;
    for (; k + 4 <= stream.depth; k += 4) {
        const Entry *c0 = column(k), *c1 = column(k + 1), *c2 = column(k + 2), *c3 = column(k + 3);
        const std::uint8_t *bytes = stream.at(0, k);
        for (std::size_t r = 0; r < stream.rows; ++r, bytes += Panel::kGroup)
            sums[r] += static_cast<std::uint32_t>(c0[bytes[0]]) + static_cast<std::uint32_t>(c1[bytes[1]]) +
                       static_cast<std::uint32_t>(c2[bytes[2]]) + static_cast<std::uint32_t>(c3[bytes[3]]);
    }
    for (; k < stream.depth; ++k) {
        const Entry *c = column(k);
        const std::uint8_t *bytes = stream.at(0, k);
        for (std::size_t r = 0; r < stream.rows; ++r, bytes += Panel::kGroup)
            sums[r] += static_cast<std::uint32_t>(c[*bytes]);
    }
}

struct Cost {  // as WideKernel has it
    double per_term, per_row;
};

constexpr KernelSet kernel_set(const char *name, Cost wide = {460, 0.7}, Cost narrow = {230, 0.45}) {
    constexpr WideKernel<std::int32_t> plain{kPlainLanes, 130, 0.6, 0, 0, 1, false, plain_wide};
    const WideKernel<std::uint16_t> small{24, wide.per_term, wide.per_row, 0, 0, 1, false, packed_wide<8>};
    return {
        name,
        {small, {12, narrow.per_term, narrow.per_row, 0, 0, 1, false, packed_wide<4>}, small, single<std::uint16_t>},
        {plain, plain, plain, single<std::int32_t>}};
}

}  // namespace
}  // namespace axsim

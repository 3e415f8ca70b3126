// The look-up kernels in plain C++. Each instruction-set file includes this header and so compiles a copy of its
// own with its own compiler flags; the unnamed namespace keeps the linker from merging the copies (for the same
// reason nothing here calls a template of the standard library).
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

namespace axsim {
namespace {

// 64-bit numbers in a vector of packed fields: one register where there are registers of 64 bytes.
#if defined(__AVX512F__)
template <std::size_t Parts>
constexpr std::size_t kRowNumbers = 4 * Parts;
#elif defined(__AVX2__)
template <std::size_t Parts>
constexpr std::size_t kRowNumbers = 4;
#else
template <std::size_t Parts>
constexpr std::size_t kRowNumbers = 2;
#endif

// GCC turns scalar look-ups into vector inserts, at a quarter of the speed.
#if defined(__GNUC__) && !defined(__clang__)
#define AXSIM_SCALAR __attribute__((optimize("no-tree-vectorize", "no-tree-slp-vectorize")))
#else
#define AXSIM_SCALAR
#endif
// Inlined, a function's __restrict promises are lost, and with them its vectorisation.
#if defined(__GNUC__)
#define AXSIM_APART __attribute__((noinline))
#else
#define AXSIM_APART
#endif

// Values side by side (a vector extension of GCC and Clang; they cut it to the registers at hand). Left to
// vectorise plain loops, GCC works across rows, with a shuffle for every look-up.
template <class T, std::size_t Count>
struct Vector {
    typedef T type __attribute__((vector_size(Count * sizeof(T)), may_alias));
};

// 32-bit entries: eight fixed operands, interleaved: out[i][lane]. One vector load then looks up eight products.
// Eight rows of eight entries at a time are transposed by three perfect shuffles.
inline AXSIM_APART void interleave(const std::int32_t *const *columns, std::int32_t *__restrict out) {
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

    Columns(const Entry *entries, const Panel &fixed, std::size_t lane, std::size_t count, std::size_t k) {
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

inline void plain_wide(const std::int32_t *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
                       std::size_t count, std::uint64_t *, std::uint32_t *sums) {
    using Row = Vector<std::uint32_t, kPlainLanes>::type;
    alignas(64) std::int32_t interleaved[Panel::kGroup * kSide * kPlainLanes];
    for (std::size_t i = 0; i < stream.rows * kPlainLanes; ++i) sums[i] = 0;
    for (std::size_t k = 0; k < stream.depth; k += Panel::kGroup) {
        const std::size_t terms = group_terms(stream, k);
        for (std::size_t t = 0; t < terms; ++t)
            interleave(Columns<kPlainLanes, std::int32_t>(entries, fixed, lane, count, k + t).at,
                       interleaved + t * kSide * kPlainLanes);
        add_group<Row, 1>(reinterpret_cast<const Row *>(interleaved), stream, k, terms,
                          reinterpret_cast<Row *>(sums));
    }
}

// 16-bit entries: three to a 64-bit number, in fields of 21 bits, so that one addition adds three products and a
// load of 32 bytes looks up twelve. A field holds the sum of 32 entries; it is emptied in time.
constexpr std::size_t kField = 21, kFields = 3, kFieldTerms = 32;
static_assert(kFieldTerms * 65535 < (1U << kField), "a field holds its sums");
static_assert(kFieldTerms % Panel::kGroup == 0, "fields are emptied between groups");
using Fields = Vector<std::uint64_t, 4>::type;
constexpr std::size_t kPartLanes = 4 * kFields;

// Which lane is in number `i` of part `part`, in field 0; field f holds the one 4 * Parts * f further. The order
// is that in which `empty` gets 32-bit numbers out of two parts by one shuffle.
constexpr std::size_t field_lane(std::size_t parts, std::size_t part, std::size_t i) {
    return parts == 1 ? i : i / 2 * 4 + part * 2 + i % 2;
}

// out[i * Parts] gets entry i of twelve columns.
#if defined(__AVX2__)
// Works on the four 16-bit words of eight packed numbers at a time:
// a field's bits are moved to their words by shifts, and three rounds of unpacking transpose.
template <std::size_t Parts>
AXSIM_APART void pack_fields(const std::uint16_t *const *columns, std::size_t part, Fields *__restrict out) {
    using Words = Vector<std::uint16_t, 16>::type;
    using Doubles = Vector<std::uint32_t, 8>::type;
    using Half = Vector<std::uint16_t, 8>::type;
    constexpr std::size_t kNext = 4 * Parts;  // lanes from one field to the next
    for (std::size_t i = 0; i < kSide; i += 8) {
        Fields packed[2][4];
        for (std::size_t pair = 0; pair < 2; ++pair) {  // numbers pair and pair + 2
            const std::uint16_t *const *low = columns + field_lane(Parts, part, pair);
            const std::uint16_t *const *high = columns + field_lane(Parts, part, pair + 2);
            Words entry[kFields];
            for (std::size_t f = 0; f < kFields; ++f) {
                Half halves[2];
                __builtin_memcpy(&halves[0], low[f * kNext] + i, sizeof(Half));
                __builtin_memcpy(&halves[1], high[f * kNext] + i, sizeof(Half));
                entry[f] = __builtin_shufflevector(halves[0], halves[1], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
                                                   13, 14, 15);
            }
            const Words word[4] = {entry[0], entry[1] << 5, entry[1] >> 11 | entry[2] << 10, entry[2] >> 6};
            Doubles doubles[2][2];
            for (std::size_t w = 0; w < 2; ++w) {
                doubles[w][0] = reinterpret_cast<Doubles>(__builtin_shufflevector(
                    word[2 * w], word[2 * w + 1], 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27));
                doubles[w][1] = reinterpret_cast<Doubles>(__builtin_shufflevector(
                    word[2 * w], word[2 * w + 1], 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31));
            }
            for (std::size_t j = 0; j < 2; ++j) {
                packed[pair][2 * j] = reinterpret_cast<Fields>(
                    __builtin_shufflevector(doubles[0][j], doubles[1][j], 0, 8, 1, 9, 4, 12, 5, 13));
                packed[pair][2 * j + 1] = reinterpret_cast<Fields>(
                    __builtin_shufflevector(doubles[0][j], doubles[1][j], 2, 10, 3, 11, 6, 14, 7, 15));
            }
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out[(i + 2 * j) * Parts] = __builtin_shufflevector(packed[0][j], packed[1][j], 0, 4, 2, 6);
            out[(i + 2 * j + 1) * Parts] = __builtin_shufflevector(packed[0][j], packed[1][j], 1, 5, 3, 7);
        }
    }
}

#else
// Vectors wider than the registers are shuffled number by number: plain numbers are faster.
template <std::size_t Parts>
AXSIM_APART void pack_fields(const std::uint16_t *const *columns, std::size_t part, Fields *__restrict out) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
        const std::uint16_t *const *first = columns + field_lane(Parts, part, lane);
        const std::uint16_t *low = first[0], *middle = first[4 * Parts], *high = first[8 * Parts];
        for (std::size_t i = 0; i < kSide; ++i)
            out[i * Parts][lane] =
                low[i] | std::uint64_t{middle[i]} << kField | std::uint64_t{high[i]} << 2 * kField;
    }
}
#endif

// Adds the fields of every row to its 32-bit sums and empties them.
template <std::size_t Parts>
void empty(Fields *fields, std::size_t rows, std::uint32_t *sums) {
    using Sums = typename Vector<std::uint32_t, 4 * Parts>::type;
    constexpr std::uint32_t mask = (1U << kField) - 1;
    for (std::size_t r = 0; r < rows; ++r, fields += Parts)
        for (std::size_t f = 0; f < kFields; ++f, sums += 4 * Parts) {
            Sums sum, field;
#if defined(__AVX2__)
            using Numbers = Vector<std::uint32_t, 8>::type;
            const Numbers first = reinterpret_cast<Numbers>(fields[0] >> f * kField);
            if constexpr (Parts == 1) {
                field = __builtin_shufflevector(first, first, 0, 2, 4, 6);
            } else {
                const Numbers second = reinterpret_cast<Numbers>(fields[1] >> f * kField);
                field = __builtin_shufflevector(first, second, 0, 2, 8, 10, 4, 6, 12, 14);
            }
#else
            for (std::size_t i = 0; i < 4 * Parts; ++i) {
                const std::size_t part = Parts == 1 ? 0 : i / 2 % 2, number = Parts == 1 ? i : i / 4 * 2 + i % 2;
                field[i] = static_cast<std::uint32_t>(fields[part][number] >> f * kField);
            }
#endif
            __builtin_memcpy(&sum, sums, sizeof sum);
            sum += field & mask;
            __builtin_memcpy(sums, &sum, sizeof sum);
        }
    fields -= rows * Parts;
    for (std::size_t i = 0; i < rows * Parts; ++i) fields[i] = Fields{};
}

template <std::size_t Parts>
void packed_wide(const std::uint16_t *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
                 std::size_t count, std::uint64_t *running, std::uint32_t *sums) {
    constexpr std::size_t kLanes = kPartLanes * Parts;
    using Row = typename Vector<std::uint64_t, kRowNumbers<Parts>>::type;  // one vector where registers are as wide
    constexpr std::size_t kRowParts = 4 * Parts / kRowNumbers<Parts>;
    alignas(64) Fields packed[Panel::kGroup * kSide * Parts];
    Fields *const fields = reinterpret_cast<Fields *>(running);
    for (std::size_t i = 0; i < stream.rows * kLanes; ++i) sums[i] = 0;
    for (std::size_t i = 0; i < stream.rows * Parts; ++i) fields[i] = Fields{};
    for (std::size_t k = 0; k < stream.depth; k += Panel::kGroup) {
        const std::size_t terms = group_terms(stream, k);
        for (std::size_t t = 0; t < terms; ++t) {
            const Columns<kLanes, std::uint16_t> columns(entries, fixed, lane, count, k + t);
            for (std::size_t part = 0; part < Parts; ++part)
                pack_fields<Parts>(columns.at, part, packed + t * kSide * Parts + part);
        }
        add_group<Row, kRowParts>(reinterpret_cast<const Row *>(packed), stream, k, terms,
                                  reinterpret_cast<Row *>(running));
        if ((k + Panel::kGroup) % kFieldTerms == 0 || k + Panel::kGroup >= stream.depth)
            empty<Parts>(fields, stream.rows, sums);
    }
}

template <class Entry>
AXSIM_SCALAR void single(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
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

constexpr KernelSet kernel_set(const char *name) {
    return {name,
            {{24, 460, 0.7, packed_wide<2>}, {12, 230, 0.45, packed_wide<1>}, single<std::uint16_t>},
            {{kPlainLanes, 130, 0.6, plain_wide}, {kPlainLanes, 130, 0.6, plain_wide}, single<std::int32_t>}};
}

}  // namespace
}  // namespace axsim

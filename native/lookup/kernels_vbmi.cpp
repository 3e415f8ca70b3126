// The kernels for AVX-512 with VBMI, whose byte permutes look 64 products up at once. See CMakeLists.txt for the flags.
//
// A column of the table, 256 entries of 16 bits, stays in eight registers: four of low bytes, four of high bytes.
// For a register of 64 rows' operands, two permutes of 128 entries, one for the operands of each half of the column,
// give 64 low bytes, and as many the 64 high bytes. The bytes are added up as 16-bit numbers, without unpacking:
//
//     all += bytes,  odd += bytes >> 8          so that the even bytes' sum is all - (odd << 8), modulo 2**16
//
// which holds 257 terms.
//
// For 64 look-ups there are 12 instructions: 4 permutes, 4 additions and 2 products that stand for shifts, a mask
// and its complement; and 4 loads. On an AMD processor with 64-byte registers (Zen 4 or 5, family "EPYC", measured in
// processor time) they take 2.3 ns, where published instruction timings say 5.75 cycles. The interleaved columns of
// packed.h take 0.66 ns for 24 look-ups of a row there, so 1.8 ns for 64, but 360 ns to prepare 24 lanes of a term. So
// permutes are three times as fast for 128 rows and win below some 1250 (both kernels in turn, 480 lanes of 1024 terms:
// equal at 1280 rows, permutes 2 to 4 % ahead at 1024, behind by 7 % at 1536); longer streams do not come here. On
// Intel's processors, whose one port that permutes takes two cycles for each, all this is estimated: nobody has
// measured it.
//
// Where a signed operand streams, its magnitudes are looked up, and the bytes of what is to be negated are inverted:
// that is 65,535 - entry in place of -entry. Two more instructions and a load for 64 look-ups, in place of a second
// pass.
//
// Four terms' bytes could also be averaged, (x + y + 1) >> 1, before they are added up as 16-bit numbers, with sums
// modulo 256 to make good the rounding: one instruction less, but 2.5 loads and 2 stores more.
#include "lookup/kernels.h"

#if defined(__AVX512VBMI__)
#include <immintrin.h>

#include "lookup/vectors.h"

namespace axsim {
namespace {

// As WideKernel has them, in nanoseconds: measured on an AMD processor; for Intel's, an estimate.
constexpr double kLookups64 = 2.27, kLookups64Intel = 3.5;
constexpr double kPaired64 = 2.8, kPaired64Intel = 4;               // with signs
constexpr double kColumn = 2.4;                                     // to load a column
constexpr double kArrange = 0.05;                                   // to arrange one operand
constexpr double kWide[2] = {360, 0.66}, kNarrow[2] = {170, 0.36};  // the interleaved kernels there, a term and a row
constexpr std::size_t kMostBlocks = 4;      // registers of rows that share a loaded column: four sums of each
constexpr std::size_t kChunk = 128;         // terms arranged at a time: 32 KiB, half of an L1 cache or more
constexpr std::size_t kPairedChunk = 64;    // the same with signs
constexpr std::size_t kBytes = 64;          // rows in a register
constexpr std::size_t kQuads = kBytes / 4;  // 32-bit numbers in a register
constexpr std::size_t kLanes = 24;
static_assert(kChunk <= 257 && kChunk % Panel::kGroup == 0, "16-bit sums of bytes are emptied in time");
static_assert(kPairedChunk <= 255 && kPairedChunk % Panel::kGroup == 0, "a byte counts a chunk's signs");

using Bytes = Vector<std::uint8_t, kBytes>::type;
using Words = Vector<std::uint16_t, kBytes / 2>::type;
using Doubles = Vector<std::uint32_t, kQuads>::type;

template <class To>
To load(const void *from) {
    To value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

// Four terms of 64 rows, from registers of 16 rows by 4 terms to one register for each term. Row 16 * c + i of a
// term is in byte c of its 32-bit number i. `out` gets the terms at multiples of `stride` bytes.
inline void arrange(const Doubles *rows, std::size_t terms, std::uint8_t *out, std::size_t stride) {
    constexpr std::uint32_t even = 0x00FF00FF, low = 0x0000FFFF;
    Doubles pair[2][2];  // [rows' half][terms 0 and 2, or 1 and 3], rows of the half in turn
    for (std::size_t half = 0; half < 2; ++half) {
        const Doubles a = rows[2 * half], b = rows[2 * half + 1];
        pair[half][0] = (a & even) | (b & even) << 8;
        pair[half][1] = (a >> 8 & even) | (b & ~even);
    }
    for (std::size_t t = 0; t < terms; ++t) {
        const Doubles first = pair[0][t % 2], second = pair[1][t % 2];
        const Doubles term = t < 2 ? (first & low) | second << 16 : first >> 16 | (second & ~low);
        __builtin_memcpy(out + t * stride, &term, sizeof term);
    }
}

// 64 rows, or as many as there are from `row`, of the four terms at k.
struct Quads {
    Doubles rows[4] = {};

    Quads(const Panel &stream, std::size_t row, std::size_t k) {
        const std::size_t count = stream.rows - row;
        __builtin_memcpy(rows, stream.at(row, k), count < kBytes ? count * Panel::kGroup : sizeof rows);
    }
};

// Rows [row, row + 64 * blocks) of terms [k, k + terms), as arrange() orders them: out[term][block]. k is a multiple
// of four. Rows and bytes that the stream has not got are anything.
inline void arrange_chunk(const Panel &stream, std::size_t row, std::size_t blocks, std::size_t k, std::size_t terms,
                          std::uint8_t *out) {
    for (std::size_t t = 0; t < terms; t += Panel::kGroup)
        for (std::size_t block = 0; block < blocks; ++block)
            arrange(Quads(stream, row + block * kBytes, k + t).rows,
                    terms - t < Panel::kGroup ? terms - t : Panel::kGroup, out + (t * blocks + block) * kBytes,
                    blocks * kBytes);
}

// The same of both passes of a signed operand: magnitudes, and 255 where they are to be negated, else 0. `beyond` gets
// what the sums of those terms are too great by, for each row as the sums lie.
inline void arrange_signed(const Panel &stream, std::size_t row, std::size_t blocks, std::size_t k, std::size_t terms,
                           std::uint8_t *out, std::uint8_t *signs, std::uint32_t *beyond) {
    const std::size_t step = blocks * kBytes;
    for (std::size_t block = 0; block < blocks; ++block, out += kBytes, signs += kBytes) {
        Bytes negated = {};
        for (std::size_t t = 0; t < terms; t += Panel::kGroup) {
            arrange(Quads(stream, row + block * kBytes, k + t).rows, Panel::kGroup, out + t * step, step);
            arrange(Quads(stream, row + block * kBytes, stream.depth / 2 + k + t).rows, Panel::kGroup, signs + t * step,
                    step);
            for (std::size_t i = t; i < t + Panel::kGroup; ++i) {
                const Bytes negative = load<Bytes>(signs + i * step), both = load<Bytes>(out + i * step) | negative;
                const auto sign = reinterpret_cast<Bytes>(negative != 0);
                __builtin_memcpy(out + i * step, &both, sizeof both);
                __builtin_memcpy(signs + i * step, &sign, sizeof sign);
                negated -= sign;  // 255: adds one
            }
        }
        const auto counts = reinterpret_cast<Doubles>(negated);
        for (std::size_t c = 0; c < 4; ++c, beyond += kQuads) {
            const Doubles rest = 65535 * (static_cast<std::uint32_t>(terms) - (counts >> 8 * c & 0xFF));
            __builtin_memcpy(beyond, &rest, sizeof rest);
        }
    }
}

// The entries of one plane for 64 operands. `high` says which have their top bit set. A permute writes its results over
// the operands that its mask names, so that the other half of the operands is still there for the next one.
inline Words plane(const __m512i *column, __m512i operands, __mmask64 high) {
    const __m512i half = _mm512_mask2_permutex2var_epi8(column[2], operands, high, column[3]);
    return reinterpret_cast<Words>(_mm512_mask2_permutex2var_epi8(column[0], half, ~high, column[1]));
}

// 16-bit sums of one plane's bytes.
struct Sums16 {
    Words all = {}, odd = {};

    void add(Words bytes) {
        const __m512i shifted = _mm512_mulhi_epu16(reinterpret_cast<__m512i>(bytes), _mm512_set1_epi16(256));
        all += bytes;
        odd += reinterpret_cast<Words>(shifted);  // bytes >> 8
    }
    Words even() const { return all - (odd << 8); }
};

// Adds the terms of a chunk to the 32-bit sums of one lane, for Blocks registers of rows; if Signed, `signs` and
// `beyond` are what arrange_signed() has made of it.
template <std::size_t Blocks, bool Signed>
void add_chunk(const std::uint16_t *entries, const std::uint8_t *operands, const std::uint8_t *signs,
               const std::uint32_t *beyond, const FixedPanel &fixed, std::size_t lane, std::size_t k, std::size_t terms,
               std::uint32_t *sums) {
    Sums16 low[Blocks], high[Blocks];
    for (std::size_t t = 0; t < terms; ++t) {
        const std::uint8_t *planes = byte_planes(entries, *fixed.at(lane, k + t));
        __m512i column[8];
        for (std::size_t i = 0; i < 8; ++i) column[i] = _mm512_loadu_si512(planes + i * kBytes);
        for (std::size_t block = 0; block < Blocks; ++block, operands += kBytes) {
            const __m512i operand = _mm512_loadu_si512(operands);
            const __mmask64 top = _mm512_movepi8_mask(operand);
            Words low_bytes = plane(column, operand, top), high_bytes = plane(column + 4, operand, top);
            if constexpr (Signed) {
                const Words sign = load<Words>(signs);
                low_bytes ^= sign;
                high_bytes ^= sign;
                signs += kBytes;
            }
            low[block].add(low_bytes);
            high[block].add(high_bytes);
        }
    }
    for (std::size_t block = 0; block < Blocks; ++block) {
        // 16-bit sums of bytes 0 and 2 of each 32-bit number, and of bytes 1 and 3.
        const Doubles bytes[2][2] = {
            {reinterpret_cast<Doubles>(low[block].even()), reinterpret_cast<Doubles>(high[block].even())},
            {reinterpret_cast<Doubles>(low[block].odd), reinterpret_cast<Doubles>(high[block].odd)}};
        for (std::size_t c = 0; c < 4; ++c, sums += kQuads) {
            const auto part = [&](Doubles words) { return c < 2 ? words & 0xFFFF : words >> 16; };
            Doubles sum = load<Doubles>(sums) + part(bytes[c % 2][0]) + (part(bytes[c % 2][1]) << 8);
            if constexpr (Signed) sum += load<Doubles>(beyond + (block * 4 + c) * kQuads);
            __builtin_memcpy(sums, &sum, sizeof sum);
        }
    }
}

// The sums of Blocks * 64 rows, or as many as there are, from row `row`.
template <std::size_t Blocks, bool Signed>
void add_rows(const std::uint16_t *entries, const Panel &stream, const FixedPanel &fixed, std::size_t row,
              std::size_t lane, std::size_t count, std::uint32_t *sums, std::size_t apart) {
    constexpr std::size_t kRows = Blocks * kBytes, kTerms = Signed ? kPairedChunk : kChunk;
    alignas(64) std::uint8_t operands[kTerms * kRows], signs[Signed ? kTerms * kRows : 1];
    alignas(64) std::uint32_t beyond[Signed ? kRows : 1];
    alignas(64) std::uint32_t lane_sums[kLanes * kRows];
    for (std::size_t i = 0; i < count * kRows; ++i) lane_sums[i] = 0;
    const std::size_t depth = Signed ? stream.depth / 2 : stream.depth;
    for (std::size_t k = 0; k < depth; k += kTerms) {
        const std::size_t terms = depth - k < kTerms ? depth - k : kTerms;
        if constexpr (Signed)
            arrange_signed(stream, row, Blocks, k, terms, operands, signs, beyond);
        else
            arrange_chunk(stream, row, Blocks, k, terms, operands);
        for (std::size_t j = 0; j < count; ++j)
            add_chunk<Blocks, Signed>(entries, operands, signs, beyond, fixed, lane + j, k, terms,
                                      lane_sums + j * kRows);
    }
    const std::size_t rows = stream.rows - row < kRows ? stream.rows - row : kRows;
    for (std::size_t j = 0; j < count; ++j) {
        const std::uint32_t *const from = lane_sums + j * kRows;
        if (apart != 0)
            __builtin_memcpy(sums + j * apart + row, from, rows * sizeof *from);
        else
            for (std::size_t r = 0; r < rows; ++r) sums[(row + r) * kLanes + j] = from[r];
    }
}

template <bool Signed>
void permuted(const std::uint16_t *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane,
              std::size_t count, std::uint64_t *, std::uint32_t *sums, std::size_t apart) {
    for (std::size_t row = 0; row < stream.rows; row += kMostBlocks * kBytes) {
        const std::size_t left = stream.rows - row;
        const auto add = left > 3 * kBytes   ? add_rows<4, Signed>
                         : left > 2 * kBytes ? add_rows<3, Signed>
                         : left > kBytes     ? add_rows<2, Signed>
                                             : add_rows<1, Signed>;
        add(entries, stream, fixed, row, lane, count, sums, apart);
    }
}

KernelSet vbmi_set() {
    __builtin_cpu_init();
    const bool intel = __builtin_cpu_is("intel");
    const double lookups64 = intel ? kLookups64Intel : kLookups64, paired64 = intel ? kPaired64Intel : kPaired64;
    KernelSet set = *avx512_kernels();
    set.name = "vbmi";
    set.small.wide.per_term = kWide[0];
    set.small.wide.per_row = kWide[1];
    set.small.narrow.per_term = kNarrow[0];
    set.small.narrow.per_row = kNarrow[1];
    set.small.brief = {kLanes, 0, kArrange, lookups64 / kBytes, kColumn, kBytes, true, permuted<false>};
    // Of each pass: half.
    set.small.paired = {kLanes, 0, kArrange, paired64 / kBytes / 2, kColumn / 2, kBytes, true, permuted<true>};
    return set;
}

}  // namespace

const KernelSet *vbmi_kernels() {
    static const KernelSet set = vbmi_set();
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const KernelSet *vbmi_kernels() { return nullptr; }
}  // namespace axsim
#endif

// The look-up kernels in plain C++. Each instruction-set file includes this header and so compiles a copy of its
// own with its own compiler flags; the unnamed namespace keeps the linker from merging the copies (for the same
// reason nothing here calls a template of the standard library).
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace axsim {
namespace {

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

// Eight values side by side (a vector extension of GCC and Clang; they cut it to the registers at hand). Left to
// vectorise plain loops, GCC works across rows, with a shuffle for every look-up.
template <class T>
struct Vector {
    typedef T type __attribute__((vector_size(kLanes * sizeof(T)), may_alias));
};

// The entries of eight fixed operands, interleaved: out[i][lane]. One vector load then looks up eight products.
// Eight rows of eight entries at a time are transposed by three perfect shuffles.
template <class Entry>
AXSIM_APART void interleave(const Entry *const *columns, Entry *__restrict out) {
    using Row = typename Vector<Entry>::type;
    static_assert(kLanes == 8, "three shuffles transpose eight lanes");
    for (std::size_t i = 0; i < kSide; i += kLanes) {
        Row row[kLanes], shuffled[kLanes];
        for (std::size_t j = 0; j < kLanes; ++j) __builtin_memcpy(&row[j], columns[j] + i, sizeof(Row));
        for (int step = 0; step < 3; ++step) {
            for (std::size_t j = 0; j < 4; ++j) {
                shuffled[2 * j] = __builtin_shufflevector(row[j], row[j + 4], 0, 8, 1, 9, 2, 10, 3, 11);
                shuffled[2 * j + 1] = __builtin_shufflevector(row[j], row[j + 4], 4, 12, 5, 13, 6, 14, 7, 15);
            }
            for (std::size_t j = 0; j < kLanes; ++j) row[j] = shuffled[j];
        }
        for (std::size_t j = 0; j < kLanes; ++j) __builtin_memcpy(out + (i + j) * kLanes, &row[j], sizeof(Row));
    }
}

// Eight entries as 32-bit numbers.
inline Vector<std::uint32_t>::type widen(const Vector<std::int32_t>::type *entries) {
    return __builtin_convertvector(*entries, Vector<std::uint32_t>::type);
}
inline Vector<std::uint32_t>::type widen(const Vector<std::uint16_t>::type *entries) {
#if defined(__AVX2__)  // one instruction, which GCC does not find by itself
    return reinterpret_cast<Vector<std::uint32_t>::type>(
        _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i *>(entries))));
#else
    return __builtin_convertvector(*entries, Vector<std::uint32_t>::type);
#endif
}

// Adds Terms consecutive terms to every row; `bytes` are the stream's, kGroup to a row.
template <class Entry, std::size_t Terms>
void add_wide(const Entry *interleaved, const std::uint8_t *bytes, std::size_t rows, std::uint32_t *sums) {
    using Entries = typename Vector<Entry>::type;
    using Sums = typename Vector<std::uint32_t>::type;
    const Entries *const entries = reinterpret_cast<const Entries *>(interleaved);
    for (std::size_t r = 0; r < rows; ++r, bytes += Panel::kGroup, sums += kLanes) {
        Sums sum;
        __builtin_memcpy(&sum, sums, sizeof sum);
        for (std::size_t t = 0; t < Terms; ++t)
            sum += widen(entries + t * kSide + bytes[t]);
        __builtin_memcpy(sums, &sum, sizeof sum);
    }
}

template <class Entry>
void wide(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane, std::size_t count,
          std::uint32_t *sums) {
    alignas(64) Entry interleaved[Panel::kGroup * kSide * kLanes];
    for (std::size_t i = 0; i < stream.rows * kLanes; ++i) sums[i] = 0;
    const auto prepare = [&](std::size_t k, std::size_t slot) {
        const Entry *columns[kLanes];
        for (std::size_t j = 0; j < kLanes; ++j)  // absent lanes repeat the last one
            columns[j] = entries + *fixed.at(lane + (j < count ? j : count - 1), k) * kSide;
        interleave(columns, interleaved + slot * kSide * kLanes);
    };
    std::size_t k = 0;
    for (; k + Panel::kGroup <= stream.depth; k += Panel::kGroup) {
        for (std::size_t slot = 0; slot < Panel::kGroup; ++slot) prepare(k + slot, slot);
        add_wide<Entry, Panel::kGroup>(interleaved, stream.at(0, k), stream.rows, sums);
    }
    for (; k < stream.depth; ++k) {
        prepare(k, 0);
        add_wide<Entry, 1>(interleaved, stream.at(0, k), stream.rows, sums);
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
            {wide<std::uint16_t>, single<std::uint16_t>},
            {wide<std::int32_t>, single<std::int32_t>}};
}

}  // namespace
}  // namespace axsim

// Operand bytes to the numbers that the table's factors have for them. Included by each instruction-set file; see
// factored/tile.h.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/panel.h"
#include "factored/kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace axsim {
namespace {

// The numbers of one row for four k, of which the first `depth` exist.
template <class T>
void expand_row(const Component &component, bool bytes, const T *k, std::size_t depth, std::uint32_t *out,
                std::size_t width) {
    if (bytes) {
        std::uint8_t four[4] = {};
        for (std::size_t t = 0; t < depth; ++t) four[t] = component.bytes[k[t]];
        __builtin_memcpy(out, four, sizeof four);
        return;
    }
    std::int16_t four[4] = {};
    for (std::size_t t = 0; t < depth; ++t) four[t] = component.words[k[t]];
    __builtin_memcpy(out, four, sizeof *out);
    __builtin_memcpy(out + width, four + 2, sizeof *out);
}

#if defined(__AVX2__)
inline __m256i both_halves(const std::uint8_t *table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(table)));
}

// component.bytes[v] for 32 bytes v.
inline __m256i look_up(const Component &component, __m256i v) {
    if (component.separable) {
        const __m256i nibble = _mm256_set1_epi8(15);
        const __m256i low = _mm256_and_si256(v, nibble), high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
        return _mm256_add_epi8(_mm256_shuffle_epi8(both_halves(component.low), low),
                               _mm256_shuffle_epi8(both_halves(component.high), high));
    }
    // Sixteen entries at a time: of an index from 16 on, adding 0x70 sets the highest bit, and the shuffle gives 0.
    __m256i found = _mm256_setzero_si256();
    for (int i = 0; i < 16; ++i) {
        const __m256i index = _mm256_xor_si256(v, _mm256_set1_epi8(static_cast<char>(16 * i)));
        found = _mm256_or_si256(found, _mm256_shuffle_epi8(both_halves(component.bytes + 16 * i),
                                                           _mm256_adds_epu8(index, _mm256_set1_epi8(0x70))));
    }
    return found;
}

// The words of found bytes, those of k 0 and 1 of eight rows, and those of k 2 and 3.
struct WordPairs {
    __m256i first, second;

    WordPairs(const Component &component, __m256i found) {
        constexpr char no = -1;
        const __m256i of_first = _mm256_setr_epi8(0, no, 1, no, 4, no, 5, no, 8, no, 9, no, 12, no, 13, no,  //
                                                  0, no, 1, no, 4, no, 5, no, 8, no, 9, no, 12, no, 13, no);
        const __m256i of_second = _mm256_setr_epi8(2, no, 3, no, 6, no, 7, no, 10, no, 11, no, 14, no, 15, no,  //
                                                   2, no, 3, no, 6, no, 7, no, 10, no, 11, no, 14, no, 15, no);
        const __m256i base = _mm256_set1_epi16(component.base);
        first = _mm256_add_epi16(_mm256_shuffle_epi8(found, of_first), base);
        second = _mm256_add_epi16(_mm256_shuffle_epi8(found, of_second), base);
    }
    void store(std::uint32_t *out, std::size_t width) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), first);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + width), second);
    }
};

// All four k of `count` rows, eight rows at a time, the last ones first: what is written beyond them is then
// overwritten by what belongs there.
inline void expand_group(const Component &component, bool bytes, const std::uint8_t *group, std::size_t count,
                         std::uint32_t *out, std::size_t width) {
    for (std::size_t row = (count + 7) / 8 * 8; row != 0;) {
        row -= 8;
        const __m256i found =
            look_up(component, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(group + 4 * row)));
        if (bytes)
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(out + row), found);
        else
            WordPairs(component, found).store(out + row, width);
    }
}

// The same of indices, in words: their low bytes are looked up, and what that gives is negated where bit 8 is set.
inline void expand_group(const Component &component, bool, const std::uint16_t *group, std::size_t count,
                         std::uint32_t *out, std::size_t width) {
    constexpr int kInOrder = 0xD8;  // of 64 bits each: what comes of two halves in turn
    for (std::size_t row = (count + 7) / 8 * 8; row != 0;) {
        row -= 8;
        const auto *from = reinterpret_cast<const __m256i *>(group + 4 * row);
        const __m256i a = _mm256_loadu_si256(from), b = _mm256_loadu_si256(from + 1), low = _mm256_set1_epi16(255);
        const __m256i magnitudes = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
        WordPairs words(component, look_up(component, _mm256_permute4x64_epi64(magnitudes, kInOrder)));
        const auto sign = [](__m256i indices) { return _mm256_srai_epi16(_mm256_slli_epi16(indices, 7), 15); };
        const __m256 x = _mm256_castsi256_ps(sign(a)), y = _mm256_castsi256_ps(sign(b));
        const auto negated = [](__m256i values, __m256 signs) {
            const __m256i mask = _mm256_permute4x64_epi64(_mm256_castps_si256(signs), kInOrder);
            return _mm256_sub_epi16(_mm256_xor_si256(values, mask), mask);
        };
        words.first = negated(words.first, _mm256_shuffle_ps(x, y, 0x88));
        words.second = negated(words.second, _mm256_shuffle_ps(x, y, 0xDD));
        words.store(out + row, width);
    }
}

inline bool is_looked_up(const Component &component, bool, const std::uint8_t *) { return component.narrow; }
inline bool is_looked_up(const Component &component, bool bytes, const std::uint16_t *) {
    return component.narrow && component.odd && !bytes;
}
#endif

template <bool Bytes, class T>
void expand(const Component *components, std::size_t terms, const T *operands, std::size_t stride, std::size_t count,
            std::size_t depth, std::uint32_t *out, std::size_t width) {
    constexpr std::size_t kSteps = Bytes ? 1 : 2;
    for (std::size_t k = 0; k < depth; k += Panel::kGroup, operands += stride * Panel::kGroup) {
        const std::size_t there = depth - k < Panel::kGroup ? depth - k : Panel::kGroup;
        for (std::size_t t = 0; t < terms; ++t, out += kSteps * width) {
#if defined(__AVX2__)
            if (there == Panel::kGroup && is_looked_up(components[t], Bytes, operands)) {
                expand_group(components[t], Bytes, operands, count, out, width);
                continue;
            }
#endif
            for (std::size_t row = 0; row < count; ++row)
                expand_row(components[t], Bytes, operands + row * Panel::kGroup, there, out + row, width);
        }
    }
}

template <class T>
constexpr GemmExpands<T> expands() {
    return {expand<false, T>, expand<true, T>};
}

}  // namespace
}  // namespace axsim

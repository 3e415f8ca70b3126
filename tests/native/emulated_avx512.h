// What the AVX-512 instructions that kernels use do, in plain C++: for processors that lack them.
//
// Included before anything else (-include), without the compiler's flags for AVX-512. Sources that include it take the
// processor for one that has what they ask for.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace emulated {

// out[i] = f(i) in numbers of type T.
template <class T, class F>
__m512i each(const F &f) {
    __m512i out;
    for (std::size_t i = 0; i < 64 / sizeof(T); ++i) {
        const T number = static_cast<T>(f(i));
        std::memcpy(reinterpret_cast<char *>(&out) + i * sizeof(T), &number, sizeof(T));
    }
    return out;
}

template <class T>
std::int64_t number(const __m512i &vector, std::size_t i) {
    T found;
    std::memcpy(&found, reinterpret_cast<const char *>(&vector) + i * sizeof(T), sizeof(T));
    return found;
}

inline std::int64_t words(const __m512i &a, const __m512i &b, std::size_t i) {
    return number<std::int16_t>(a, i) * number<std::int16_t>(b, i);
}
inline std::int64_t bytes(const __m512i &a, const __m512i &b, std::size_t i) {
    return number<std::uint8_t>(a, i) * number<std::int8_t>(b, i);
}
inline std::int64_t saturated(std::int64_t sum) { return sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum; }

inline __m512i setzero_si512() {
    return each<std::int32_t>([](std::size_t) { return 0; });
}
inline __m512i load_si512(const void *from) { return *static_cast<const __m512i *>(from); }  // alignment is checked
inline __m512i loadu_si512(const void *from) {
    __m512i loaded;
    std::memcpy(&loaded, from, sizeof loaded);
    return loaded;
}
inline void store_si512(void *to, __m512i vector) { *static_cast<__m512i *>(to) = vector; }
inline __m512i set1_epi32(int value) {
    return each<std::int32_t>([&](std::size_t) { return value; });
}
inline __m512i set1_epi16(short value) {
    return each<std::int16_t>([&](std::size_t) { return value; });
}
inline __m512i castsi256_si512(__m256i low) {
    __m512i out = setzero_si512();
    std::memcpy(&out, &low, sizeof low);
    return out;
}
inline __m512i inserti32x4(__m512i vector, __m128i part, int where) {
    std::memcpy(reinterpret_cast<char *>(&vector) + 16 * where, &part, sizeof part);
    return vector;
}
inline __m512i add_epi32(__m512i a, __m512i b) {
    return each<std::int32_t>([&](std::size_t i) { return number<std::int32_t>(a, i) + number<std::int32_t>(b, i); });
}
inline __m512i add_epi16(__m512i a, __m512i b) {
    return each<std::int16_t>([&](std::size_t i) { return number<std::int16_t>(a, i) + number<std::int16_t>(b, i); });
}
inline __m512i mulhi_epu16(__m512i a, __m512i b) {
    return each<std::uint16_t>(
        [&](std::size_t i) { return number<std::uint16_t>(a, i) * number<std::uint16_t>(b, i) >> 16; });
}
inline __m512i madd_epi16(__m512i a, __m512i b) {
    return each<std::int32_t>([&](std::size_t i) { return words(a, b, 2 * i) + words(a, b, 2 * i + 1); });
}
inline __m512i maddubs_epi16(__m512i a, __m512i b) {
    return each<std::int16_t>([&](std::size_t i) { return saturated(bytes(a, b, 2 * i) + bytes(a, b, 2 * i + 1)); });
}
inline __m512i dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
    return each<std::int32_t>(
        [&](std::size_t i) { return number<std::int32_t>(sum, i) + words(a, b, 2 * i) + words(a, b, 2 * i + 1); });
}
inline __m512i dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    return each<std::int32_t>([&](std::size_t i) {
        return number<std::int32_t>(sum, i) + bytes(a, b, 4 * i) + bytes(a, b, 4 * i + 1) + bytes(a, b, 4 * i + 2) +
               bytes(a, b, 4 * i + 3);
    });
}
inline __mmask64 movepi8_mask(__m512i vector) {
    __mmask64 mask = 0;
    for (std::size_t i = 0; i < 64; ++i) mask |= static_cast<__mmask64>(number<std::int8_t>(vector, i) < 0) << i;
    return mask;
}
inline __m512i mask2_permutex2var_epi8(__m512i a, __m512i index, __mmask64 mask, __m512i b) {
    return each<std::uint8_t>([&](std::size_t i) {
        const auto from = static_cast<std::size_t>(number<std::uint8_t>(index, i));
        return (mask >> i & 1) == 0 ? number<std::uint8_t>(index, i)
                                    : number<std::uint8_t>(from & 64 ? b : a, from & 63);
    });
}

}  // namespace emulated

#undef _mm512_inserti32x4  // a macro where nothing is optimised
#define _mm512_setzero_si512 emulated::setzero_si512
#define _mm512_load_si512 emulated::load_si512
#define _mm512_loadu_si512 emulated::loadu_si512
#define _mm512_store_si512 emulated::store_si512
#define _mm512_set1_epi32 emulated::set1_epi32
#define _mm512_set1_epi16 emulated::set1_epi16
#define _mm512_castsi256_si512 emulated::castsi256_si512
#define _mm512_inserti32x4 emulated::inserti32x4
#define _mm512_add_epi32 emulated::add_epi32
#define _mm512_add_epi16 emulated::add_epi16
#define _mm512_mulhi_epu16 emulated::mulhi_epu16
#define _mm512_madd_epi16 emulated::madd_epi16
#define _mm512_maddubs_epi16 emulated::maddubs_epi16
#define _mm512_dpwssd_epi32 emulated::dpwssd_epi32
#define _mm512_dpbusd_epi32 emulated::dpbusd_epi32
#define _mm512_movepi8_mask emulated::movepi8_mask
#define _mm512_mask2_permutex2var_epi8 emulated::mask2_permutex2var_epi8

#define AXSIM_EMULATED
#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512VBMI__ 1
#define __AVX512VNNI__ 1

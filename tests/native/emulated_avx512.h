// What the AVX-512 instructions that kernels use do, in plain C++: for processors that lack them.
#pragma once
#include <cstdint>
#include <cstring>

struct __m512i {
    alignas(64) std::uint8_t bytes[64];
};

namespace emulated {

// out[i] = f(i) in numbers of type T.
template <class T, class F>
__m512i each(const F &f) {
    __m512i out;
    for (std::size_t i = 0; i < 64 / sizeof(T); ++i) {
        const T number = static_cast<T>(f(i));
        std::memcpy(out.bytes + i * sizeof(T), &number, sizeof(T));
    }
    return out;
}

template <class T>
std::int64_t number(const __m512i &vector, std::size_t i) {
    T found;
    std::memcpy(&found, vector.bytes + i * sizeof(T), sizeof(T));
    return found;
}

inline std::int64_t words(const __m512i &a, const __m512i &b, std::size_t i) {
    return number<std::int16_t>(a, i) * number<std::int16_t>(b, i);
}
inline std::int64_t bytes(const __m512i &a, const __m512i &b, std::size_t i) {
    return number<std::uint8_t>(a, i) * number<std::int8_t>(b, i);
}
inline std::int64_t saturated(std::int64_t sum) { return sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum; }

}  // namespace emulated

inline __m512i _mm512_setzero_si512() { return {}; }
inline __m512i _mm512_load_si512(const void *from) {
    __m512i loaded;
    std::memcpy(&loaded, static_cast<const __m512i *>(from), sizeof loaded);  // the sanitizer checks alignment
    return loaded;
}
inline void _mm512_store_si512(void *to, __m512i vector) { *static_cast<__m512i *>(to) = vector; }
inline __m512i _mm512_set1_epi32(int number) {
    return emulated::each<std::int32_t>([&](std::size_t) { return number; });
}
inline __m512i _mm512_set1_epi16(short number) {
    return emulated::each<std::int16_t>([&](std::size_t) { return number; });
}
inline __m512i _mm512_add_epi32(__m512i a, __m512i b) {
    using emulated::number;
    return emulated::each<std::int32_t>(
        [&](std::size_t i) { return number<std::int32_t>(a, i) + number<std::int32_t>(b, i); });
}
inline __m512i _mm512_add_epi16(__m512i a, __m512i b) {
    using emulated::number;
    return emulated::each<std::int16_t>(
        [&](std::size_t i) { return number<std::int16_t>(a, i) + number<std::int16_t>(b, i); });
}
inline __m512i _mm512_madd_epi16(__m512i a, __m512i b) {
    using emulated::words;
    return emulated::each<std::int32_t>([&](std::size_t i) { return words(a, b, 2 * i) + words(a, b, 2 * i + 1); });
}
inline __m512i _mm512_maddubs_epi16(__m512i a, __m512i b) {
    using emulated::bytes;
    return emulated::each<std::int16_t>(
        [&](std::size_t i) { return emulated::saturated(bytes(a, b, 2 * i) + bytes(a, b, 2 * i + 1)); });
}
inline __m512i _mm512_dpwssd_epi32(__m512i sum, __m512i a, __m512i b) {
    using emulated::words;
    return emulated::each<std::int32_t>([&](std::size_t i) {
        return emulated::number<std::int32_t>(sum, i) + words(a, b, 2 * i) + words(a, b, 2 * i + 1);
    });
}
inline __m512i _mm512_dpbusd_epi32(__m512i sum, __m512i a, __m512i b) {
    using emulated::bytes;
    return emulated::each<std::int32_t>([&](std::size_t i) {
        return emulated::number<std::int32_t>(sum, i) + bytes(a, b, 4 * i) + bytes(a, b, 4 * i + 1) +
               bytes(a, b, 4 * i + 2) + bytes(a, b, 4 * i + 3);
    });
}

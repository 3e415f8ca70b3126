// The integer matrix product in what every processor of a kind has: SSE2 on x86, or vectors that compilers make.
#include "factored/expand.h"
#include "factored/tile.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace axsim {
namespace {

#if defined(__SSE2__)
struct Words {
    using Register = __m128i;

    static Register zero() { return _mm_setzero_si128(); }
    static Register load(const void *from) { return _mm_loadu_si128(static_cast<const Register *>(from)); }
    static Register repeat(std::uint32_t number) { return _mm_set1_epi32(static_cast<int>(number)); }
    static void store(void *to, Register sums) { _mm_storeu_si128(static_cast<Register *>(to), sums); }
    static Register add(Register x, Register y) { return _mm_add_epi32(x, y); }
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm_add_epi32(sum, _mm_madd_epi16(repeated, vector));
    }
    static Register widen(Register sum) { return sum; }
    static void fix(Register &sum) { asm volatile("" : "+x"(sum)); }
};
#else
struct Words {
    typedef std::uint32_t Register __attribute__((vector_size(16)));
    typedef std::int32_t Signed __attribute__((vector_size(16)));

    static Register zero() { return Register{}; }
    static Register load(const void *from) {
        Register loaded;
        __builtin_memcpy(&loaded, from, sizeof loaded);
        return loaded;
    }
    static Register repeat(std::uint32_t number) { return Register{number, number, number, number}; }
    static void store(void *to, Register sums) { __builtin_memcpy(to, &sums, sizeof sums); }
    static Register add(Register x, Register y) { return x + y; }
    static Register low(Register pair) {
        return reinterpret_cast<Register>(reinterpret_cast<Signed>(pair << 16) >> 16);
    }
    static Register high(Register pair) { return reinterpret_cast<Register>(reinterpret_cast<Signed>(pair) >> 16); }
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return sum + low(repeated) * low(vector) + high(repeated) * high(vector);
    }
    static Register widen(Register sum) { return sum; }
    static void fix(Register &) {}
};
#endif

}  // namespace

const GemmKernels *portable_gemm() {
    static constexpr GemmKernels set{"portable",
                                     6,
                                     8,
                                     multiply<Words, 6, 2>,
                                     {nullptr, nullptr},
                                     0,
                                     expands<std::uint8_t>(),
                                     expands<std::uint16_t>()};
    return &set;
}

}  // namespace axsim

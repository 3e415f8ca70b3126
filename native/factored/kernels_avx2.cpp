// The integer matrix product compiled for AVX2.
#include "factored/kernels.h"

#if defined(__AVX2__)
#include <immintrin.h>

#include "factored/expand.h"
#include "factored/tile.h"

namespace axsim {
namespace {

struct Vectors {
    using Register = __m256i;

    static Register zero() { return _mm256_setzero_si256(); }
    static Register load(const void *from) { return _mm256_load_si256(static_cast<const Register *>(from)); }
    static Register repeat(std::uint32_t number) { return _mm256_set1_epi32(static_cast<int>(number)); }
    static void store(void *to, Register sums) { _mm256_store_si256(static_cast<Register *>(to), sums); }
    static Register add(Register x, Register y) { return _mm256_add_epi32(x, y); }
    // GCC would move all products of a step before all sums, and run out of registers.
    static void fix(Register &sum) { asm volatile("" : "+x"(sum)); }
};

struct Words : Vectors {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(repeated, vector));
    }
    static Register widen(Register sum) { return sum; }
};

template <bool RepeatedUnsigned>
struct Bytes : Vectors {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm256_add_epi16(
            sum, RepeatedUnsigned ? _mm256_maddubs_epi16(repeated, vector) : _mm256_maddubs_epi16(vector, repeated));
    }
    static Register widen(Register sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }
};

}  // namespace

const GemmKernels *avx2_gemm() {
    static constexpr GemmKernels set{"avx2",
                                     6,
                                     16,
                                     multiply<Words, 6, 2>,
                                     {multiply<Bytes<false>, 6, 2>, multiply<Bytes<true>, 6, 2>},
                                     INT16_MAX,
                                     expands<std::uint8_t>(),
                                     expands<std::uint16_t>()};
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const GemmKernels *avx2_gemm() { return nullptr; }
}  // namespace axsim
#endif

// The integer matrix product compiled for AVX-512 BW.
#include "factored/kernels.h"

#if defined(__AVX512BW__)
#include "factored/expand.h"
#include "factored/tile.h"
#include "factored/vectors512.h"

namespace axsim {
namespace {

struct Words : Vectors512 {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm512_add_epi32(sum, _mm512_madd_epi16(repeated, vector));
    }
    static Register widen(Register sum) { return sum; }
};

template <bool RepeatedUnsigned>
struct Bytes : Vectors512 {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm512_add_epi16(
            sum, RepeatedUnsigned ? _mm512_maddubs_epi16(repeated, vector) : _mm512_maddubs_epi16(vector, repeated));
    }
    static Register widen(Register sum) { return _mm512_madd_epi16(sum, _mm512_set1_epi16(1)); }
};

}  // namespace

const GemmKernels *avx512_gemm() {
    static constexpr GemmKernels set{"avx512",
                                     12,
                                     32,
                                     multiply<Words, 12, 2>,
                                     {multiply<Bytes<false>, 12, 2>, multiply<Bytes<true>, 12, 2>},
                                     INT16_MAX,
                                     expands<std::uint8_t>(),
                                     expands<std::uint16_t>()};
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const GemmKernels *avx512_gemm() { return nullptr; }
}  // namespace axsim
#endif

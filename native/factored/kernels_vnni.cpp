// The integer matrix product compiled for AVX-512 with VNNI.
#include "factored/kernels.h"

#if defined(__AVX512VNNI__)
#include "factored/tile.h"
#include "factored/vectors512.h"

namespace axsim {
namespace {

struct Words : Vectors512 {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return _mm512_dpwssd_epi32(sum, repeated, vector);
    }
    static Register widen(Register sum) { return sum; }
};

template <bool RepeatedUnsigned>
struct Bytes : Vectors512 {
    static Register multiply_add(Register sum, Register repeated, Register vector) {
        return RepeatedUnsigned ? _mm512_dpbusd_epi32(sum, repeated, vector)
                                : _mm512_dpbusd_epi32(sum, vector, repeated);
    }
    static Register widen(Register sum) { return sum; }
};

}  // namespace

const GemmKernels *vnni_gemm() {
    static const GemmKernels set{"avx512vnni",
                                 12,
                                 32,
                                 multiply<Words, 12, 2>,
                                 {multiply<Bytes<false>, 12, 2>, multiply<Bytes<true>, 12, 2>},
                                 INT32_MAX,
                                 avx512_gemm()->of_bytes,
                                 avx512_gemm()->of_indices};
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const GemmKernels *vnni_gemm() { return nullptr; }
}  // namespace axsim
#endif

#include "factored/kernels.h"

#include "common/dispatch.h"

namespace axsim {

const GemmKernels &gemm_kernels() {
    static constexpr Family<GemmKernels> family{portable_gemm, avx2_gemm, avx512_gemm, vnni_gemm};
    return family.choose(isa());
}

}  // namespace axsim

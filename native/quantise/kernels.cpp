#include "quantise/kernels.h"

#include "common/dispatch.h"

namespace axsim {

const QuantiseKernels &quantise_kernels() {
    // (These loops wait for memory, not for vectors wider than AVX2's.)
    static constexpr Family<QuantiseKernels> family{portable_quantise_kernels, avx2_quantise_kernels};
    return family.choose(isa());
}

}  // namespace axsim

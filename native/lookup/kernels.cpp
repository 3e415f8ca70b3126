#include "lookup/kernels.h"

#include "common/dispatch.h"

namespace axsim {

const KernelSet &kernels() {
    static constexpr Family<KernelSet> family{portable_kernels, avx2_kernels, avx512_kernels,
                                              nullptr,          vbmi_kernels, neon_kernels};
    return family.choose(isa());
}

}  // namespace axsim

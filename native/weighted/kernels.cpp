// Chooses the kernels.
#include "weighted/kernels.h"

#include "common/dispatch.h"

namespace axsim::weighted {

const Kernels &kernels() {
    static constexpr Family<Kernels> family{portable_kernels, avx2_kernels, avx512_kernels};
    return family.choose(isa());
}

}  // namespace axsim::weighted

// Chooses the kernels.
#include "floating/kernels.h"

#include "common/dispatch.h"

namespace axsim::floating {

const Kernels &kernels() {
    static constexpr Family<Kernels> family{portable_kernels, avx2_kernels, avx512_kernels};
    return family.choose(isa());
}

}  // namespace axsim::floating

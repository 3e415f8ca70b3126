// Kernels for any processor: two lanes, which SSE2 and NEON have.
#include "float_kernels.h"

namespace axsim::floating {

const Kernels &portable_kernels() {
    static constexpr Kernels set = make_kernels<2>();
    return set;
}

}  // namespace axsim::floating

// The float kernels for any processor: two lanes, which SSE2 and NEON have.
#include "floating/loops.h"

namespace axsim::floating {

const Kernels *portable_kernels() {
    static constexpr Kernels set = make_kernels<2>();
    return &set;
}

}  // namespace axsim::floating

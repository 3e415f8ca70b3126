// The weighted sums for any processor: four lanes, which SSE2 and NEON have.
#include "weighted/loops.h"

namespace axsim::weighted {

const Kernels *portable_kernels() {
    static constexpr Kernels set = make_kernels<4>();
    return &set;
}

}  // namespace axsim::weighted

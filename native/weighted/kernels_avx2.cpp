// The weighted sums for AVX2: eight lanes.
#include "weighted/kernels.h"

#if defined(__AVX2__)
#include "weighted/loops.h"

namespace axsim::weighted {

const Kernels *avx2_kernels() {
    static constexpr Kernels set = make_kernels<8>();
    return &set;
}

}  // namespace axsim::weighted
#else
namespace axsim::weighted {
const Kernels *avx2_kernels() { return nullptr; }
}  // namespace axsim::weighted
#endif

// The weighted sums for AVX-512: sixteen lanes.
#include "weighted/kernels.h"

#if defined(__AVX512F__)
#include "weighted/loops.h"

namespace axsim::weighted {

const Kernels *avx512_kernels() {
    static constexpr Kernels set = make_kernels<16>();
    return &set;
}

}  // namespace axsim::weighted
#else
namespace axsim::weighted {
const Kernels *avx512_kernels() { return nullptr; }
}  // namespace axsim::weighted
#endif

// The float kernels for AVX2: four lanes.
#include "floating/kernels.h"

#if defined(__AVX2__)
#include "floating/loops.h"

namespace axsim::floating {

const Kernels *avx2_kernels() {
    static constexpr Kernels set = make_kernels<4>();
    return &set;
}

}  // namespace axsim::floating
#else
namespace axsim::floating {
const Kernels *avx2_kernels() { return nullptr; }
}  // namespace axsim::floating
#endif

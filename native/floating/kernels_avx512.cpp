// The float kernels for AVX-512: eight lanes.
#include "floating/kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include "floating/loops.h"

namespace axsim::floating {

const Kernels *avx512_kernels() {
    static constexpr Kernels set = make_kernels<8>();
    return &set;
}

}  // namespace axsim::floating
#else
namespace axsim::floating {
const Kernels *avx512_kernels() { return nullptr; }
}  // namespace axsim::floating
#endif

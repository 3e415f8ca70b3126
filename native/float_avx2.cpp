// Kernels for AVX2 and FMA: four lanes. Compiled with flags of its own; see CMakeLists.txt.
#include "float_kernels.h"

namespace axsim::floating {

#if defined(__AVX2__) && defined(__FMA__)
const Kernels &avx2_kernels() {
    static constexpr Kernels set = make_kernels<4>();
    return set;
}
#else
const Kernels &avx2_kernels() { return portable_kernels(); }
#endif

}  // namespace axsim::floating

// Kernels for AVX-512: eight lanes. Compiled with flags of its own; see CMakeLists.txt.
#include "float_kernels.h"

namespace axsim::floating {

#if defined(__AVX512F__) && defined(__AVX512DQ__)
const Kernels &avx512_kernels() {
    static constexpr Kernels set = make_kernels<8>();
    return set;
}
#else
const Kernels &avx512_kernels() { return portable_kernels(); }
#endif

}  // namespace axsim::floating

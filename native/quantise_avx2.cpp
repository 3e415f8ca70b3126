// The loops of quantisation compiled for AVX2; see CMakeLists.txt for the flags.
#include "quantise_loops.h"

namespace axsim {

const QuantiseKernels &avx2_quantise_kernels() {
    static constexpr QuantiseKernels set = quantise_kernel_set();
    return set;
}

}  // namespace axsim

// The loops of quantisation compiled for any processor.
#include "quantise_loops.h"

namespace axsim {

const QuantiseKernels &portable_quantise_kernels() {
    static constexpr QuantiseKernels set = quantise_kernel_set();
    return set;
}

}  // namespace axsim

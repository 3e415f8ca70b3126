// The loops of quantisation for any processor.
#include "quantise/loops.h"

namespace axsim {

const QuantiseKernels *portable_quantise_kernels() {
    static constexpr QuantiseKernels set = quantise_kernel_set();
    return &set;
}

}  // namespace axsim

// The loops of quantisation for AVX2.
#include "quantise/kernels.h"

#if defined(__AVX2__)
#include "quantise/loops.h"

namespace axsim {

const QuantiseKernels *avx2_quantise_kernels() {
    static constexpr QuantiseKernels set = quantise_kernel_set();
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const QuantiseKernels *avx2_quantise_kernels() { return nullptr; }
}  // namespace axsim
#endif

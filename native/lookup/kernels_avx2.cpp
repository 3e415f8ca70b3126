// The look-up kernels for AVX2.
#include "lookup/kernels.h"

#if defined(__AVX2__)
#include "lookup/packed.h"

namespace axsim {

const KernelSet *avx2_kernels() {
    static constexpr KernelSet set = kernel_set("avx2");
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const KernelSet *avx2_kernels() { return nullptr; }
}  // namespace axsim
#endif

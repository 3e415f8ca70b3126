// The look-up kernels for AVX-512.
#include "lookup/kernels.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include "lookup/packed.h"

namespace axsim {

const KernelSet *avx512_kernels() {
    static constexpr KernelSet set = kernel_set("avx512");
    return &set;
}

}  // namespace axsim
#else
namespace axsim {
const KernelSet *avx512_kernels() { return nullptr; }
}  // namespace axsim
#endif

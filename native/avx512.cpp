// The kernels compiled for AVX-512; see CMakeLists.txt for the flags.
#include "lookup.h"

namespace axsim {

const KernelSet &avx512_kernels() {
    static constexpr KernelSet set = kernel_set("avx512");
    return set;
}

}  // namespace axsim

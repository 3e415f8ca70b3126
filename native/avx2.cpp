// The kernels compiled for AVX2; see CMakeLists.txt for the flags.
#include "lookup.h"

namespace axsim {

const KernelSet &avx2_kernels() {
    static constexpr KernelSet set = kernel_set("avx2");
    return set;
}

}  // namespace axsim

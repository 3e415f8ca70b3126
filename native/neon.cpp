// The kernels compiled for aarch64, where every compiler uses NEON.
#include "lookup.h"

namespace axsim {

const KernelSet &neon_kernels() {
    static constexpr KernelSet set = kernel_set("neon");
    return set;
}

}  // namespace axsim

// The look-up kernels for aarch64, where every compiler uses NEON: the portable ones.
#include "lookup/kernels.h"

namespace axsim {

const KernelSet *neon_kernels() {
#if defined(__aarch64__)
    static const KernelSet set = [] {
        KernelSet neon = *portable_kernels();
        neon.name = "neon";
        return neon;
    }();
    return &set;
#else
    return nullptr;
#endif
}

}  // namespace axsim

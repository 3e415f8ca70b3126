// The kernels for any processor the compiler targets: no instruction-set flags.
#include "lookup.h"

namespace axsim {

const KernelSet &portable_kernels() {
    static constexpr KernelSet set = kernel_set("portable");
    return set;
}

}  // namespace axsim

// The look-up kernels for any processor: no flags for an instruction set.
#include "lookup/packed.h"

namespace axsim {

const KernelSet *portable_kernels() {
    static constexpr KernelSet set = kernel_set("portable");
    return &set;
}

}  // namespace axsim

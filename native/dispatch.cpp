// Chooses the kernels for the instruction set in use.
#include "isa.h"
#include "kernels.h"

namespace axsim {

const KernelSet &kernels() {
    switch (lookup_isa()) {
        case Isa::vbmi:
            return vbmi_kernels();
        case Isa::avx512:
            return avx512_kernels();
        case Isa::avx2:
            return avx2_kernels();
        case Isa::neon:
            return neon_kernels();
        case Isa::portable:
            break;
    }
    return portable_kernels();
}

}  // namespace axsim

// Chooses the kernels of the integer matrix product for the instruction set in use.
#include "gemm_kernels.h"
#include "isa.h"

namespace axsim {
namespace {

// Dot products of bytes and words: an extension that processors with AVX-512 have or lack.
bool has_vnni() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

}  // namespace

const GemmKernels &gemm_kernels() {
    switch (isa()) {
        case Isa::vbmi:
        case Isa::avx512:
            return has_vnni() ? vnni_gemm() : avx512_gemm();
        case Isa::avx2:
            return avx2_gemm();
        case Isa::neon:  // which every aarch64 compiler uses anyhow
        case Isa::portable:
            break;
    }
    return portable_gemm();
}

}  // namespace axsim

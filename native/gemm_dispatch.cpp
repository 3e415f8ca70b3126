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
    const Isa which = isa();
    if (which >= Isa::avx512) return has_vnni() ? vnni_gemm() : avx512_gemm();
    return which == Isa::avx2 ? avx2_gemm() : portable_gemm();
}

}  // namespace axsim

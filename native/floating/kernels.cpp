// Chooses the kernels, and puts the floating-point unit into the mode they rely on.
#include "floating/kernels.h"

#include "common/dispatch.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace axsim::floating {

const Kernels &kernels() {
    static constexpr Family<Kernels> family{portable_kernels, avx2_kernels, avx512_kernels};
    return family.choose(isa());
}

#if defined(__SSE2__)
DefaultFloatMode::DefaultFloatMode() : saved_(_mm_getcsr()) {
    constexpr unsigned round_to_nearest_and_mask_exceptions = 0x1F80;
    _mm_setcsr(round_to_nearest_and_mask_exceptions);
}
DefaultFloatMode::~DefaultFloatMode() { _mm_setcsr(saved_); }
#else
DefaultFloatMode::DefaultFloatMode() : saved_(0) {}
DefaultFloatMode::~DefaultFloatMode() = default;
#endif

}  // namespace axsim::floating

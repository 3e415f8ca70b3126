// Chooses the kernels, and puts the floating-point unit into the mode they rely on.
#include "float_rules.h"
#include "isa.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace axsim::floating {

const Kernels &kernels() {
    switch (isa()) {
        case Isa::vbmi:  // no float kernel looks bytes up in registers
        case Isa::avx512:
            return avx512_kernels();
        case Isa::avx2:
            return avx2_kernels();
        case Isa::neon:  // which every aarch64 compiler uses anyhow
        case Isa::portable:
            break;
    }
    return portable_kernels();
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

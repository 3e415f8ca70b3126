// The floating-point mode of a thread. Results do not depend on the caller's: subnormal numbers count, and sums and
// products are rounded to nearest, whatever a thread was set to or has inherited.
#pragma once
#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace axsim {

#if defined(__SSE2__)
constexpr std::uint64_t kDefaultFloatMode = 0x1F80;  // nearest, subnormal numbers, exceptions masked
inline std::uint64_t float_mode() { return _mm_getcsr(); }
inline void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kDefaultFloatMode = 0;
inline std::uint64_t float_mode() {
    std::uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
inline void set_float_mode(std::uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
constexpr std::uint64_t kDefaultFloatMode = 0;
inline std::uint64_t float_mode() { return 0; }
inline void set_float_mode(std::uint64_t) {}
#endif

// Sets the default mode; what it was.
inline std::uint64_t enter_float_mode() {
    const std::uint64_t saved = float_mode();
    set_float_mode(kDefaultFloatMode);
    return saved;
}

class DefaultFloatMode {
  public:
    DefaultFloatMode() : saved_(enter_float_mode()) {}
    ~DefaultFloatMode() { set_float_mode(saved_); }
    DefaultFloatMode(const DefaultFloatMode &) = delete;
    DefaultFloatMode &operator=(const DefaultFloatMode &) = delete;

  private:
    std::uint64_t saved_;
};

}  // namespace axsim

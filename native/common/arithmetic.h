// Whole numbers.
#pragma once
#include <cstddef>

#include "common/attributes.h"

namespace axsim {

AXSIM_INLINE constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }
AXSIM_INLINE constexpr std::size_t round_up(std::size_t a, std::size_t b) { return ceil_div(a, b) * b; }

}  // namespace axsim

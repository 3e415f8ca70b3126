// A floating-point multiplier as the kernels need it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "floating/kernels.h"

namespace axsim::floating {

// weight * (A & left) * (B & right)
struct FormTerm {
    std::uint64_t weight, left, right;
};

class Multiplier {
  public:
    // Significands through a masked form of 1 to kMaxTerms terms. In `rules`, low and high are the smallest and the
    // largest product of two significands.
    Multiplier(Rules rules, const std::vector<FormTerm> &terms);
    // Significands through 8-bit segments: table[a][b] for segments a (left) and b.
    Multiplier(Rules rules, const std::uint32_t *table);

    const Rules &rules() const { return rules_; }
    // Segments of a significand; 0 for a masked form.
    int segments() const { return segments_; }
    int terms() const { return left_.terms; }
    const Side &side(bool left) const { return left ? left_ : right_; }
    // Whether operands that are float32 numbers must be rounded to the format.
    bool rounds_operands() const { return rules_.fraction_bits < 23 || rules_.smallest_normal > 0x1p-126; }
    // The kind of kernel for products that are always normal; Kind::checked is for any.
    Kind fast() const { return fast_; }
    // Whether Kernels::fast can take products of segments.
    bool has_fast_segments() const { return segments_ == 1 || !rules_.published; }

    // The table with the left operand's segment as its row, or with the right one's.
    const std::int32_t *table(bool left_rows) const { return table_[left_rows ? 0 : 1].data(); }
    // For one segment: products rounded (by the published rule, brought to [1, 2)), laid out like table().
    const double *normalised(bool left_rows) const { return normalised_[left_rows ? 0 : 1].data(); }

  private:
    Rules rules_;
    int segments_ = 0;
    Kind fast_;
    Side left_{}, right_{};
    std::array<std::vector<std::int32_t>, 2> table_;
    std::array<std::vector<double>, 2> normalised_;
};

}  // namespace axsim::floating

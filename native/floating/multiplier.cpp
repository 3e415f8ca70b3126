#include "floating/multiplier.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace axsim::floating {
namespace {

constexpr double kSmallestSubnormal = 0x1p-149;  // of float32: no operand other than 0 is smaller

double next_power_of_two(double x) { return std::exp2(std::ceil(std::log2(x))); }

// Bounds of products relative to the weights' product, whose scale is such that `unit` stands for a product of 1.
void set_bounds(Rules &rules, double unit) {
    if (rules.published) {  // in [1, 2)
        rules.low = 1;
        rules.high = 2;
        return;
    }
    rules.low = std::max(rules.low, 1.0) * unit;  // a product of 0 is no danger
    rules.high = next_power_of_two(std::max(rules.high, 1.0)) * unit;
}

double normalised_product(const Rules &rules, std::int32_t product) {
    if (product == 0) return 0;
    int exponent;
    const double fraction = std::frexp(product, &exponent);  // in [0.5, 1)
    const double integer = std::ldexp(fraction, rules.fraction_bits + 1);
    const double kept = rules.truncate ? std::floor(integer) : std::nearbyint(integer);
    return std::ldexp(kept, rules.published ? -rules.fraction_bits : exponent - rules.fraction_bits - 1);
}

}  // namespace

Multiplier::Multiplier(Rules rules, const std::vector<FormTerm> &terms) : rules_(rules) {
    if (terms.empty() || terms.size() > kMaxTerms) throw std::invalid_argument("1 to 3 terms are possible");
    rules_.zero_below = std::max(rules_.zero_below, kSmallestSubnormal);
    set_bounds(rules_, std::ldexp(1, -2 * rules_.fraction_bits));
    left_.terms = right_.terms = static_cast<int>(terms.size());
    left_.with_exponent = right_.with_exponent = !rules_.published;
    left_.weight_scale = rules_.published ? 2 : 1;
    right_.weight_scale = 1;
    for (std::size_t t = 0; t < terms.size(); ++t) {
        left_.term[t] = {terms[t].left, static_cast<double>(terms[t].weight)};
        right_.term[t] = {terms[t].right, 1};
    }
    fast_ = rules_.published ? Kind::published : rules_.truncate ? Kind::truncated : Kind::nearest;
}

Multiplier::Multiplier(Rules rules, const std::uint32_t *table)
    : rules_(rules), segments_(rules.fraction_bits / 8 + 1), fast_(Kind::checked) {
    const double unit = std::ldexp(1, -2 * rules_.fraction_bits);
    rules_.zero_below = std::max(rules_.zero_below, kSmallestSubnormal);
    set_bounds(rules_, 1);
    left_.weight_scale = rules_.published ? 2 : unit;
    right_.weight_scale = 1;
    for (int right = 0; right < 2; ++right) {
        table_[right].resize(kEntries * kEntries);
        for (std::size_t i = 0; i < kEntries; ++i)
            for (std::size_t j = 0; j < kEntries; ++j)
                table_[right][i * kEntries + j] =
                    static_cast<std::int32_t>(right ? table[j * kEntries + i] : table[i * kEntries + j]);
        if (segments_ > 1) continue;
        normalised_[right].resize(kEntries * kEntries);
        std::transform(table_[right].begin(), table_[right].end(), normalised_[right].begin(),
                       [&](std::int32_t product) { return normalised_product(rules_, product); });
    }
}

}  // namespace axsim::floating

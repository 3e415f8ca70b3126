// Prepared weights, whichever way they are multiplied.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "common/right.h"
#include "common/shapes.h"
#include "quantise/scaling.h"

namespace axsim {

// Left operands: bytes, or, where weights take signed ones, numbers from -255 to 255.
struct LeftNumbers {
    const std::uint8_t *bytes;
    const std::int16_t *numbers;
};

// Where sums go: as they are (int32: modulo 2**32), or as the real numbers that they stand for.
struct ScaledTo {
    const Scaling &scaling;
    float *out;
};
using To = std::variant<std::int32_t *, std::int64_t *, ScaledTo>;

// A right operand that is prepared once for one way of multiplying. What it needs of itself is made when it is first
// asked for, by whichever thread comes first, without a lock that a forked child could find held.
class Weights {
  public:
    Weights(RightMatrices right, bool takes_signed) : right_(std::move(right)), takes_signed_(takes_signed) {}
    virtual ~Weights() = default;
    Weights(const Weights &) = delete;
    Weights &operator=(const Weights &) = delete;

    const RightMatrices &right() const { return right_; }
    bool takes_signed() const { return takes_signed_; }  // on its left

    // The product of `rows` left rows and the one matrix.
    virtual Schedule multiply(const LeftNumbers &a, std::size_t rows, const To &to, int threads) const = 0;
    // That of the patches of x and the matrices, one for each group. A pixel outside is `outside`.
    virtual Schedule convolve(const LeftNumbers &x, const ConvShape &shape, int outside, const To &to,
                              int threads) const = 0;

  private:
    RightMatrices right_;
    bool takes_signed_;
};

}  // namespace axsim

// Real numbers in, real numbers out: quantising, sums through prepared weights, and scaling back.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/shapes.h"
#include "layers/weights.h"

namespace axsim {

// How the left operand becomes integers: q = clip(round_half_even(x / scale) + zero, low, high); int8 where low < 0,
// unless the weights take signed operands, which have 9 bits.
struct Quantisation {
    double scale, zero;
    int low, high;
};

// That of numbers from `least` to `most`: all integers from `low` to `high` in use, or, centred, 0 in the middle and
// none beyond the magnitude of `high`. As axsim/quantization.py has it.
Quantisation quantisation_of(double least, double most, bool centred, int low, int high);

// Prepared weights and what their integers stand for, w ~ scale * (q - zero) of each right row [group][row], and what
// is added at last.
class Layer {
  public:
    Layer(const Weights &weights, bool bytes_are_signed, std::vector<double> scale, std::vector<double> zero,
          std::vector<double> bias);

    const Weights &weights() const { return weights_; }
    // False, and out means nothing, if an x is not finite.
    bool multiply(const float *x, std::size_t rows, const Quantisation &by, float *out, int threads) const;
    bool convolve(const float *x, const ConvShape &shape, const Quantisation &by, float *out, int threads) const;

  private:
    class Integers;  // of x

    // Calls run with how sums of `depth` terms are scaled; `left` holds the sums of left rows, where they count.
    template <class Run>
    void with_scaling(const Quantisation &by, std::size_t depth, const std::vector<double> &left,
                      std::size_t left_batch, const Axis &left_axis, const Run &run) const;

    const Weights &weights_;
    std::vector<double> scale_, zero_, bias_, sums_;
    bool centred_;  // whether all zero points are 0
};

}  // namespace axsim

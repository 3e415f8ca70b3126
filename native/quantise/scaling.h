// What turns sums of products of quantised operands into real numbers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/shapes.h"

namespace axsim {

// out = ((sum - left * zero + extra) * left_scale) * right_scale (+ bias), in float64, of which the bracket is exact.
struct Scaling {
    double left_scale;
    // For each right row of each matrix, [batch][right]: the scale, what its operands' zero point is, what is to be
    // added.
    const double *right_scale, *zero, *extra;
    const double *bias;  // or nullptr
    // The sum of the operands of each left row, at batch * left_batch + left_axis.offset(i); nullptr where all of
    // `zero` are 0.
    const double *left;
    std::size_t left_batch;
    Axis left_axis;
};

// Where the sums of a product lie, and so the scaled ones.
struct Layout {
    Axis left, right;
    std::size_t batch, batch_stride;
};

// Sums of the left rows [left, left + lefts) and the right rows [right, right + rights) of a matrix, (i, j) of them at
// sums[i * left_step + j * right_step].
struct SumsBlock {
    const std::int32_t *sums;
    std::size_t left_step, right_step, batch, left, lefts, right, rights;
};

void scale_block(const SumsBlock &block, const Layout &layout, const Scaling &scaling, float *out);

// All sums of a product, which lie as its scaled ones shall.
template <class Sum>
void scale_sums(const Sum *sums, const Layout &layout, const Scaling &scaling, float *out, int threads);

}  // namespace axsim

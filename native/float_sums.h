// Sums of floating-point products over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>

#include "float_multiplier.h"
#include "float_operand.h"
#include "tiles.h"

namespace axsim::floating {

// out[batch * batch_stride + left_axis.offset(i) + right_axis.offset(j)] =
//     sum over k < depth of left operand at (batch, i, k) * right operand at (batch, j, k)
//
// in double, starting from 0.0, k ascending: one sum, never split.
struct Problem {
    const Multiplier &multiplier;
    const Operand &left, &right;
    Axis left_axis, right_axis;
    std::size_t batch, batch_stride, depth;
};

void compute(const Problem &problem, double *out, int threads);

// out[i] = a[i] * b[i]
void multiply(const Multiplier &multiplier, const float *a, const float *b, std::size_t count, float *out,
              int threads);

}  // namespace axsim::floating

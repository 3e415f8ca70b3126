// Sums of floating-point products over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>

#include "common/operand.h"
#include "floating/multiplier.h"

namespace axsim::floating {

// The product whose * is the multiplier. Sums are in double, starting from 0.0, k ascending: one sum, never split.
struct Problem : Product<float> {
    const Multiplier &multiplier;
};

void compute(const Problem &problem, double *out, int threads);

// out[i] = a[i] * b[i]
void multiply(const Multiplier &multiplier, const float *a, const float *b, std::size_t count, float *out, int threads);

}  // namespace axsim::floating

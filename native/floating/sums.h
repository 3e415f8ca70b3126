// Sums of floating-point products over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>

#include "common/operand.h"
#include "floating/multiplier.h"

namespace axsim::floating {

class Weights;

// The product whose * is the multiplier. Sums are in double, starting from 0.0, k ascending: one sum, never split.
struct Problem : Product<float> {
    const Multiplier &multiplier;
    const Weights *weights;  // the right operand, where it was prepared; or nullptr
};

// Where sums go: as they are, or rounded to float. One of the two is nullptr.
struct Result {
    double *sums;
    float *rounded;
    const double *bias;  // added before, one for each right row of each matrix; or nullptr
};

void compute(const Problem &problem, const Result &result, int threads);

// out[i] = a[i] * b[i]
void multiply(const Multiplier &multiplier, const float *a, const float *b, std::size_t count, float *out, int threads);

}  // namespace axsim::floating

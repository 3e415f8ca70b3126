// Real numbers to 8-bit integers, and sums of products of those back to real numbers: the formulas of
// axsim/quantize.py and axsim/engines/zero_points.py, in the same order of operations and so to the same bits. Sums of
// operands are whole numbers far below 2**53, and so exact in double.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/shapes.h"
#include "quantise/kernels.h"

namespace axsim {

// Of at least one number.
template <class Real>
Extremes<Real> extremes(const Real *x, std::size_t count, int threads);

// How to quantise: a scale and a zero point for each of `channels`.
struct Channels {
    const double *scale, *zero;
    std::size_t channels;
};

// q = clip(round_half_even(x / scale) + zero, low, high) of x (outer, channels, inner), as bytes. False if a number is
// not finite; q then means nothing.
template <class Real>
bool quantise(const Real *x, std::size_t outer, const Channels &by, std::size_t inner, int low, int high,
              std::uint8_t *q, int threads);

// sums[o, i] = sum over k of q[o, k, i], bytes being uint8 or int8.
void sum_bytes(const std::uint8_t *q, bool is_signed, std::size_t outer, std::size_t count, std::size_t inner,
               double *sums, int threads);

// The sum of the bytes under each window, for each group: sums (images, groups, out_height, out_width). A pixel outside
// the image is the byte `outside`.
void sum_windows(const std::uint8_t *x, bool is_signed, const ConvShape &shape, std::size_t groups,
                 std::uint8_t outside, double *sums, int threads);

// What turns sums into real numbers, for each output channel.
struct Epilogue {
    double left_scale;
    const double *right_scale, *zero, *extra;
    const double *bias;  // or nullptr
};

// out[i, c, p] = ((sums[i, c, p] - left[i, c / (channels / groups), p] * zero[c] + extra[c]) * left_scale)
//                * right_scale[c] (+ bias[c])
template <class Sum, class Real>
void scale_planes(const Sum *sums, const double *left, const Epilogue &epilogue, std::size_t images, std::size_t groups,
                  std::size_t channels, std::size_t pixels, Real *out, int threads);

// out[i, m, c] = ((sums[i, m, c] - left[i, m] * zero[c] + extra[i, c]) * left_scale) * right_scale[c], without bias.
template <class Sum, class Real>
void scale_rows(const Sum *sums, const double *left, const Epilogue &epilogue, std::size_t matrices, std::size_t rows,
                std::size_t channels, Real *out, int threads);

}  // namespace axsim

// The inner loops of quantisation, compiled for each instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace axsim {

template <class Real>
struct Extremes {
    Real low, high;
    bool finite;  // whether all numbers are; if not, low and high mean nothing
};

template <class Real>
struct RealKernels {
    // Of at least one number.
    Extremes<Real> (*extremes)(const Real *x, std::size_t count);
    // q = clip(round_half_even(x / scale) + zero, low, high). False if an x is not finite; q then means nothing. One
    // scale and zero point for all numbers (quantise), or one for each of them.
    bool (*quantise)(const Real *x, std::size_t count, const double *scale, const double *zero, double low, double high,
                     std::uint8_t *q);
    bool (*quantise_each)(const Real *x, std::size_t count, const double *scale, const double *zero, double low,
                          double high, std::uint8_t *q);
};

// What turns one output channel's sums into real numbers. Zero points and sums of operands are whole numbers.
struct Channel {
    double left_scale, scale, zero, extra, bias;
    bool has_bias;
};

template <class Sum, class Real>
struct ScaleKernels {
    // out[i] = ((sums[i] - left[i] * zero + extra) * left_scale) * scale (+ bias)
    void (*plane)(const Sum *sums, const double *left, const Channel &channel, std::size_t count, Real *out);
    // out[i] = ((sums[i] - left * zero[i] + extra[i]) * left_scale) * scale[i]
    void (*row)(const Sum *sums, double left, const double *zero, const double *extra, double left_scale,
                const double *scale, std::size_t count, Real *out);
};

// A run of sums that are neighbours in the output, either those of one right row (a channel) with several left rows, or
// those of one left row with several channels. Pointers are to the run's first numbers.
struct Line {
    const std::int32_t *sums;
    double left_scale;
    const double *scale, *zero, *extra, *bias;  // of channels; bias may be nullptr
    const double *left;                         // of left rows; nullptr: all of `zero` are 0
    const double *corrections;                  // to be added to the sums
};

// out[i] = ((sums[i] + correction - left * zero + extra) * left_scale) * scale (+ bias)
struct LineKernels {
    using Run = void (*)(const Line &line, std::size_t count, float *out);
    Run across, across_each;  // one channel; one correction, or one for each sum
    Run along, along_each;    // one left row
};

struct QuantiseKernels {
    LineKernels lines;
    RealKernels<float> floats;
    RealKernels<double> doubles;
    ScaleKernels<std::int32_t, float> narrow_floats;
    ScaleKernels<std::int32_t, double> narrow_doubles;
    ScaleKernels<std::int64_t, float> wide_floats;
    ScaleKernels<std::int64_t, double> wide_doubles;

    template <class Real>
    const RealKernels<Real> &of() const {
        if constexpr (sizeof(Real) == sizeof(float))
            return floats;
        else
            return doubles;
    }
    template <class Sum, class Real>
    const ScaleKernels<Sum, Real> &scaling() const {
        if constexpr (sizeof(Sum) == 4 && sizeof(Real) == 4)
            return narrow_floats;
        else if constexpr (sizeof(Sum) == 4)
            return narrow_doubles;
        else if constexpr (sizeof(Real) == 4)
            return wide_floats;
        else
            return wide_doubles;
    }
};

// One function per instruction-set file; see common/dispatch.h.
const QuantiseKernels *portable_quantise_kernels();
const QuantiseKernels *avx2_quantise_kernels();

// The set for isa().
const QuantiseKernels &quantise_kernels();

}  // namespace axsim

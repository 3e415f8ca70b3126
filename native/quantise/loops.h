// The inner loops of quantisation. Each instruction-set file includes this header and so compiles a copy of its own
// (see lookup.h); nothing here calls a template of the standard library.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quantise/kernels.h"

namespace axsim {
namespace {

// A register of values: a vector extension of GCC and Clang. (They vectorise minimum and maximum of plain numbers only
// where they may take NaN and -0.0 lightly.)
#if defined(__AVX2__)
constexpr std::size_t kRegisterBytes = 32;
#else
constexpr std::size_t kRegisterBytes = 16;
#endif
template <class T>
struct Register {
    static constexpr std::size_t size = kRegisterBytes / sizeof(T);
    typedef T type __attribute__((vector_size(kRegisterBytes)));
};

template <class T>
typename Register<T>::type load(const T *from) {
    typename Register<T>::type values;
    __builtin_memcpy(&values, from, sizeof values);
    return values;
}

// A number minus itself is 0, but for infinity and NaN, which make NaN of a sum of such differences.

// So many numbers at a time.
constexpr std::size_t kChunk = 64;

template <class Real>
struct Chunk {
    using Reals = typename Register<Real>::type;
    static constexpr std::size_t kRegisters = kChunk / Register<Real>::size;
    Reals registers[kRegisters];

    // Absent numbers are `other`.
    void load(const Real *x, std::size_t count, Real other) {
        if (count >= kChunk) {
            for (std::size_t r = 0; r < kRegisters; ++r) registers[r] = axsim::load(x + r * Register<Real>::size);
            return;
        }
        for (std::size_t i = 0; i < kChunk; ++i)
            registers[i / Register<Real>::size][i % Register<Real>::size] = i < count ? x[i] : other;
    }
};

template <class Real>
Extremes<Real> extremes(const Real *x, std::size_t count) {
    using Reals = typename Register<Real>::type;
    constexpr std::size_t kSize = Register<Real>::size;
    Extremes<Real> all{x[0], x[0], true};
    Reals low[2] = {Reals{} + x[0], Reals{} + x[0]}, high[2] = {low[0], low[0]}, wrong[2] = {};
    const auto take = [&](std::size_t r, Reals values) {
        low[r] = values < low[r] ? values : low[r];
        high[r] = values > high[r] ? values : high[r];
        wrong[r] += values - values;
    };
    std::size_t i = 0;
    for (; i + 2 * kSize <= count; i += 2 * kSize) {
        take(0, load(x + i));
        take(1, load(x + i + kSize));
    }
    for (; i < count; ++i) take(0, Reals{} + x[i]);
    for (std::size_t r = 0; r < 2; ++r)
        for (std::size_t j = 0; j < kSize; ++j) {
            all.low = low[r][j] < all.low ? low[r][j] : all.low;
            all.high = high[r][j] > all.high ? high[r][j] : all.high;
            all.finite = all.finite && wrong[r][j] == 0;
        }
    return all;
}

// Adding this number and taking it away rounds half to even, below 2**51.
constexpr double kRounding = 6755399441055744.0;  // 1.5 * 2**52
constexpr double kLarge = 1 << 20;                // so large a quotient is clipped, wherever the zero point is

template <bool kEach, class Real>
bool quantise(const Real *x, std::size_t count, const double *scale, const double *zero, double low, double high,
              std::uint8_t *q) {
    using Doubles = Register<double>::type;
    Chunk<Real> values;
    typename Register<Real>::type wrong{};
    Chunk<double> numbers, zeros;
    zeros.load(zero, 0, zero[0]);
    for (std::size_t i = 0; i < count; i += kChunk) {
        const std::size_t size = count - i < kChunk ? count - i : kChunk;
        values.load(x + i, size, 0);
        for (const auto &some : values.registers) wrong += some - some;

        Real plain[kChunk];
        double quotients[kChunk];
        __builtin_memcpy(plain, values.registers, sizeof plain);
        if (kEach) {
            for (std::size_t j = 0; j < size; ++j) quotients[j] = static_cast<double>(plain[j]) / scale[i + j];
            for (std::size_t j = size; j < kChunk; ++j) quotients[j] = 0;
            zeros.load(zero + i, size, 0);
        } else {
            for (std::size_t j = 0; j < kChunk; ++j) quotients[j] = static_cast<double>(plain[j]) / *scale;
        }
        numbers.load(quotients, kChunk, 0);
        for (std::size_t r = 0; r < Chunk<double>::kRegisters; ++r) {
            const Doubles least = Doubles{} - kLarge, most = Doubles{} + kLarge;
            const Doubles lowest = Doubles{} + low, highest = Doubles{} + high;
            Doubles number = numbers.registers[r];
            number = number < least ? least : number;
            number = number > most ? most : number;
            number = number + kRounding - kRounding + zeros.registers[r];
            number = number < lowest ? lowest : number;
            numbers.registers[r] = number > highest ? highest : number;
        }
        std::int32_t integers[kChunk];
        __builtin_memcpy(quotients, numbers.registers, sizeof quotients);
        for (std::size_t j = 0; j < kChunk; ++j) integers[j] = static_cast<std::int32_t>(quotients[j]);
        if (size == kChunk)
            for (std::size_t j = 0; j < kChunk; ++j) q[i + j] = static_cast<std::uint8_t>(integers[j]);
        else
            for (std::size_t j = 0; j < size; ++j) q[i + j] = static_cast<std::uint8_t>(integers[j]);
    }
    bool finite = true;
    for (std::size_t j = 0; j < Register<Real>::size; ++j) finite = finite && wrong[j] == 0;
    return finite;
}

// The bracket, which is exact: in double as long as sums are int32, because then no part of it can reach 2**53.
inline double bracket(std::int32_t sum, double left, double zero, double extra) {
    return static_cast<double>(sum) - left * zero + extra;
}
inline double bracket(std::int64_t sum, double left, double zero, double extra) {
    const auto integer = [](double x) { return static_cast<std::int64_t>(x); };
    return static_cast<double>(sum - integer(left) * integer(zero) + integer(extra));
}

template <bool kBias, class Sum, class Real>
void scale_line(const Sum *sums, const double *left, const Channel &channel, std::size_t count, Real *out) {
    for (std::size_t i = 0; i < count; ++i) {
        double y = bracket(sums[i], left[i], channel.zero, channel.extra) * channel.left_scale * channel.scale;
        if (kBias) y += channel.bias;
        out[i] = static_cast<Real>(y);
    }
}

template <class Sum, class Real>
void scale_plane(const Sum *sums, const double *left, const Channel &channel, std::size_t count, Real *out) {
    if (channel.has_bias)
        scale_line<true>(sums, left, channel, count, out);
    else
        scale_line<false>(sums, left, channel, count, out);
}

template <class Sum, class Real>
void scale_row(const Sum *sums, double left, const double *zero, const double *extra, double left_scale,
               const double *scale, std::size_t count, Real *out) {
    for (std::size_t i = 0; i < count; ++i)
        out[i] = static_cast<Real>(bracket(sums[i], left, zero[i], extra[i]) * left_scale * scale[i]);
}

template <bool kEach, bool kLeft, bool kBias>
void across_line(const Line &line, std::size_t count, float *out) {
    const std::int32_t *const sums = line.sums;
    const double *const corrections = line.corrections, *const left = line.left;
    const double zero = line.zero[0], extra = kEach ? line.extra[0] : line.extra[0] + corrections[0];
    const double left_scale = line.left_scale, scale = line.scale[0], bias = kBias ? line.bias[0] : 0;
    for (std::size_t i = 0; i < count; ++i) {
        double y = static_cast<double>(sums[i]) + extra;
        if (kEach) y += corrections[i];
        if (kLeft) y -= left[i] * zero;
        y = y * left_scale * scale;
        if (kBias) y += bias;
        out[i] = static_cast<float>(y);
    }
}

template <bool kEach, bool kLeft, bool kBias>
void along_line(const Line &line, std::size_t count, float *out) {
    const std::int32_t *const sums = line.sums;
    const double *const corrections = line.corrections, *const scale = line.scale, *const zero = line.zero,
                        *const extra = line.extra, *const bias = line.bias;
    const double left_scale = line.left_scale, left = kLeft ? line.left[0] : 0, correction = kEach ? 0 : corrections[0];
    for (std::size_t i = 0; i < count; ++i) {
        double y = static_cast<double>(sums[i]) + (kEach ? corrections[i] : correction) + extra[i];
        if (kLeft) y -= left * zero[i];
        y = y * left_scale * scale[i];
        if (kBias) y += bias[i];
        out[i] = static_cast<float>(y);
    }
}

template <bool kEach>
void across(const Line &line, std::size_t count, float *out) {
    const bool bias = line.bias != nullptr, left = line.left != nullptr;
    (left   ? bias ? across_line<kEach, true, true> : across_line<kEach, true, false>
     : bias ? across_line<kEach, false, true>
            : across_line<kEach, false, false>)(line, count, out);
}

template <bool kEach>
void along(const Line &line, std::size_t count, float *out) {
    const bool bias = line.bias != nullptr, left = line.left != nullptr;
    (left   ? bias ? along_line<kEach, true, true> : along_line<kEach, true, false>
     : bias ? along_line<kEach, false, true>
            : along_line<kEach, false, false>)(line, count, out);
}

template <class Sum, class Real>
constexpr ScaleKernels<Sum, Real> scale_kernels() {
    return {scale_plane<Sum, Real>, scale_row<Sum, Real>};
}

constexpr QuantiseKernels quantise_kernel_set() {
    return {{across<false>, across<true>, along<false>, along<true>},
            {extremes<float>, quantise<false, float>, quantise<true, float>},
            {extremes<double>, quantise<false, double>, quantise<true, double>},
            scale_kernels<std::int32_t, float>(),
            scale_kernels<std::int32_t, double>(),
            scale_kernels<std::int64_t, float>(),
            scale_kernels<std::int64_t, double>()};
}

}  // namespace
}  // namespace axsim

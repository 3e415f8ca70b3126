#include "lookup/layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/scratch.h"
#include "lookup/depthwise.h"
#include "lookup/left.h"
#include "quantise/quantise.h"
#include "quantise/scaling.h"

namespace axsim {
namespace {

// Kept between calls, by every thread that makes them.
Scratch<std::uint8_t> &byte_scratch(bool second) {
    thread_local Scratch<std::uint8_t> scratch[2];
    return scratch[second];
}

}  // namespace

Quantisation quantisation_of(double least, double most, bool centred, int low, int high) {
    least = std::min(least, 0.0);
    most = std::max(most, 0.0);
    const auto safe = [](double scale) {  // never subnormal: dividing by it must not lose digits or overflow
        return scale == 0 ? 1.0 : std::max(scale, std::numeric_limits<double>::min());
    };
    if (centred) return {safe(std::max(-least, most) / high), 0, -high, high};
    const double levels = high - low, scale = safe(most / levels - least / levels);
    return {scale, std::clamp(std::nearbyint(low - least / scale), double(low), double(high)), low, high};
}

Layer::Layer(const Weights &weights, bool bytes_are_signed, std::vector<double> scale, std::vector<double> zero,
             std::vector<double> bias)
    : weights_(weights), scale_(std::move(scale)), zero_(std::move(zero)), bias_(std::move(bias)) {
    for (std::size_t group = 0; group < weights.groups(); ++group)
        for (std::size_t row = 0; row < weights.rows(); ++row)
            sums_.push_back(weights.sum(group, row, bytes_are_signed));
    centred_ = std::all_of(zero_.begin(), zero_.end(), [](double z) { return z == 0; });
}

// x as the table's left operands: bytes, or int16 from -255 to 255.
struct Layer::Integers {
    const std::uint8_t *bytes;
    std::vector<std::int16_t> numbers;
    bool finite;

    Integers(const float *x, std::size_t count, const Quantisation &by, bool is_signed, int threads)
        : bytes(byte_scratch(false).of(count)), finite(true) {
        const auto run = [&](double scale, double zero, int low, int high, std::uint8_t *to) {
            return quantise(x, 1, Channels{&scale, &zero, 1}, count, low, high, to, threads);
        };
        std::uint8_t *const first = byte_scratch(false).get();
        if (!is_signed) {
            finite = run(by.scale, by.zero, by.low, by.high, first);
            return;
        }
        // Numbers above 0, and those below it: rounding to even is the same for both signs.
        std::uint8_t *const second = byte_scratch(true).of(count);
        finite = run(by.scale, by.zero, 0, by.high, first) && run(-by.scale, -by.zero, 0, -by.low, second);
        numbers.resize(count);
        for (std::size_t i = 0; i < count; ++i) numbers[i] = static_cast<std::int16_t>(first[i] - second[i]);
    }
    bool is_signed() const { return !numbers.empty(); }
};

bool Layer::multiply(const float *x, std::size_t rows, const Quantisation &by, float *out, int threads) const {
    const std::size_t depth = weights_.depth(), columns = weights_.rows();
    const bool is_signed = weights_.table().is_signed(true);
    const Integers q(x, rows * depth, by, is_signed, threads);
    if (!q.finite) return false;
    std::vector<double> extra(columns), left;
    for (std::size_t i = 0; i < columns; ++i) extra[i] = by.zero * (static_cast<double>(depth) * zero_[i] - sums_[i]);
    if (!centred_) {
        left.resize(rows);
        if (is_signed)
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t k = 0; k < depth; ++k) left[r] += q.numbers[r * depth + k];
        else
            sum_bytes(q.bytes, by.low < 0, rows, depth, 1, left.data(), threads);
    }
    const Scaling scaling{by.scale,
                          scale_.data(),
                          zero_.data(),
                          extra.data(),
                          bias_.empty() ? nullptr : bias_.data(),
                          centred_ ? nullptr : left.data(),
                          0,
                          Axis{rows, std::max<std::size_t>(rows, 1), 0, 1}};
    const auto use = [&](const Lookups &problem) { compute(problem, scaling, out, threads); };
    if (is_signed)
        with_rows(weights_, q.numbers.data(), rows, use);
    else
        with_rows(weights_, q.bytes, rows, use);
    return true;
}

bool Layer::convolve(const float *x, const ConvShape &shape, const Quantisation &by, float *out, int threads) const {
    const std::size_t groups = weights_.groups(), filters = groups * weights_.rows(), pixels = shape.pixels();
    const std::size_t count = shape.images * shape.channels * shape.height * shape.width;
    const bool is_signed = weights_.table().is_signed(true);
    const Integers q(x, count, by, is_signed, threads);
    if (!q.finite) return false;
    std::vector<double> extra(filters), left;
    for (std::size_t i = 0; i < filters; ++i)
        extra[i] = by.zero * (static_cast<double>(shape.depth()) * zero_[i] - sums_[i]);
    const auto outside = static_cast<int>(by.zero);
    if (!centred_) {
        left.resize(shape.images * groups * pixels);
        if (is_signed) {
            std::vector<double> below(left.size());
            std::vector<std::uint8_t> bytes[2];
            for (int sign = 0; sign < 2; ++sign)
                for (const std::int16_t number : q.numbers)
                    bytes[sign].push_back(static_cast<std::uint8_t>(std::max(sign ? -number : +number, 0)));
            const auto byte = [](int value) { return static_cast<std::uint8_t>(std::max(value, 0)); };
            sum_windows(bytes[0].data(), false, shape, groups, byte(outside), left.data(), threads);
            sum_windows(bytes[1].data(), false, shape, groups, byte(-outside), below.data(), threads);
            for (std::size_t i = 0; i < left.size(); ++i) left[i] -= below[i];
        } else {
            sum_windows(q.bytes, by.low < 0, shape, groups, static_cast<std::uint8_t>(outside), left.data(), threads);
        }
    }
    const Scaling scaling{by.scale,
                          scale_.data(),
                          zero_.data(),
                          extra.data(),
                          bias_.empty() ? nullptr : bias_.data(),
                          centred_ ? nullptr : left.data(),
                          pixels,
                          Axis{shape.images * pixels, std::max<std::size_t>(pixels, 1), groups * pixels, 1}};
    const auto use = [&](const Lookups &problem) { compute(problem, scaling, out, threads); };
    if (is_signed) {
        with_patches(weights_, q.numbers.data(), shape, static_cast<std::int16_t>(outside), use);
        return true;
    }
    const auto byte = static_cast<std::uint8_t>(outside);
    if (!fits_depthwise(weights_.table(), shape, filters)) {
        with_patches(weights_, q.bytes, shape, byte, use);
        return true;
    }
    std::vector<std::int32_t> sums(shape.images * filters * pixels);
    compute_depthwise(weights_.table(), shape, q.bytes, weights_.values(), filters, byte, sums.data(), threads);
    const std::size_t inner = std::max<std::size_t>(pixels, 1), each = weights_.rows();
    const Layout layout{Axis{shape.images * pixels, inner, filters * pixels, 1},
                        Axis{each, std::max<std::size_t>(each, 1), 0, pixels}, groups, each * pixels};
    scale_sums(sums.data(), layout, scaling, out, threads);
    return true;
}

}  // namespace axsim

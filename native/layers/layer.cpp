#include "layers/layer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/scratch.h"
#include "quantise/quantise.h"
#include "quantise/scaling.h"

namespace axsim {
namespace {

// Kept between calls, by every thread that makes them.
Scratch<std::uint8_t> &byte_scratch(bool second) {
    thread_local Scratch<std::uint8_t> scratch[2];
    return scratch[second];
}

Axis plain_axis(std::size_t rows) { return {rows, std::max<std::size_t>(rows, 1), 0, 1}; }

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
    const RightMatrices &right = weights.right();
    for (std::size_t group = 0; group < right.groups; ++group)
        for (std::size_t row = 0; row < right.rows; ++row) sums_.push_back(right.sum(group, row, bytes_are_signed));
    centred_ = std::all_of(zero_.begin(), zero_.end(), [](double z) { return z == 0; });
}

// x as the weights' left operands: bytes, or int16 from -255 to 255.
class Layer::Integers {
  public:
    Integers(const float *x, std::size_t count, const Quantisation &by, bool is_signed, int threads)
        : by_(by), bytes_(byte_scratch(false).of(count)) {
        const auto run = [&](double scale, double zero, int low, int high, std::uint8_t *to) {
            return quantise(x, 1, Channels{&scale, &zero, 1}, count, low, high, to, threads);
        };
        if (!is_signed) {
            finite_ = run(by.scale, by.zero, by.low, by.high, bytes_);
            return;
        }
        // Numbers above 0, and those below it: rounding to even is the same for both signs.
        below_ = byte_scratch(true).of(count);
        finite_ = run(by.scale, by.zero, 0, by.high, bytes_) && run(-by.scale, -by.zero, 0, -by.low, below_);
        numbers_.resize(count);
        for (std::size_t i = 0; i < count; ++i) numbers_[i] = static_cast<std::int16_t>(bytes_[i] - below_[i]);
    }

    bool finite() const { return finite_; }
    LeftNumbers all() const { return {bytes_, below_ == nullptr ? nullptr : numbers_.data()}; }

    // The sum of each row.
    std::vector<double> row_sums(std::size_t rows, std::size_t depth, int threads) const {
        return summed(rows, [&](const std::uint8_t *bytes, bool, double *sums) {
            sum_bytes(bytes, int8(), rows, depth, 1, sums, threads);
        });
    }
    // The sum of what each window sees, for each group.
    std::vector<double> window_sums(const ConvShape &shape, std::size_t groups, int threads) const {
        return summed(shape.images * groups * shape.pixels(), [&](const std::uint8_t *bytes, bool below, double *sums) {
            const auto zero = static_cast<int>(by_.zero);
            const int outside = below_ == nullptr ? zero : std::max(below ? -zero : zero, 0);
            sum_windows(bytes, int8(), shape, groups, static_cast<std::uint8_t>(outside), sums, threads);
        });
    }

  private:
    bool int8() const { return below_ == nullptr && by_.low < 0; }

    // run(bytes, whether those below 0, sums): of bytes; of numbers, the sums of those above 0 less of those below.
    template <class Run>
    std::vector<double> summed(std::size_t count, const Run &run) const {
        std::vector<double> sums(count);
        run(bytes_, false, sums.data());
        if (below_ != nullptr) {
            std::vector<double> below(count);
            run(below_, true, below.data());
            for (std::size_t i = 0; i < count; ++i) sums[i] -= below[i];
        }
        return sums;
    }

    const Quantisation &by_;
    std::uint8_t *bytes_, *below_ = nullptr;
    std::vector<std::int16_t> numbers_;
    bool finite_ = true;
};

template <class Run>
void Layer::with_scaling(const Quantisation &by, std::size_t depth, const std::vector<double> &left,
                         std::size_t left_batch, const Axis &left_axis, const Run &run) const {
    std::vector<double> extra(sums_.size());
    for (std::size_t i = 0; i < extra.size(); ++i)
        extra[i] = by.zero * (static_cast<double>(depth) * zero_[i] - sums_[i]);
    run(Scaling{by.scale, scale_.data(), zero_.data(), extra.data(), bias_.empty() ? nullptr : bias_.data(),
                centred_ ? nullptr : left.data(), left_batch, left_axis});
}

bool Layer::multiply(const float *x, std::size_t rows, const Quantisation &by, float *out, int threads) const {
    const std::size_t depth = weights_.right().depth;
    const Integers q(x, rows * depth, by, weights_.takes_signed(), threads);
    if (!q.finite()) return false;
    const std::vector<double> left = centred_ ? std::vector<double>{} : q.row_sums(rows, depth, threads);
    with_scaling(by, depth, left, 0, plain_axis(rows),
                 [&](const Scaling &scaling) { weights_.multiply(q.all(), rows, ScaledTo{scaling, out}, threads); });
    return true;
}

bool Layer::convolve(const float *x, const ConvShape &shape, const Quantisation &by, float *out, int threads) const {
    const std::size_t groups = weights_.right().groups, pixels = shape.pixels();
    const Integers q(x, shape.images * shape.channels * shape.height * shape.width, by, weights_.takes_signed(),
                     threads);
    if (!q.finite()) return false;
    const std::vector<double> left = centred_ ? std::vector<double>{} : q.window_sums(shape, groups, threads);
    const Axis windows{shape.images * pixels, std::max<std::size_t>(pixels, 1), groups * pixels, 1};
    with_scaling(by, shape.depth(), left, pixels, windows, [&](const Scaling &scaling) {
        weights_.convolve(q.all(), shape, static_cast<int>(by.zero), ScaledTo{scaling, out}, threads);
    });
    return true;
}

}  // namespace axsim

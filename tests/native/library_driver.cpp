// Computes with all of native/ but its Python bindings, from several threads at once, with the kernels that AXSIM_ISA
// or the processor chooses, and compares with plain loops.
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "factored/kernels.h"
#include "factored/sums.h"
#include "floating/sums.h"
#include "lookup/depthwise.h"
#include "lookup/kernels.h"
#include "lookup/sums.h"
#include "quantise/quantise.h"
#include "weighted/sums.h"

namespace {

using axsim::kSide;

constexpr int kCallers = 4, kRounds = 3;
struct Shape {
    std::size_t m, k, n;
};
// Work for four threads, who share out rows and columns; and work of which there is none without sharing out terms.
constexpr Shape kWide{110, 100, 90}, kDeep{4, 30000, 9};
constexpr int kThreads[] = {1, 2, 3, 5};
const std::int64_t kOnly = 0;

std::mt19937 bits(1);  // the same numbers every time

int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(bits); }

std::vector<std::uint8_t> random_bytes(std::size_t count) {
    std::vector<std::uint8_t> bytes(count);
    for (std::uint8_t &byte : bytes) byte = static_cast<std::uint8_t>(between(0, 255));
    return bytes;
}

void require(bool right, const char *what, int threads) {
    if (right) return;
    std::printf("%s is wrong on %d threads\n", what, threads);
    std::exit(1);
}

// The sums over k of term(a[i, k], b[k, j]).
template <class Sum, class Term>
std::vector<Sum> plain_sums(const Shape &shape, const Term &term) {
    std::vector<Sum> sums(shape.m * shape.n);
    for (std::size_t i = 0; i < shape.m; ++i)
        for (std::size_t k = 0; k < shape.k; ++k)
            for (std::size_t j = 0; j < shape.n; ++j) sums[i * shape.n + j] += term(i * shape.k + k, k * shape.n + j);
    return sums;
}

axsim::Axis row_axis(const Shape &shape) { return {shape.m, shape.m, 0, shape.n}; }
axsim::Axis column_axis(const Shape &shape) { return {shape.n, shape.n, 0, 1}; }

class Matrices {
  public:
    explicit Matrices(const Shape &shape)
        : shape_(shape), a_(random_bytes(shape.m * shape.k)), b_(random_bytes(shape.k * shape.n)) {}

    std::uint8_t a(std::size_t i) const { return a_[i]; }
    std::uint8_t b(std::size_t i) const { return b_[i]; }
    template <class Use>
    void product(const Use &use) const {
        const axsim::MatrixOperand<std::uint8_t> left(a_.data(), &kOnly, a_.size(), shape_.k, 1),
            right(b_.data(), &kOnly, b_.size(), 1, shape_.n);
        use(axsim::Product<std::uint8_t>{left, right, row_axis(shape_), column_axis(shape_), 1, shape_.m * shape_.n,
                                         shape_.k});
    }

  private:
    Shape shape_;
    std::vector<std::uint8_t> a_, b_;
};

class Lookups {
  public:
    Lookups(const Shape &shape, int least, int most) : matrices_(shape), values_(kSide * kSide) {
        for (std::int32_t &value : values_) value = between(least, most);
        values_[0] = least;
        values_[1] = most;
        table_ = std::make_unique<axsim::Table>(values_.data());
        expected_ = plain_sums<std::int64_t>(
            shape, [&](std::size_t i, std::size_t j) { return values_[matrices_.a(i) * kSide + matrices_.b(j)]; });
    }
    void check(int threads) const {
        std::vector<std::int64_t> out(expected_.size());
        matrices_.product([&](const axsim::Product<std::uint8_t> &product) {
            axsim::compute(product, *table_, out.data(), threads);
        });
        require(out == expected_, "a product by look-ups", threads);
    }

  private:
    Matrices matrices_;
    std::vector<std::int32_t> values_;
    std::unique_ptr<axsim::Table> table_;
    std::vector<std::int64_t> expected_;
};

class Factored {
  public:
    Factored() : matrices_(kWide) {
        std::int16_t left[kSide], right[kSide];
        for (std::size_t i = 0; i < kSide; ++i) {
            left[i] = static_cast<std::int16_t>(between(-300, 300));
            right[i] = static_cast<std::int16_t>(between(-200, 200));
        }
        axsim::GemmPart part{false, 0, INT32_MAX / (300 * 200), {}, {}};
        part.left.emplace_back(left, kSide, false, true);
        part.right.emplace_back(right, kSide, false, false);
        factors_.byte_sums = axsim::gemm_kernels().byte_sums;
        factors_.parts.push_back(part);
        expected_ = plain_sums<std::int64_t>(
            kWide, [&](std::size_t i, std::size_t j) { return left[matrices_.a(i)] * right[matrices_.b(j)]; });
    }
    void check(int threads) const {
        std::vector<std::int64_t> out(expected_.size());
        matrices_.product([&](const axsim::Product<std::uint8_t> &product) {
            axsim::multiply(product, factors_, out.data(), threads);
        });
        require(out == expected_, "a factored product", threads);
    }

  private:
    Matrices matrices_;
    axsim::GemmFactors factors_;
    std::vector<std::int64_t> expected_;
};

class Depthwise {
  public:
    Depthwise() : values_(kSide * kSide), x_(random_bytes(kChannels * kSize * kSize)), w_(random_bytes(kChannels * 9)) {
        for (std::int32_t &value : values_) value = between(0, 65535);
        table_ = std::make_unique<axsim::Table>(values_.data());
        for (std::size_t c = 0; c < kChannels; ++c)
            for (std::size_t oy = 0; oy < kSize; ++oy)
                for (std::size_t ox = 0; ox < kSize; ++ox) {
                    std::int32_t sum = 0;
                    for (std::size_t ky = 0; ky < 3; ++ky)
                        for (std::size_t kx = 0; kx < 3; ++kx)
                            sum += values_[pixel(c, oy + ky, ox + kx) * kSide + w_[c * 9 + ky * 3 + kx]];
                    expected_.push_back(sum);
                }
    }
    void check(int threads) const {
        const axsim::ConvShape shape{1, kChannels, kSize, kSize, 1, 3, 3, kSize, kSize, 1, 1, 1, 1, 1, 1};
        std::vector<std::int32_t> out(expected_.size());
        const std::vector<std::uint16_t> columns(w_.begin(), w_.end());
        axsim::compute_depthwise(*table_, shape, x_.data(), columns.data(), kChannels, kPad, out.data(), threads);
        require(axsim::fits_depthwise(*table_, shape, kChannels) && out == expected_, "a depthwise convolution",
                threads);
    }

  private:
    static constexpr std::size_t kChannels = 9, kSize = 61;
    static constexpr std::uint8_t kPad = 7;

    std::uint8_t pixel(std::size_t c, std::size_t y, std::size_t x) const {  // y and x count from the padding
        const bool inside = y >= 1 && y <= kSize && x >= 1 && x <= kSize;
        return inside ? x_[(c * kSize + y - 1) * kSize + x - 1] : kPad;
    }

    std::vector<std::int32_t> values_, expected_;
    std::vector<std::uint8_t> x_, w_;
    std::unique_ptr<axsim::Table> table_;
};

class Quantise {
  public:
    Quantise() {
        for (std::size_t i = 0; i < kCount; ++i) {
            x_.push_back(static_cast<float>(between(-1000, 1000)) / 7.0F);
            const double q = std::nearbyint(static_cast<double>(x_[i]) / kScale) + kZero;
            expected_.push_back(static_cast<std::uint8_t>(q < 0 ? 0 : q > 255 ? 255 : q));
            sum_ += expected_[i];
        }
    }
    void check(int threads) const {
        const axsim::Extremes<float> ends = axsim::extremes(x_.data(), x_.size(), threads);
        require(ends.finite && ends.low == -1000.0F / 7.0F && ends.high == 1000.0F / 7.0F, "a range", threads);
        std::vector<std::uint8_t> q(x_.size());
        const double scale = kScale, zero = kZero;
        const bool finite = axsim::quantise(x_.data(), 1, {&scale, &zero, 1}, x_.size(), 0, 255, q.data(), threads);
        require(finite && q == expected_, "quantisation", threads);
        double sum = 0;
        axsim::sum_bytes(q.data(), false, 1, q.size(), 1, &sum, threads);
        require(sum == sum_, "a sum of bytes", threads);
    }

  private:
    static constexpr std::size_t kCount = 300000;
    static constexpr double kScale = 1.25, kZero = 117;

    std::vector<float> x_;
    std::vector<std::uint8_t> expected_;
    double sum_ = 0;
};

// Exact products of whole numbers, through a masked form and through a table of segments.
class Floats {
  public:
    Floats() {
        std::vector<std::uint32_t> table(kSide * kSide);
        for (std::uint32_t i = 0; i < table.size(); ++i) table[i] = i / kSide * (i % kSide);
        for (std::size_t i = 0; i < kWide.m * kWide.k; ++i) a_.push_back(static_cast<float>(between(-255, 255)));
        for (std::size_t i = 0; i < kWide.k * kWide.n; ++i) b_.push_back(static_cast<float>(between(-255, 255)));
        const double most = 0x1p24 - 1;
        const axsim::floating::Rules rules{23,       false,    false,   false,  axsim::floating::Underflow::gradual,
                                           0x1p-149, 0x1p-126, FLT_MAX, 0x1p46, most * most};
        multipliers_.emplace_back(rules, std::vector<axsim::floating::FormTerm>{{1, 0xFFFFFF, 0xFFFFFF}});
        multipliers_.emplace_back(rules, table.data());
        expected_ =
            plain_sums<double>(kWide, [&](std::size_t i, std::size_t j) { return double{a_[i]} * double{b_[j]}; });
    }
    void check(int threads) const {
        const axsim::MatrixOperand<float> left(a_.data(), &kOnly, a_.size(), kWide.k, 1),
            right(b_.data(), &kOnly, b_.size(), 1, kWide.n);
        const axsim::Axis rows = row_axis(kWide), columns = column_axis(kWide);
        for (const axsim::floating::Multiplier &multiplier : multipliers_) {
            std::vector<double> out(expected_.size());
            const axsim::Product<float> product{left, right, rows, columns, 1, out.size(), kWide.k};
            axsim::floating::compute({product, multiplier, nullptr}, {out.data(), nullptr, nullptr}, threads);
            require(out == expected_, "a product of floats", threads);
        }
    }

  private:
    std::vector<float> a_, b_;
    std::vector<axsim::floating::Multiplier> multipliers_;
    std::vector<double> expected_;
};

// Small whole numbers: their sums are exact.
class Weighted {
  public:
    Weighted() {
        for (std::size_t i = 0; i < kWide.m; ++i) rows_.push_back(static_cast<std::int64_t>(i * kWide.k));
        for (std::size_t i = 0; i < kWide.k; ++i) terms_.push_back(static_cast<std::int64_t>(i));
        for (std::size_t i = 0; i < kValues * kValues; ++i) table_.push_back(static_cast<float>(between(-9, 9)));
        for (std::size_t i = 0; i < kWide.m * kWide.k; ++i) a_.push_back(value());
        for (std::size_t i = 0; i < kWide.k * kWide.n; ++i) b_.push_back(value());
        g_.resize(kWide.m * problem().width());
        left_.resize(a_.size());
        right_.resize(b_.size());
        for (std::size_t i = 0; i < kWide.m; ++i)
            for (std::size_t j = 0; j < kWide.n; ++j) {
                const float g = g_[i * problem().width() + j] = static_cast<float>(between(-9, 9));
                for (std::size_t k = 0; k < kWide.k; ++k) {
                    const float entry = table_[a_[i * kWide.k + k] * kValues + b_[k * kWide.n + j]];
                    left_[i * kWide.k + k] += g * entry;
                    right_[k * kWide.n + j] += g * entry;
                }
            }
    }
    void check(int threads) const {
        std::vector<float> left(left_.size()), right(right_.size());
        axsim::weighted::sum_left(problem(), left.data(), threads);
        axsim::weighted::sum_right(problem(), right.data(), threads);
        require(left == left_ && right == right_, "a weighted sum", threads);
    }

  private:
    static constexpr std::size_t kValues = 37;

    static std::uint16_t value() { return static_cast<std::uint16_t>(between(0, kValues - 1)); }
    axsim::weighted::Problem problem() const {
        return {table_.data(), kValues,   kValues, {a_.data(), &kOnly, rows_.data(), terms_.data(), 1, 1},
                b_.data(),     g_.data(), nullptr, 1,
                kWide.m,       kWide.k,   kWide.n};
    }

    std::vector<std::int64_t> rows_, terms_;
    std::vector<float> table_, g_, left_, right_;
    std::vector<std::uint16_t> a_, b_;
};

}  // namespace

int main() {
    const Lookups narrow(kWide, 0, 65535), wide(kWide, -65535, 65535), deep(kDeep, 0, 65535);
    const Factored factored;
    const Depthwise depthwise;
    const Quantise quantise;
    const Floats floats;
    const Weighted weighted;
    const auto call = [&](int caller) {
        for (int round = 0; round < kRounds; ++round) {
            const int threads = kThreads[(caller + round) % 4];
            narrow.check(threads);
            wide.check(threads);
            deep.check(threads);
            factored.check(threads);
            depthwise.check(threads);
            quantise.check(threads);
            floats.check(threads);
            weighted.check(threads);
        }
    };
    std::vector<std::thread> callers;
    for (int caller = 0; caller < kCallers; ++caller) callers.emplace_back(call, caller);
    for (std::thread &caller : callers) caller.join();
    std::printf("%s and %s: all is right\n", axsim::kernels().name, axsim::gemm_kernels().name);
}

#include "floating/weights.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "common/operand.h"
#include "floating/plan.h"

namespace axsim::floating {
namespace {

// Larger ones are made in every call: reading them from memory would take as long.
constexpr std::size_t kMostStreams = 48U << 20;

std::size_t doubles(const Multiplier &multiplier, std::size_t rows, std::size_t depth) {
    return rows * depth * static_cast<std::size_t>(multiplier.terms() + 1);
}

// The block's rows as panels of columns.
void split_columns(const Multiplier &multiplier, const Kernels &kernels, bool left, const Operand<float> &operand,
                   const Block &block, std::vector<float> &floats, Streams::Block &to) {
    const std::size_t width = kernels.columns, panels = block.width / width;
    to.streams.resize(doubles(multiplier, block.width, block.depth));
    to.ranges.assign(panels, Range{});
    floats.resize(block.depth * block.width);
    pack(multiplier, kernels, operand, block, floats.data());
    for (std::size_t panel = 0; panel < panels; ++panel)
        kernels.split_columns(multiplier.side(left), multiplier.rules(), &floats[panel * width], block.width,
                              block.depth, &to.streams[doubles(multiplier, panel * width, block.depth)],
                              to.ranges[panel]);
}

}  // namespace

struct Weights::Made {
    const Kernels &kernels;
    bool as_rows;
    Streams streams;
    const Made *before;
};

Weights::Weights(const Multiplier &multiplier, std::vector<float> values, const RightShape &right)
    : multiplier_(multiplier), values_(std::move(values)), right_(right) {}

Weights::~Weights() {
    for (const Made *made = made_.load(); made != nullptr;) delete std::exchange(made, made->before);
}

const Streams *Weights::streams(const Kernels &kernels, bool as_rows) const {
    if (multiplier_.segments() > 0 || right_.depth == 0) return nullptr;
    const Made *newest = made_.load(std::memory_order_acquire);
    for (const Made *made = newest; made != nullptr; made = made->before)
        if (&made->kernels == &kernels && made->as_rows == as_rows) return &made->streams;
    const std::size_t padded = as_rows ? right_.rows : round_up(right_.rows, kernels.columns);
    if (right_.groups * doubles(multiplier_, padded, right_.depth) * sizeof(double) > kMostStreams) return nullptr;

    Streams all{{}, ceil_div(right_.depth, kDepth)};
    all.blocks.resize(right_.groups * all.each);
    std::vector<float> floats;
    for (std::size_t group = 0; group < right_.groups; ++group) {
        const auto index = static_cast<std::int64_t>(group);
        const MatrixOperand<float> operand(values_.data(), &index, right_.size(), right_.row_stride, right_.k_stride);
        for (std::size_t i = 0; i < all.each; ++i) {
            const std::size_t k = i * kDepth, depth = std::min(kDepth, right_.depth - k);
            const Block whole{0, 0, right_.rows, k, depth, padded};
            (as_rows ? split_rows : split_columns)(multiplier_, kernels, false, operand, whole, floats,
                                                   all.blocks[group * all.each + i]);
        }
    }
    // Another thread may make the same: then there are two, and both are right.
    auto mine = std::make_unique<Made>(Made{kernels, as_rows, std::move(all), newest});
    while (!made_.compare_exchange_weak(mine->before, mine.get(), std::memory_order_acq_rel)) {
    }
    return &mine.release()->streams;
}

}  // namespace axsim::floating

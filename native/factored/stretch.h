// Some rows of one side of a product, expanded as kernels read them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/arithmetic.h"
#include "common/operand.h"
#include "common/scratch.h"
#include "factored/kernels.h"

namespace axsim {

// Steps that `depth` operand pairs take.
inline std::size_t steps(const GemmPart &part, std::size_t depth) {
    return ceil_div(depth, Panel::kGroup) * part.terms() * (part.bytes ? 1 : 2);
}

// What a kernel's vectors take up at a time: about a first-level cache.
constexpr std::size_t kPanelBytes = 32U << 10;

// How many of `depth` terms are expanded and multiplied at a time.
inline std::size_t piece_of(const GemmFactors &factors, const GemmKernels &kernels, std::size_t depth) {
    std::size_t most = depth, steps_per_group = 0;
    for (const GemmPart &part : factors.parts) {
        if (!part.bytes || kernels.byte_sums == INT32_MAX) most = std::min(most, part.depth);
        steps_per_group = std::max(steps_per_group, steps(part, Panel::kGroup));
    }
    // (As 16-bit sums of bytes are emptied in time, such a piece never fills 32 bits.)
    const std::size_t fit = kPanelBytes / sizeof(std::uint32_t) / kernels.columns;
    most = std::min(most, std::max<std::size_t>(fit / std::max<std::size_t>(steps_per_group, 1), 1) * Panel::kGroup);
    const std::size_t equal = ceil_div(depth, ceil_div(depth, most));
    return std::min(most, round_up(equal, Panel::kGroup));
}

// A piece of some rows: what they expand to, `width` rows side by side, and what each row adds by itself.
class Stretch {
  public:
    template <class T>
    void take(const Operand<T> &operand, const Block &block, const GemmFactors &factors, bool left,
              const GemmKernels &kernels, std::size_t width) {
        size_ = block.rows, depth_ = block.depth;
        auto *const packed = reinterpret_cast<T *>(packed_.of(Panel::size(size_, depth_) * sizeof(T)));
        operand.pack(block, packed);
        add_up(left ? factors.left_sums : factors.right_sums, packed);
        expanded_.resize(factors.parts.size());
        for (std::size_t i = 0; i < factors.parts.size(); ++i) {
            const GemmPart &part = factors.parts[i];
            const std::size_t panel = width * steps(part, depth_);
            std::uint32_t *const to = expanded_[i].of(ceil_div(size_, width) * panel);
            const GemmExpand<T> run = part.bytes ? kernels.expands<T>().bytes : kernels.expands<T>().words;
            const Component *const components = (left ? part.left : part.right).data();
            for (std::size_t row = 0; row < size_; row += width)
                run(components, part.terms(), packed + row * Panel::kGroup, size_, std::min(width, size_ - row), depth_,
                    to + row / width * panel, width);
        }
    }
    // Gives back what only `take` needs.
    void settle() { packed_ = {}; }

    std::size_t size() const { return size_; }
    std::size_t depth() const { return depth_; }
    // The expanded rows from `row` on, a multiple of the width.
    const std::uint32_t *at(std::size_t part, std::size_t row, std::size_t steps) const {
        return expanded_[part].get() + row * steps;
    }
    const std::int64_t *sums(std::size_t row) const { return sums_.data() + row; }

  private:
    template <class T>
    void add_up(const std::vector<std::int64_t> &sums, const T *operands) {
        sums_.assign(size_, 0);
        if (sums.empty()) return;
        const std::int64_t *const of = sums.data();
        std::size_t k = 0;
        for (; k + Panel::kGroup <= depth_; k += Panel::kGroup)
            for (std::size_t row = 0; row < size_; ++row, operands += Panel::kGroup)
                sums_[row] += of[operands[0]] + of[operands[1]] + of[operands[2]] + of[operands[3]];
        for (std::size_t row = 0; row < size_; ++row, operands += Panel::kGroup)
            for (std::size_t t = 0; t < depth_ - k; ++t) sums_[row] += of[operands[t]];
    }

    Scratch<std::uint8_t> packed_;
    std::vector<Scratch<std::uint32_t>> expanded_;  // of each part
    std::vector<std::int64_t> sums_;
    std::size_t size_ = 0, depth_ = 0;
};

}  // namespace axsim

// A right operand that is prepared once: rounded to the format and split into the streams that kernels read.
#pragma once
#include <atomic>
#include <cstddef>
#include <vector>

#include "common/right.h"
#include "floating/kernels.h"
#include "floating/multiplier.h"

namespace axsim::floating {

constexpr std::size_t kDepth = 96;  // terms packed at a time: a panel of columns stays in the L1 cache

// The rows of a part in panels of kRows, and those that are left over one by one.
class RowPanels {
  public:
    explicit RowPanels(std::size_t rows) : tall_(rows / kRows), flat_(rows % kRows) {}
    std::size_t size() const { return tall_ + flat_; }
    std::size_t rows(std::size_t panel) const { return panel < tall_ ? kRows : 1; }
    std::size_t first(std::size_t panel) const { return panel < tall_ ? panel * kRows : panel + tall_ * (kRows - 1); }

  private:
    std::size_t tall_, flat_;
};

// Streams of all rows of one side as panels of `width` columns, or as RowPanels, kDepth terms after the other.
struct Streams {
    struct Block {  // of kDepth terms of a matrix
        std::vector<double> streams;
        std::vector<Range> ranges;  // one for each panel
    };
    std::vector<Block> blocks;  // [batch][k / kDepth]
    std::size_t each;           // blocks of a matrix

    const Block &at(std::size_t batch, std::size_t k) const { return blocks[batch * each + k / kDepth]; }
};

// Weights for one multiplier, immutable. Streams are made when first asked for, by whichever thread comes first,
// without a lock that a forked child could find held.
class Weights {
  public:
    Weights(const Multiplier &multiplier, std::vector<float> values, const RightShape &right);
    ~Weights();
    Weights(const Weights &) = delete;
    Weights &operator=(const Weights &) = delete;

    const Multiplier &multiplier() const { return multiplier_; }
    const float *values() const { return values_.data(); }
    const RightShape &right() const { return right_; }

    // nullptr where kernels do not read streams whole, or they would take too much memory.
    const Streams *streams(const Kernels &kernels, bool as_rows) const;

  private:
    struct Made;  // streams, and those that were made before them

    const Multiplier &multiplier_;
    std::vector<float> values_;
    RightShape right_;
    mutable std::atomic<const Made *> made_{nullptr};
};

}  // namespace axsim::floating

// Sums of products through masked forms.
#include <algorithm>
#include <array>

#include "floating/plan.h"

namespace axsim::floating {
namespace {

constexpr std::size_t kDepth = 96;        // terms packed at a time: a panel of columns stays in the L1 cache
constexpr std::size_t kMostColumns = 16;  // of a tile in any set of kernels

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

void pack_rows(const Plan &plan, const Part &part, std::size_t k, std::size_t depth, FormScratch &scratch) {
    const RowPanels panels(part.rows);
    scratch.row_ranges.assign(panels.size(), Range{});
    for (std::size_t panel = 0; panel < panels.size(); ++panel) {
        const std::size_t row = panels.first(panel), rows = panels.rows(panel);
        const Split split = rows > 1 ? plan.kernels.split_rows : plan.kernels.split_row;
        pack(plan, plan.rows, {part.batch, part.row + row, rows, k, depth, rows}, scratch.floats.data());
        split(plan.row_side(), plan.problem.multiplier.rules(), scratch.floats.data(), depth,
              &scratch.row_streams[row * scratch.row_stride], scratch.row_ranges[panel]);
    }
}

Tile choose_tile(const Plan &plan, std::size_t rows, const Range &row_range, const Range &column_range) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const bool normal = always_normal(multiplier.rules(), row_range, column_range);
    const auto kind = static_cast<std::size_t>(normal ? multiplier.fast() : Kind::checked);
    return (rows > 1 ? plan.kernels.tall : plan.kernels.flat)[kind][multiplier.terms() - 1];
}

}  // namespace

void compute_form_part(const Plan &plan, const Part &part, FormScratch &scratch, double *out) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const RowPanels panels(part.rows);
    const std::size_t width = plan.kernels.columns;
    scratch.row_stride = static_cast<std::size_t>(multiplier.terms() + 1) * kDepth;
    scratch.floats.resize(kDepth * std::max<std::size_t>(width, kRows));
    scratch.row_streams.resize(part.rows * scratch.row_stride);
    scratch.column_streams.resize(width * scratch.row_stride);

    for (std::size_t k = 0; k < plan.problem.depth; k += kDepth) {
        const std::size_t depth = std::min(kDepth, plan.problem.depth - k);
        pack_rows(plan, part, k, depth, scratch);
        for (std::size_t c = 0; c < part.columns; c += width) {
            const std::size_t column = part.column + c, columns = std::min(width, part.columns - c);
            Range range;
            pack(plan, plan.columns, {part.batch, column, columns, k, depth, width}, scratch.floats.data());
            plan.kernels.split_columns(plan.column_side(), multiplier.rules(), scratch.floats.data(), depth,
                                       scratch.column_streams.data(), range);
            for (std::size_t panel = 0; panel < panels.size(); ++panel) {
                const std::size_t row = panels.first(panel), rows = panels.rows(panel);
                std::array<double, kRows * kMostColumns> sums{};
                if (k > 0) read_sums(plan, part.row + row, rows, column, columns, width, sums.data(), out);
                const Tile tile = choose_tile(plan, rows, scratch.row_ranges[panel], range);
                tile(multiplier.rules(), &scratch.row_streams[row * scratch.row_stride], scratch.column_streams.data(),
                     depth, sums.data());
                write_sums(plan, part.row + row, rows, column, columns, width, sums.data(), out);
            }
        }
    }
}

}  // namespace axsim::floating

// Sums of products through masked forms.
#include <algorithm>

#include "floating/plan.h"

namespace axsim::floating {
namespace {

// Streams of a block of terms: those that were made before, or those of the part, made now.
struct Source {
    const double *streams;
    const Range *ranges;
    std::size_t row, panel;  // the first of the part
};

Source row_source(const Plan &plan, const Part &part, std::size_t k, std::size_t depth, FormScratch &scratch) {
    if (plan.row_streams != nullptr) {
        const Streams::Block &made = plan.row_streams->at(part.batch, k);
        return {made.streams.data(), made.ranges.data(), part.row, part.row / kRows};
    }
    split_rows(plan.problem.multiplier, plan.kernels, plan.left_rows, plan.rows,
               {part.batch, part.row, part.rows, k, depth, part.rows}, scratch.floats, scratch.rows);
    return {scratch.rows.streams.data(), scratch.rows.ranges.data(), 0, 0};
}

Tile choose_tile(const Plan &plan, std::size_t rows, const Range &row_range, const Range &column_range) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const bool normal = always_normal(multiplier.rules(), row_range, column_range);
    const auto kind = static_cast<std::size_t>(normal ? multiplier.fast() : Kind::checked);
    return (rows > 1 ? plan.kernels.tall : plan.kernels.flat)[kind][multiplier.terms() - 1];
}

}  // namespace

void split_rows(const Multiplier &multiplier, const Kernels &kernels, bool left, const Operand<float> &operand,
                const Block &block, std::vector<float> &floats, Streams::Block &to) {
    const RowPanels panels(block.rows);
    const auto streams = static_cast<std::size_t>(multiplier.terms() + 1);
    to.streams.resize(block.rows * block.depth * streams);
    to.ranges.assign(panels.size(), Range{});
    floats.resize(round_up(block.depth * kRows, kernels.columns));
    for (std::size_t panel = 0; panel < panels.size(); ++panel) {
        const std::size_t row = panels.first(panel), rows = panels.rows(panel);
        pack(multiplier, kernels, operand, {block.batch, block.row + row, rows, block.k, block.depth, rows},
             floats.data());
        (rows > 1 ? kernels.split_rows : kernels.split_row)(multiplier.side(left), multiplier.rules(), floats.data(),
                                                            rows, block.depth, &to.streams[row * block.depth * streams],
                                                            to.ranges[panel]);
    }
}

void compute_form_part(const Plan &plan, const Part &part, FormScratch &scratch) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const RowPanels panels(part.rows);
    const std::size_t width = plan.kernels.columns, padded = round_up(part.columns, width);
    const auto streams = static_cast<std::size_t>(multiplier.terms() + 1);
    scratch.column_streams.resize(width * kDepth * streams);
    // Those of a panel's rows and `width` columns lie together, [row][column].
    scratch.sums.assign(part.rows * padded, 0.0);
    const auto sums = [&](std::size_t panel, std::size_t c) {
        return &scratch.sums[panels.first(panel) * padded + c * panels.rows(panel)];
    };

    for (std::size_t k = 0; k < plan.problem.depth; k += kDepth) {
        const std::size_t depth = std::min(kDepth, plan.problem.depth - k);
        const Source rows = row_source(plan, part, k, depth, scratch);
        const Streams::Block *made = plan.column_streams ? &plan.column_streams->at(part.batch, k) : nullptr;
        if (made == nullptr) {
            scratch.floats.resize(depth * padded);
            pack(multiplier, plan.kernels, plan.columns, {part.batch, part.column, part.columns, k, depth, padded},
                 scratch.floats.data());
        }
        for (std::size_t c = 0; c < part.columns; c += width) {
            const double *columns = scratch.column_streams.data();
            Range range;
            if (made != nullptr) {
                const std::size_t panel = (part.column + c) / width;
                columns = &made->streams[panel * width * depth * streams];
                range = made->ranges[panel];
            } else {
                plan.kernels.split_columns(multiplier.side(!plan.left_rows), multiplier.rules(), &scratch.floats[c],
                                           padded, depth, scratch.column_streams.data(), range);
            }
            for (std::size_t panel = 0; panel < panels.size(); ++panel) {
                const Tile tile = choose_tile(plan, panels.rows(panel), rows.ranges[rows.panel + panel], range);
                tile(multiplier.rules(), rows.streams + (rows.row + panels.first(panel)) * depth * streams, columns,
                     depth, sums(panel, c));
            }
        }
    }
    for (std::size_t panel = 0; panel < panels.size(); ++panel)
        for (std::size_t c = 0; c < part.columns; c += width)
            write_sums(plan, part.batch, part.row + panels.first(panel), panels.rows(panel), part.column + c,
                       std::min(width, part.columns - c), width, sums(panel, c));
}

}  // namespace axsim::floating

// How an output is cut into parts, and which side of the product is which.
#pragma once
#include <cstddef>
#include <vector>

#include "common/arithmetic.h"
#include "floating/sums.h"
#include "floating/weights.h"

namespace axsim::floating {

// Which side is rows and which columns, and how the output is cut. The longer side is columns: they share what is
// prepared for a row.
struct Plan {
    const Problem &problem;
    const Kernels &kernels;
    bool left_rows;
    const Operand<float> &rows, &columns;
    Axis row_axis, column_axis;
    const Streams *row_streams, *column_streams;  // those that were made before, or nullptr
    Result result;
    std::size_t tile_rows, tile_columns, row_tiles, column_tiles;
    int workers;

    std::size_t tiles() const { return problem.batch * row_tiles * column_tiles; }
    const Side &row_side() const { return problem.multiplier.side(left_rows); }
    const Side &column_side() const { return problem.multiplier.side(!left_rows); }
};

Plan make_plan(const Problem &problem, const Result &result, int threads);

// Workers, up to `threads`, that so many products are worth.
int worthwhile_workers(double products, int threads);

// The part of the output that a task computes.
struct Part {
    std::size_t batch, row, rows, column, columns;
};

Part part(const Plan &plan, std::size_t task);

// The block as the multiplier takes it: rounded to its format. The panel has room for a multiple of Kernels::columns.
void pack(const Multiplier &multiplier, const Kernels &kernels, const Operand<float> &operand, const Block &block,
          float *panel);

// The block's rows as RowPanels of streams. `floats` is memory to be reused.
void split_rows(const Multiplier &multiplier, const Kernels &kernels, bool left, const Operand<float> &operand,
                const Block &block, std::vector<float> &floats, Streams::Block &to);

// Writes sums[rows][width] where the plan wants its results; columns beyond `count` are not there.
void write_sums(const Plan &plan, std::size_t batch, std::size_t row, std::size_t rows, std::size_t column,
                std::size_t count, std::size_t width, const double *sums);

// Memory that a worker keeps between parts.
struct FormScratch {
    std::vector<float> floats;
    std::vector<double> column_streams, sums;
    Streams::Block rows;
};

// Memory that a worker keeps between parts.
struct SegmentScratch {
    std::vector<float> rows, columns;
    std::vector<double> row_weights, column_weights, sums;
    std::vector<std::uint8_t> column_segments;
    Range column_range;
};

// One part, all terms.
void compute_form_part(const Plan &plan, const Part &part, FormScratch &scratch);
void compute_segment_part(const Plan &plan, const Part &part, SegmentScratch &scratch);

// segments[s * stride + i] = segment s of the significand of x[i]; of a zero anything.
void extract_segments(const Multiplier &multiplier, const float *x, std::size_t count, std::size_t stride,
                      std::uint8_t *segments);

}  // namespace axsim::floating

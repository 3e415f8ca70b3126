#include "floating/plan.h"

#include <algorithm>

namespace axsim::floating {
namespace {

constexpr std::size_t kTileRows = 128;        // rows of a part: once packed they stay in the L2 cache
constexpr std::size_t kTileColumns = 256;     // columns of a part: a packed row is used so often
constexpr std::size_t kSegmentRows = 16;      // the same with tables: sums stay in the L2 cache
constexpr std::size_t kSegmentColumns = 512;  // a row's entries, made from the table, are used so often
constexpr double kProductsPerWorker = 1e6;    // about 0.3 ms, a few times the cost of a thread
constexpr std::size_t kTilesPerWorker = 3;

// Stores numbers `stride` apart, each plus what `more` has for it.
template <class Out, class More>
void store(const double *from, std::size_t count, std::size_t stride, const More &more, Out *to) {
    if (stride == 1)
        for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<Out>(from[i] + more(i));
    else
        for (std::size_t i = 0; i < count; ++i) to[i * stride] = static_cast<Out>(from[i] + more(i));
}

template <class Out>
void write_to(const Plan &plan, const double *bias, std::size_t row, std::size_t rows, std::size_t column,
              std::size_t count, std::size_t width, const double *sums, Out *out) {
    const Axis &axis = plan.column_axis;
    for (std::size_t r = 0; r < rows; ++r, sums += width) {
        Out *line = out + plan.row_axis.offset(row + r);
        for (std::size_t c = 0, run; c < count; c += run) {  // sums that lie at one stride
            run = std::min(count - c, axis.inner - (column + c) % axis.inner);
            const double *const from = sums + c;
            Out *const to = line + axis.offset(column + c);
            if (bias == nullptr)
                store(from, run, axis.stride, [](std::size_t) { return -0.0; }, to);  // changes no number
            else if (plan.left_rows)
                store(from, run, axis.stride, [of = bias + column + c](std::size_t i) { return of[i]; }, to);
            else
                store(from, run, axis.stride, [one = bias[row + r]](std::size_t) { return one; }, to);
        }
    }
}

}  // namespace

int worthwhile_workers(double products, int threads) {
    return static_cast<int>(std::clamp(products / kProductsPerWorker, 1.0, static_cast<double>(std::max(threads, 1))));
}

Plan make_plan(const Problem &p, const Result &result, int threads) {
    const Kernels &set = kernels();
    const bool left_rows = p.left_axis.size <= p.right_axis.size, tables = p.multiplier.segments() > 0;
    const Axis rows = left_rows ? p.left_axis : p.right_axis, columns = left_rows ? p.right_axis : p.left_axis;

    const double products = static_cast<double>(p.batch) * static_cast<double>(rows.size) *
                            static_cast<double>(columns.size) * static_cast<double>(p.depth);
    int workers = worthwhile_workers(products, threads);
    const std::size_t wanted = workers > 1 ? static_cast<std::size_t>(workers) * kTilesPerWorker : 1;

    std::size_t tile_rows = tables ? kSegmentRows : kTileRows;
    std::size_t tile_columns = std::min(tables ? kSegmentColumns : kTileColumns, round_up(columns.size, set.columns));
    const auto tiles = [&] { return p.batch * ceil_div(rows.size, tile_rows) * ceil_div(columns.size, tile_columns); };
    while (tiles() < wanted && tile_columns > 2 * set.columns) tile_columns = round_up(tile_columns / 2, set.columns);
    while (tiles() < wanted && tile_rows > kRows) tile_rows /= 2;
    workers = static_cast<int>(std::min(static_cast<std::size_t>(workers), tiles()));
    return {p,
            set,
            left_rows,
            left_rows ? p.left : p.right,
            left_rows ? p.right : p.left,
            rows,
            columns,
            p.weights == nullptr || left_rows ? nullptr : p.weights->streams(set, true),
            p.weights == nullptr || !left_rows ? nullptr : p.weights->streams(set, false),
            result,
            tile_rows,
            tile_columns,
            ceil_div(rows.size, tile_rows),
            ceil_div(columns.size, tile_columns),
            workers};
}

Part part(const Plan &plan, std::size_t task) {
    const std::size_t batch = task / (plan.row_tiles * plan.column_tiles);
    const std::size_t row = task / plan.column_tiles % plan.row_tiles * plan.tile_rows;
    const std::size_t column = task % plan.column_tiles * plan.tile_columns;
    return {batch, row, std::min(plan.tile_rows, plan.row_axis.size - row), column,
            std::min(plan.tile_columns, plan.column_axis.size - column)};
}

void pack(const Multiplier &multiplier, const Kernels &kernels, const Operand<float> &operand, const Block &block,
          float *panel) {
    operand.pack(block, panel);
    if (multiplier.rounds_operands())
        kernels.round_operands(multiplier.rules(), panel, round_up(block.depth * block.width, kernels.columns));
}

void write_sums(const Plan &plan, std::size_t batch, std::size_t row, std::size_t rows, std::size_t column,
                std::size_t count, std::size_t width, const double *sums) {
    const std::size_t first = batch * plan.problem.batch_stride;
    const Axis &right = plan.left_rows ? plan.column_axis : plan.row_axis;
    const double *bias = plan.result.bias == nullptr ? nullptr : plan.result.bias + batch * right.size;
    if (plan.result.rounded != nullptr)
        write_to(plan, bias, row, rows, column, count, width, sums, plan.result.rounded + first);
    else
        write_to(plan, bias, row, rows, column, count, width, sums, plan.result.sums + first);
}

}  // namespace axsim::floating

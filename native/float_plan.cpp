#include "float_plan.h"

#include <algorithm>

namespace axsim::floating {
namespace {

constexpr std::size_t kTileRows = 64;          // rows of a part: once packed they stay in the L2 cache
constexpr std::size_t kTileColumns = 256;      // columns of a part: a packed row is used so often
constexpr std::size_t kSegmentRows = 16;       // the same with tables: sums stay in the L2 cache
constexpr std::size_t kSegmentColumns = 512;   // a row's entries, made from the table, are used so often
constexpr double kProductsPerWorker = 200000;  // below that a thread does not pay
constexpr std::size_t kTilesPerWorker = 3;

// Calls each(sum, output element) for the elements of sums[rows][width] that are in the output.
template <class Sum, class Out, class Each>
void for_each_sum(const Plan &plan, std::size_t row, std::size_t rows, std::size_t column, std::size_t count,
                  std::size_t width, Sum *sums, Out *out, const Each &each) {
    const Axis &axis = plan.column_axis;
    for (std::size_t r = 0; r < rows; ++r, sums += width) {
        Out *line = out + plan.row_axis.offset(row + r);
        for (std::size_t c = 0; c < count;) {  // columns that lie at one stride
            const std::size_t end = std::min(count, c + axis.inner - (column + c) % axis.inner);
            for (Out *at = line + axis.offset(column + c); c < end; ++c, at += axis.stride) each(sums[c], *at);
        }
    }
}

}  // namespace

int worthwhile_workers(double products, int threads) {
    return static_cast<int>(std::clamp(products / kProductsPerWorker, 1.0, static_cast<double>(std::max(threads, 1))));
}

Plan make_plan(const Problem &p, int threads) {
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
    while (tiles() < wanted && tile_columns > 2 * set.columns)
        tile_columns = round_up(tile_columns / 2, set.columns);
    while (tiles() < wanted && tile_rows > kRows) tile_rows /= 2;
    workers = static_cast<int>(std::min(static_cast<std::size_t>(workers), tiles()));
    return {p,
            set,
            left_rows,
            left_rows ? p.left : p.right,
            left_rows ? p.right : p.left,
            rows,
            columns,
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

void write_sums(const Plan &plan, std::size_t row, std::size_t rows, std::size_t column, std::size_t count,
                std::size_t width, const double *sums, double *out) {
    for_each_sum(plan, row, rows, column, count, width, sums, out, [](double sum, double &to) { to = sum; });
}

void read_sums(const Plan &plan, std::size_t row, std::size_t rows, std::size_t column, std::size_t count,
               std::size_t width, double *sums, const double *out) {
    for_each_sum(plan, row, rows, column, count, width, sums, out, [](double &sum, double from) { sum = from; });
}

}  // namespace axsim::floating

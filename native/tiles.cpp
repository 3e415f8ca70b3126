#include "tiles.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels.h"
#include "parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kPiece = 2048;              // most terms packed at a time
constexpr std::size_t kPanelBytes = 2U << 20;     // target for a packed panel of the stream: half of an L2 cache or so
constexpr std::size_t kLeastRows = 1024;          // ... but long enough to pay for interleaving
constexpr std::size_t kMostRows = 4096;
constexpr std::size_t kMostLanes = 512;
constexpr std::size_t kLookupsPerWorker = 1000000;  // a tenth of a millisecond, a few times the cost of a thread
constexpr std::size_t kTilesPerWorker = 3;

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Nanoseconds per term for `rows` rows of the stream and `count` lanes, fitted to measurements on 3 GHz cores.
// Only their ratio matters.
double wide_cost(std::size_t rows) { return 130 + 0.6 * static_cast<double>(rows); }
double single_cost(std::size_t rows, std::size_t count) {
    return static_cast<double>(count) * (2 + 0.33 * static_cast<double>(rows));
}
bool use_wide(std::size_t rows, std::size_t count) { return wide_cost(rows) < single_cost(rows, count); }

double cost(std::size_t rows, std::size_t lanes) {
    const double groups = static_cast<double>(lanes / kLanes);
    return groups * std::min(wide_cost(rows), single_cost(rows, kLanes)) +
           std::min(wide_cost(rows), single_cost(rows, lanes % kLanes));
}

// One side streams through the kernel, the other is fixed, eight lanes at a time.
struct Plan {
    const Operand &stream, &fixed;
    Axis stream_axis, fixed_axis;
    bool fixed_left;
    std::size_t rows_per_tile, lanes_per_tile, row_tiles, lane_tiles;
    Schedule schedule;
};

Plan make_plan(const Problem &p, int threads) {
    const bool fixed_left =
        cost(p.right_axis.size, p.left_axis.size) < cost(p.left_axis.size, p.right_axis.size);
    const Axis stream = fixed_left ? p.right_axis : p.left_axis, fixed = fixed_left ? p.left_axis : p.right_axis;

    const double lookups = static_cast<double>(p.batch) * static_cast<double>(stream.size) *
                           static_cast<double>(fixed.size) * static_cast<double>(p.depth);
    const double worth = lookups / static_cast<double>(kLookupsPerWorker);
    int workers = static_cast<int>(std::clamp(worth, 1.0, static_cast<double>(std::max(threads, 1))));

    const std::size_t most_rows =
        std::clamp(kPanelBytes / std::min(p.depth, kPiece), kLeastRows, kMostRows);
    std::size_t rows = ceil_div(stream.size, ceil_div(stream.size, most_rows));
    std::size_t lanes = std::min(fixed.size, kMostLanes);
    const auto count = [&] { return p.batch * ceil_div(stream.size, rows) * ceil_div(fixed.size, lanes); };
    // Enough tiles that a worker which falls behind does not keep the others waiting: first fewer lanes (the
    // packed stream is used again by the next tile), then fewer rows, then less than a group of lanes.
    const std::size_t wanted = workers > 1 ? static_cast<std::size_t>(workers) * kTilesPerWorker : 1;
    while (count() < wanted && rows * lanes > 1) {
        if (lanes > kLanes)
            lanes = ceil_div(ceil_div(lanes, 2), kLanes) * kLanes;
        else if (rows > 1)
            rows = ceil_div(rows, 2);
        else
            lanes = ceil_div(lanes, 2);
    }
    const std::size_t tiles = count();
    workers = static_cast<int>(std::min(static_cast<std::size_t>(workers), tiles));
    return {fixed_left ? p.right : p.left, fixed_left ? p.left : p.right, stream, fixed, fixed_left,
            rows, lanes, ceil_div(stream.size, rows), ceil_div(fixed.size, lanes), {tiles, workers}};
}

// What a worker keeps between tiles.
struct Scratch {
    std::vector<std::uint8_t> stream, fixed;
    std::vector<std::uint32_t> sums;
    // Which part of the stream is packed now.
    std::size_t packed_tile = std::numeric_limits<std::size_t>::max(), packed_term = 0;
};

// Writes the sums of one group of lanes (or adds them, after the first piece); `correction` goes to each.
// A 32-bit sum is the true one, unsigned for narrow entries, so the conversion to Out is all that can wrap.
template <class Entry, class Out, std::size_t Width>
void write(const std::uint32_t *sums, const Axis &stream, std::size_t row, std::size_t rows, const Axis &fixed,
           std::size_t lane, std::size_t count, std::int64_t correction, bool first, Out *out) {
    using Sum = std::conditional_t<std::is_signed_v<Entry>, std::int32_t, std::uint32_t>;
    Out *columns[Width];
    for (std::size_t j = 0; j < count; ++j) columns[j] = out + fixed.offset(lane + j);
    for (std::size_t r = 0; r < rows;) {  // rows that lie at one stride
        const std::size_t end = std::min(rows, r + stream.inner - (row + r) % stream.inner);
        for (std::size_t to = stream.offset(row + r); r < end; ++r, to += stream.stride)
            for (std::size_t j = 0; j < count; ++j) {
                const std::int64_t sum = static_cast<Sum>(sums[r * Width + j]) + correction;
                columns[j][to] = static_cast<Out>(first ? sum : sum + columns[j][to]);
            }
    }
}

template <class Entry, class Out>
void compute_tile(const Problem &p, const Plan &plan, std::size_t tile, Scratch &scratch, Out *out) {
    const std::size_t stream_tile = tile / plan.lane_tiles;  // consecutive tiles share the packed stream
    const std::size_t batch = stream_tile / plan.row_tiles;
    const std::size_t row = stream_tile % plan.row_tiles * plan.rows_per_tile;
    const std::size_t first_lane = tile % plan.lane_tiles * plan.lanes_per_tile;
    const std::size_t rows = std::min(plan.rows_per_tile, plan.stream_axis.size - row);
    const std::size_t lanes = std::min(plan.lanes_per_tile, plan.fixed_axis.size - first_lane);

    const Entry *entries = p.table.entries<Entry>(plan.fixed_left);
    const Kernel<Entry> &kernel = kernels().of<Entry>();
    const std::size_t piece = std::min({kPiece, p.depth, p.table.safe_depth()});
    out += batch * p.batch_stride;
    scratch.sums.resize(rows * kLanes);

    for (std::size_t k = 0; k < p.depth; k += piece) {
        const std::size_t depth = std::min(piece, p.depth - k);
        scratch.fixed.resize(Panel::size(lanes, depth));
        plan.fixed.pack(batch, first_lane, lanes, k, depth, scratch.fixed.data());
        if (scratch.packed_tile != stream_tile || scratch.packed_term != k) {
            scratch.stream.resize(Panel::size(rows, depth));
            plan.stream.pack(batch, row, rows, k, depth, scratch.stream.data());
            scratch.packed_tile = stream_tile;
            scratch.packed_term = k;
        }
        const Panel stream{scratch.stream.data(), rows, depth}, fixed{scratch.fixed.data(), lanes, depth};
        const std::int64_t correction = static_cast<std::int64_t>(depth) * p.table.offset();
        for (std::size_t lane = 0; lane < lanes; lane += kLanes) {
            const std::size_t count = std::min(kLanes, lanes - lane);
            if (use_wide(rows, count)) {
                kernel.wide(entries, stream, fixed, lane, count, scratch.sums.data());
                write<Entry, Out, kLanes>(scratch.sums.data(), plan.stream_axis, row, rows, plan.fixed_axis,
                                          first_lane + lane, count, correction, k == 0, out);
                continue;
            }
            for (std::size_t j = 0; j < count; ++j) {
                kernel.single(entries, stream, fixed, lane + j, scratch.sums.data());
                write<Entry, Out, 1>(scratch.sums.data(), plan.stream_axis, row, rows, plan.fixed_axis,
                                     first_lane + lane + j, 1, correction, k == 0, out);
            }
        }
    }
}

}  // namespace

template <class Out>
Schedule compute(const Problem &problem, Out *out, int threads) {
    if (problem.batch == 0 || problem.left_axis.size == 0 || problem.right_axis.size == 0) return {};
    if (problem.depth == 0) {
        std::fill(out, out + problem.batch * problem.left_axis.size * problem.right_axis.size, Out{0});
        return {};
    }
    const Plan plan = make_plan(problem, threads);
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const auto &next) {
        Scratch scratch;
        for (std::size_t tile; next(tile);) {
            if (problem.table.narrow())
                compute_tile<std::uint16_t>(problem, plan, tile, scratch, out);
            else
                compute_tile<std::int32_t>(problem, plan, tile, scratch, out);
        }
    });
    return plan.schedule;
}

template Schedule compute(const Problem &, std::int32_t *, int);
template Schedule compute(const Problem &, std::int64_t *, int);

}  // namespace axsim

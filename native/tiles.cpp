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
constexpr std::size_t kMostLanes = 480;
constexpr std::size_t kMostWidth = 24;  // lanes of the widest kernel
constexpr std::size_t kLookupsPerWorker = 1000000;  // a tenth of a millisecond, a few times the cost of a thread
constexpr std::size_t kTilesPerWorker = 3;

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// Nanoseconds per term for `rows` rows of the stream.
double single_cost(std::size_t rows, std::size_t lanes) {
    return static_cast<double>(lanes) * (2 + 0.33 * static_cast<double>(rows));
}

// The kernel for the next of `lanes` lanes; nullptr where they are best taken one by one.
template <class Entry>
const WideKernel<Entry> *choose(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes) {
    const WideKernel<Entry> *best = lanes <= kernel.narrow.lanes ? &kernel.narrow : &kernel.wide;
    const std::size_t count = std::min(lanes, best->lanes);
    if (kernel.brief.cost(rows, count) < best->cost(rows, count)) best = &kernel.brief;
    return best->cost(rows, count) < single_cost(rows, count) ? best : nullptr;
}

template <class Entry>
double cost(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes) {
    const auto group = [&](std::size_t count) {
        const WideKernel<Entry> *best = choose(kernel, rows, count);
        return best ? best->cost(rows, count) : single_cost(rows, count);
    };
    return static_cast<double>(lanes / kernel.wide.lanes) * group(kernel.wide.lanes) +
           group(lanes % kernel.wide.lanes);
}

// One side streams through the kernel, the other is fixed, some lanes at a time.
struct Plan {
    const Operand &stream, &fixed;
    Axis stream_axis, fixed_axis;
    bool fixed_left;
    std::size_t rows_per_tile, lanes_per_tile, row_tiles, lane_tiles;
    Schedule schedule;
};

template <class Entry>
Plan make_plan(const Problem &p, int threads) {
    const Kernel<Entry> &kernel = kernels().of<Entry>();
    const bool fixed_left = cost(kernel, p.right_axis.size, p.left_axis.size) <
                            cost(kernel, p.left_axis.size, p.right_axis.size);
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
    const std::size_t group = kernel.wide.lanes;
    while (count() < wanted && rows * lanes > 1) {
        if (lanes > group)
            lanes = ceil_div(ceil_div(lanes, 2), group) * group;
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

struct alignas(64) Line {  // the alignment that kernels ask for
    std::uint8_t bytes[64];
};

template <class T>
T *room(std::vector<Line> &lines, std::size_t size) {
    lines.resize(ceil_div(size * sizeof(T), sizeof(Line)));
    return reinterpret_cast<T *>(lines.data());
}

// What a worker keeps between tiles.
struct Scratch {
    std::vector<std::uint8_t> stream, fixed;
    std::vector<Line> running, sums;
    // Which part of the stream is packed now.
    std::size_t packed_tile = std::numeric_limits<std::size_t>::max(), packed_term = 0;
};

// Writes the sums of one group of lanes (or adds them, after the first piece); `correction` goes to each.
// A 32-bit sum is the true one, unsigned for narrow entries, so the conversion to Out is all that can wrap.
template <class Entry, class Out>
void write(const std::uint32_t *sums, std::size_t width, const Axis &stream, std::size_t row, std::size_t rows, const Axis &fixed,
           std::size_t lane, std::size_t count, std::int64_t correction, bool first, Out *out) {
    using Sum = std::conditional_t<std::is_signed_v<Entry>, std::int32_t, std::uint32_t>;
    Out *columns[kMostWidth];
    for (std::size_t j = 0; j < count; ++j) columns[j] = out + fixed.offset(lane + j);
    const auto put = [&](std::size_t r, std::size_t j, std::size_t to) {
        const std::int64_t sum = static_cast<Sum>(sums[r * width + j]) + correction;
        columns[j][to] = static_cast<Out>(first ? sum : sum + columns[j][to]);
    };
    // Sixteen neighbouring outputs of a lane at a time where rows are neighbours: the lanes' columns are often a
    // multiple of 4096 bytes apart, and a line of each would not stay in the cache until the next row.
    const std::size_t block = stream.stride == 1 ? 16 : 1;
    for (std::size_t r = 0; r < rows;) {  // rows that lie at one stride
        const std::size_t end = std::min({rows, r + block, r + stream.inner - (row + r) % stream.inner});
        const std::size_t to = stream.offset(row + r);
        for (std::size_t j = 0; j < count; ++j)
            for (std::size_t i = r; i < end; ++i) put(i, j, to + (i - r) * stream.stride);
        r = end;
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
    auto *const sums = room<std::uint32_t>(scratch.sums, rows * kernel.wide.lanes);
    auto *const running = room<std::uint64_t>(scratch.running, rows * kernel.wide.lanes / 3);

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
        for (std::size_t lane = 0; lane < lanes;) {
            const WideKernel<Entry> *wide = choose(kernel, rows, lanes - lane);
            const std::size_t width = wide ? wide->lanes : 1, count = std::min(width, lanes - lane);
            if (wide)
                wide->run(entries, stream, fixed, lane, count, running, sums);
            else
                kernel.single(entries, stream, fixed, lane, sums);
            write<Entry, Out>(sums, width, plan.stream_axis, row, rows, plan.fixed_axis, first_lane + lane, count,
                              correction, k == 0, out);
            lane += count;
        }
    }
}

template <class Entry, class Out>
Schedule compute_tiles(const Problem &problem, Out *out, int threads) {
    const Plan plan = make_plan<Entry>(problem, threads);
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const auto &next) {
        Scratch scratch;
        for (std::size_t tile; next(tile);) compute_tile<Entry>(problem, plan, tile, scratch, out);
    });
    return plan.schedule;
}

}  // namespace

template <class Out>
Schedule compute(const Problem &problem, Out *out, int threads) {
    if (problem.batch == 0 || problem.left_axis.size == 0 || problem.right_axis.size == 0) return {};
    if (problem.depth == 0) {
        std::fill(out, out + problem.batch * problem.left_axis.size * problem.right_axis.size, Out{0});
        return {};
    }
    return problem.table.narrow() ? compute_tiles<std::uint16_t>(problem, out, threads)
                                  : compute_tiles<std::int32_t>(problem, out, threads);
}

template Schedule compute(const Problem &, std::int32_t *, int);
template Schedule compute(const Problem &, std::int64_t *, int);

}  // namespace axsim

#include "lookup/sums.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "common/scratch.h"
#include "lookup/kernels.h"
#include "lookup/plan.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kMostWidth = 24;  // lanes of the widest kernel

// What a worker keeps between tiles.
struct TileScratch {
    Scratch<std::uint8_t> stream, fixed;
    Scratch<std::uint64_t> running;
    Scratch<std::uint32_t> sums;
    std::size_t packed = std::numeric_limits<std::size_t>::max();  // which panel of the stream is packed now
};

// Tiles of different terms add to the same outputs, from different threads and in any order: a batch's rows of a
// lane are written by the first of them, added to by the others, and by one at a time.
class Turns {
  public:
    Turns(const TilePlan &plan, std::size_t batch)
        : lanes_(plan.fixed_axis.size), states_(plan.term_tiles > 1 ? batch * plan.row_tiles * lanes_ : 0) {}

    // Calls write(whether nothing is written yet).
    template <class Write>
    void take(std::size_t batch_rows, std::size_t lane, const Write &write) {
        if (states_.empty()) return write(true);
        std::atomic<std::uint8_t> &state = states_[batch_rows * lanes_ + lane];
        std::uint8_t before = state.exchange(kBusy, std::memory_order_acquire);
        for (; before == kBusy; before = state.exchange(kBusy, std::memory_order_acquire)) std::this_thread::yield();
        write(before == kUntouched);
        state.store(kWritten, std::memory_order_release);
    }

  private:
    static constexpr std::uint8_t kUntouched = 0, kWritten = 1, kBusy = 2;
    std::size_t lanes_;
    std::vector<std::atomic<std::uint8_t>> states_;
};

// Writes the sums of one group of lanes, or adds them; `correction` goes to each. A 32-bit sum is the true one,
// unsigned for narrow entries, so the conversion to Out is all that can wrap.
template <class Entry, bool kFirst, class Out>
void write(const std::uint32_t *sums, std::size_t width, const Axis &stream, std::size_t row, std::size_t rows,
           const Axis &fixed, std::size_t lane, std::size_t count, std::int64_t correction, Out *out) {
    using Sum = std::conditional_t<std::is_signed_v<Entry>, std::int32_t, std::uint32_t>;
    using Wrapping = std::make_unsigned_t<Out>;
    const auto put = [extra = static_cast<Wrapping>(correction)](Out &to, std::uint32_t sum) {
        Wrapping value = static_cast<Wrapping>(static_cast<Sum>(sum)) + extra;
        if constexpr (!kFirst) value += static_cast<Wrapping>(to);
        to = static_cast<Out>(value);
    };
    std::size_t columns[kMostWidth];
    for (std::size_t j = 0; j < count; ++j) columns[j] = fixed.offset(lane + j);
    const bool neighbours = fixed.stride == 1 && columns[count - 1] - columns[0] == count - 1;

    for (std::size_t r = 0, end; r < rows; r = end) {  // rows that lie at one stride
        end = std::min(rows, r + stream.inner - (row + r) % stream.inner);
        Out *to = out + stream.offset(row + r);
        if (stream.stride == 1) {
            // Sixteen outputs of a lane at a time: the lanes' columns are often a multiple of 4096 bytes apart, and
            // a line of each would not stay in the cache until the next row.
            constexpr std::size_t kBlock = 16;
            for (; r < end; to += kBlock) {
                const std::size_t block = std::min(kBlock, end - r);
                for (std::size_t j = 0; j < count; ++j)
                    for (std::size_t i = 0; i < block; ++i) put(to[columns[j] + i], sums[(r + i) * width + j]);
                r += block;
            }
        } else if (neighbours) {
            for (to += columns[0]; r < end; ++r, to += stream.stride)
                for (std::size_t j = 0; j < count; ++j) put(to[j], sums[r * width + j]);
        } else {
            for (; r < end; ++r, to += stream.stride)
                for (std::size_t j = 0; j < count; ++j) put(to[columns[j]], sums[r * width + j]);
        }
    }
}

template <class Entry, class Out>
void compute_tile(const Problem &p, const TilePlan &plan, std::size_t tile, TileScratch &scratch, Turns &turns,
                  Out *out) {
    const std::size_t panel = tile / plan.lane_tiles, batch_rows = panel / plan.term_tiles;
    const std::size_t batch = batch_rows / plan.row_tiles;
    const std::size_t row = batch_rows % plan.row_tiles * plan.rows, k = panel % plan.term_tiles * plan.terms;
    // Workers with different terms begin with different lanes, so as not to wait for each other's writing.
    const std::size_t first_lane = (tile + panel % plan.term_tiles) % plan.lane_tiles * plan.lanes;
    const std::size_t rows = std::min(plan.rows, plan.stream_axis.size - row);
    const std::size_t lanes = std::min(plan.lanes, plan.fixed_axis.size - first_lane);
    const std::size_t terms = std::min(plan.terms, p.depth - k);

    const Entry *entries = p.table.entries<Entry>(plan.fixed_left);
    const Kernel<Entry> &kernel = kernels().of<Entry>();
    auto *const sums = scratch.sums.of(rows * kernel.wide.lanes);
    auto *const running = scratch.running.of(rows * kernel.wide.lanes / 3);
    auto *const fixed_bytes = scratch.fixed.of(Panel::size(lanes, terms));
    auto *const stream_bytes = scratch.stream.of(Panel::size(plan.rows, plan.terms));
    plan.fixed.pack({batch, first_lane, lanes, k, terms, lanes}, fixed_bytes);
    if (scratch.packed != panel) plan.stream.pack({batch, row, rows, k, terms, rows}, stream_bytes);
    scratch.packed = panel;

    const Panel stream{stream_bytes, rows, terms}, fixed{fixed_bytes, lanes, terms};
    const std::int64_t correction = static_cast<std::int64_t>(terms) * p.table.offset();
    for (std::size_t lane = 0; lane < lanes;) {
        const WideKernel<Entry> *wide = choose(kernel, rows, lanes - lane);
        const std::size_t width = wide ? wide->lanes : 1, count = std::min(width, lanes - lane);
        if (wide)
            wide->run(entries, stream, fixed, lane, count, running, sums);
        else
            kernel.single(entries, stream, fixed, lane, sums);
        turns.take(batch_rows, first_lane + lane, [&](bool first) {
            (first ? write<Entry, true, Out> : write<Entry, false, Out>)(sums, width, plan.stream_axis, row, rows,
                                                                         plan.fixed_axis, first_lane + lane, count,
                                                                         correction, out + batch * p.batch_stride);
        });
        lane += count;
    }
}

template <class Entry, class Out>
Schedule compute_tiles(const Problem &problem, Out *out, int threads) {
    const TilePlan plan = plan_tiles<Entry>(problem, threads);
    Turns turns(plan, problem.batch);
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const Next &next) {
        TileScratch scratch;
        for (std::size_t tile; next(tile);) compute_tile<Entry>(problem, plan, tile, scratch, turns, out);
    });
    return plan.schedule;
}

}  // namespace

template <class Out>
Schedule compute(const Problem &problem, Out *out, int threads) {
    if (problem.empty()) return {};
    if (problem.depth == 0) {
        std::fill(out, out + problem.size(), Out{0});
        return {};
    }
    return problem.table.narrow() ? compute_tiles<std::uint16_t>(problem, out, threads)
                                  : compute_tiles<std::int32_t>(problem, out, threads);
}

template Schedule compute(const Problem &, std::int32_t *, int);
template Schedule compute(const Problem &, std::int64_t *, int);

}  // namespace axsim

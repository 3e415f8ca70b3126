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
#include "quantise/kernels.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kMostWidth = 24;  // lanes of the widest kernel

// What a worker keeps between tiles.
struct TileScratch {
    Scratch<std::uint8_t> stream;
    Scratch<std::uint16_t> fixed;
    std::vector<std::int64_t> corrections;
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

// Where a kernel's sums lie: of a row and a lane at numbers[row * row_step + lane * lane_step].
struct Found {
    const std::uint32_t *numbers;
    std::size_t row_step, lane_step;
};

// Writes the sums of one group of lanes, or adds them, each with its lane's correction. A 32-bit sum is the true one,
// unsigned for narrow entries, so the conversion to Out is all that can wrap.
template <class Entry, bool kFirst, class Out>
void write(const Found &sums, const Axis &stream, std::size_t row, std::size_t rows, const Axis &fixed,
           std::size_t lane, std::size_t count, const std::int64_t *corrections, Out *out) {
    using Sum = std::conditional_t<std::is_signed_v<Entry>, std::int32_t, std::uint32_t>;
    using Wrapping = std::make_unsigned_t<Out>;
    const auto put = [corrections](Out &to, std::uint32_t sum, std::size_t j) {
        Wrapping value = static_cast<Wrapping>(static_cast<Sum>(sum)) + static_cast<Wrapping>(corrections[j]);
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
                for (std::size_t j = 0; j < count; ++j) {
                    const std::uint32_t *const from = sums.numbers + r * sums.row_step + j * sums.lane_step;
                    if (sums.row_step == 1)
                        for (std::size_t i = 0; i < block; ++i) put(to[columns[j] + i], from[i], j);
                    else
                        for (std::size_t i = 0; i < block; ++i) put(to[columns[j] + i], from[i * sums.row_step], j);
                }
                r += block;
            }
        } else if (neighbours) {
            for (to += columns[0]; r < end; ++r, to += stream.stride)
                for (std::size_t j = 0; j < count; ++j) put(to[j], sums.numbers[r * sums.row_step + j], j);
        } else {
            for (; r < end; ++r, to += stream.stride)
                for (std::size_t j = 0; j < count; ++j) put(to[columns[j]], sums.numbers[r * sums.row_step + j], j);
        }
    }
}

// A tile's panels.
struct Tile {
    std::size_t batch, row, rows, lane, lanes, terms, batch_rows;
    Panel stream;
    FixedPanel fixed;
};

Tile take_tile(const TilePlan &plan, std::size_t tile, TileScratch &scratch) {
    const std::size_t panel = tile / plan.lane_tiles, batch_rows = panel / plan.term_tiles;
    const std::size_t batch = batch_rows / plan.row_tiles;
    const std::size_t row = batch_rows % plan.row_tiles * plan.rows, k = panel % plan.term_tiles * plan.terms;
    // Workers with different terms begin with different lanes, so as not to wait for each other's writing.
    const std::size_t lane = (tile + panel % plan.term_tiles) % plan.lane_tiles * plan.lanes;
    const std::size_t rows = std::min(plan.rows, plan.stream_axis.size - row);
    const std::size_t lanes = std::min(plan.lanes, plan.fixed_axis.size - lane);
    const std::size_t terms = std::min(plan.terms, plan.depth - k);

    const Block of_stream{batch, row, rows, k, terms, rows}, of_fixed{batch, lane, lanes, k, terms, lanes};
    Panel stream = plan.stream.resident(of_stream);
    if (stream.elements == nullptr) {
        auto *const bytes = scratch.stream.of(Panel::size(plan.rows, plan.terms));
        if (scratch.packed != panel) plan.stream.pack(of_stream, bytes);
        scratch.packed = panel;
        stream = {bytes, rows, terms, rows};
    }
    FixedPanel fixed = plan.fixed.resident(of_fixed);
    if (fixed.elements == nullptr) {
        auto *const numbers = scratch.fixed.of(FixedPanel::size(lanes, terms));
        plan.fixed.pack(of_fixed, numbers);
        fixed = {numbers, lanes, terms, lanes};
    }
    return {batch, row, rows, lane, lanes, terms, batch_rows, stream, fixed};
}

// The offsets of every lane's columns.
void add_offsets(const Columns &columns, const FixedPanel &fixed, std::vector<std::int64_t> &sums) {
    const std::int64_t *const offsets = columns.offsets();
    sums.assign(fixed.rows, 0);
    if (columns.plain()) return;
    for (std::size_t k = 0; k < fixed.depth; k += FixedPanel::kGroup) {
        const std::size_t terms = std::min(FixedPanel::kGroup, fixed.depth - k);
        const std::uint16_t *column = fixed.at(0, k);
        for (std::size_t lane = 0; lane < fixed.rows; ++lane, column += FixedPanel::kGroup)
            for (std::size_t t = 0; t < terms; ++t) sums[lane] += offsets[column[t]];
    }
}

// Calls use(sums, first lane, number of lanes) for the sums of a tile, some lanes at a time. They lie lane by lane only
// where the output does, too.
template <class Entry, class Use>
void sum_tile(const TilePlan &plan, const Tile &tile, TileScratch &scratch, const Use &use) {
    const Entry *entries = plan.columns.entries<Entry>();
    const Kernel<Entry> &kernel = kernels().of<Entry>();
    auto *const sums = scratch.sums.of(tile.rows * kernel.wide.lanes);
    const bool lane_by_lane = plan.stream_axis.stride == 1;
    auto *const running = scratch.running.of(tile.rows * kernel.wide.lanes / 3);
    if (plan.paired)
        scratch.corrections.assign(tile.lanes, std::int64_t{-65535} * static_cast<std::int64_t>(tile.terms / 2));
    else
        add_offsets(plan.columns, tile.fixed, scratch.corrections);
    for (std::size_t lane = 0; lane < tile.lanes;) {
        const WideKernel<Entry> *wide = plan.paired ? &kernel.paired : choose(kernel, tile.rows, tile.lanes - lane);
        const std::size_t width = wide ? wide->lanes : 1, count = std::min(width, tile.lanes - lane);
        const bool apart = wide && wide->knows_apart && lane_by_lane;
        if (wide)
            wide->run(entries, tile.stream, tile.fixed, lane, count, running, sums, apart ? tile.rows : 0);
        else
            kernel.single(entries, tile.stream, tile.fixed, lane, sums);
        use(apart ? Found{sums, 1, tile.rows} : Found{sums, width, 1}, lane, count);
        lane += count;
    }
}

template <class Entry, class Out>
Schedule compute_tiles(const Lookups &problem, const TilePlan &plan, Out *out) {
    Turns turns(plan, problem.batch);
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const Next &next) {
        TileScratch scratch;
        for (std::size_t task; next(task);) {
            const Tile tile = take_tile(plan, task, scratch);
            sum_tile<Entry>(plan, tile, scratch, [&](const Found &sums, std::size_t lane, std::size_t count) {
                turns.take(tile.batch_rows, tile.lane + lane, [&](bool first) {
                    (first ? write<Entry, true, Out>
                           : write<Entry, false, Out>)(sums, plan.stream_axis, tile.row, tile.rows, plan.fixed_axis,
                                                       tile.lane + lane, count, scratch.corrections.data() + lane,
                                                       out + tile.batch * problem.batch_stride);
                });
            });
        }
    });
    return plan.schedule;
}

// Scales the sums of some lanes of a tile and writes them.
class Finish {
  public:
    Finish(const Lookups &problem, const TilePlan &plan, const Scaling &scaling, float *out)
        : problem_(problem), plan_(plan), scaling_(scaling), out_(out), kernels_(quantise_kernels().lines) {}

    void operator()(const Tile &tile, const Found &sums, std::size_t lane, std::size_t count,
                    const std::int64_t *offsets) {
        double corrections[kMostWidth];
        std::copy_n(offsets, count, corrections);
        const Axis &stream = plan_.stream_axis, &fixed = plan_.fixed_axis;
        line_.resize(std::max(tile.rows, kMostWidth));
        if (fixed.stride != 1) {  // rows of the stream are neighbours
            for (std::size_t j = 0; j < count; ++j)
                for (std::size_t r = 0, end; r < tile.rows; r = end) {
                    end = std::min(tile.rows, r + stream.inner - (tile.row + r) % stream.inner);
                    const std::uint32_t *const from = sums.numbers + r * sums.row_step + j * sums.lane_step;
                    put(line(from, sums.row_step, end - r), tile.batch, tile.row + r, end - r, tile.lane + lane + j, 1,
                        corrections + j);
                }
            return;
        }
        for (std::size_t r = 0; r < tile.rows; ++r)
            for (std::size_t j = 0, end; j < count; j = end) {
                end = std::min(count, j + fixed.inner - (tile.lane + lane + j) % fixed.inner);
                const std::uint32_t *const from = sums.numbers + r * sums.row_step + j * sums.lane_step;
                put(line(from, sums.lane_step, end - j), tile.batch, tile.row + r, 1, tile.lane + lane + j, end - j,
                    corrections + j);
            }
    }

  private:
    // Sums that lie `step` apart, as neighbours.
    const std::int32_t *line(const std::uint32_t *from, std::size_t step, std::size_t count) {
        if (step == 1) return reinterpret_cast<const std::int32_t *>(from);
        for (std::size_t i = 0; i < count; ++i) line_[i] = static_cast<std::int32_t>(from[i * step]);
        return line_.data();
    }

    // Of `rows` rows of the stream or of `lanes` lanes, the other being 1.
    void put(const std::int32_t *sums, std::size_t batch, std::size_t row, std::size_t rows, std::size_t lane,
             std::size_t lanes, const double *corrections) {
        const bool fixed_left = plan_.fixed_left;
        const std::size_t left = fixed_left ? lane : row, right = fixed_left ? row : lane;
        const std::size_t lefts = fixed_left ? lanes : rows, rights = fixed_left ? rows : lanes;
        float *to =
            out_ + batch * problem_.batch_stride + problem_.left_axis.offset(left) + problem_.right_axis.offset(right);
        const std::size_t channel = batch * problem_.right_axis.size + right;
        const double *left_sums = scaling_.left == nullptr
                                      ? nullptr
                                      : scaling_.left + batch * scaling_.left_batch + scaling_.left_axis.offset(left);
        const Line line{sums,
                        scaling_.left_scale,
                        scaling_.right_scale + channel,
                        scaling_.zero + channel,
                        scaling_.extra + channel,
                        scaling_.bias ? scaling_.bias + channel : nullptr,
                        left_sums,
                        corrections};
        // Corrections are the lanes'.
        if (lefts >= rights && rights == 1)
            (fixed_left ? kernels_.across_each : kernels_.across)(line, lefts, to);
        else
            (fixed_left ? kernels_.along : kernels_.along_each)(line, rights, to);
    }

    const Lookups &problem_;
    const TilePlan &plan_;
    const Scaling &scaling_;
    float *out_;
    const LineKernels &kernels_;
    std::vector<std::int32_t> line_;
};

template <class Entry>
Schedule scale_tiles(const Lookups &problem, const TilePlan &plan, const Scaling &scaling, float *out) {
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const Next &next) {
        TileScratch scratch;
        Finish finish(problem, plan, scaling, out);
        for (std::size_t task; next(task);) {
            const Tile tile = take_tile(plan, task, scratch);
            sum_tile<Entry>(plan, tile, scratch, [&](const Found &sums, std::size_t lane, std::size_t count) {
                finish(tile, sums, lane, count, scratch.corrections.data() + lane);
            });
        }
    });
    return plan.schedule;
}

// Calls use(the plan, an entry) with an entry of the type that the table's are.
template <class Use>
Schedule with_plan(const Lookups &problem, int threads, const Use &use) {
    const bool fixed_left = problem.left.fixed != nullptr && problem.right.stream != nullptr &&
                            (problem.right.fixed == nullptr || problem.left.stream == nullptr ||
                             fixes_left(problem.table, problem.left_axis.size, problem.right_axis.size, problem.depth));
    if (problem.table.columns(fixed_left).narrow())
        return use(plan_tiles<std::uint16_t>(problem, fixed_left, threads), std::uint16_t{});
    return use(plan_tiles<std::int32_t>(problem, fixed_left, threads), std::int32_t{});
}

}  // namespace

template <class Out>
Schedule compute(const Lookups &problem, Out *out, int threads) {
    if (problem.empty()) return {};
    if (problem.depth == 0) {
        std::fill(out, out + problem.size(), Out{0});
        return {};
    }
    return with_plan(problem, threads, [&](const TilePlan &plan, auto entry) {
        return compute_tiles<decltype(entry)>(problem, plan, out);
    });
}

template <class Out>
Schedule compute(const Product<std::uint8_t> &p, const Table &table, Out *out, int threads) {
    const Widened left(p.left), right(p.right);
    return compute(
        Lookups{
            table, {&p.left, &left}, {&p.right, &right}, p.left_axis, p.right_axis, p.batch, p.batch_stride, p.depth},
        out, threads);
}

Schedule compute(const Lookups &problem, const Scaling &scaling, float *out, int threads) {
    if (problem.empty()) return {};
    // Sums of so many terms fit 32 bits with a sign.
    constexpr std::size_t most_terms =
        std::numeric_limits<std::int32_t>::max() / std::numeric_limits<std::uint16_t>::max();
    const auto in_two_steps = [&] {
        const Layout layout{problem.left_axis, problem.right_axis, problem.batch, problem.batch_stride};
        const auto through = [&](auto *sums) {
            const Schedule used = compute(problem, sums, threads);
            scale_sums(sums, layout, scaling, out, threads);
            return used;
        };
        if (problem.depth <= std::numeric_limits<std::int32_t>::max() / problem.table.largest())
            return through(std::unique_ptr<std::int32_t[]>(new std::int32_t[problem.size()]).get());
        return through(std::unique_ptr<std::int64_t[]>(new std::int64_t[problem.size()]).get());
    };
    if (problem.depth == 0) return in_two_steps();
    return with_plan(problem, threads, [&](const TilePlan &plan, auto entry) {
        if (plan.term_tiles == 1 && plan.terms <= most_terms)
            return scale_tiles<decltype(entry)>(problem, plan, scaling, out);
        return in_two_steps();
    });
}

template Schedule compute(const Lookups &, std::int32_t *, int);
template Schedule compute(const Lookups &, std::int64_t *, int);
template Schedule compute(const Product<std::uint8_t> &, const Table &, std::int32_t *, int);
template Schedule compute(const Product<std::uint8_t> &, const Table &, std::int64_t *, int);

}  // namespace axsim

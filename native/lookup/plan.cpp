#include "lookup/plan.h"

#include <algorithm>
#include <numeric>

#include "common/arithmetic.h"

namespace axsim {
namespace {

constexpr std::size_t kMostTerms = 2048;
constexpr std::size_t kMostPaired = 16384;     // where both passes are taken at once: tiles have all terms
constexpr std::size_t kLeastTerms = 64;        // where terms are split among workers
constexpr std::size_t kPanelBytes = 2U << 20;  // target for a packed panel of the stream: half of an L2 cache or so
constexpr std::size_t kLeastRows = 1024;       // ... but long enough to pay for interleaving
constexpr std::size_t kMostRows = 4096;
constexpr std::size_t kMostLanes = 480;
constexpr std::size_t kLookupsPerWorker = 250000;  // ten microseconds and more, what it costs to wake a helper

// Nanoseconds, fitted to measurements on 3 GHz cores. Only their ratio to the kernels' figures matters.
constexpr double kPackByte = 0.1, kWriteSum = 0.5, kTile = 300;
constexpr double kStraggling = 0.1;  // how much of a tile workers wait for the last of them

// Nanoseconds per term for `rows` rows of the stream.
double single_cost(std::size_t rows, std::size_t lanes) {
    return static_cast<double>(lanes) * (2 + 0.33 * static_cast<double>(rows));
}

template <class Entry>
double cost(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes, bool paired = false) {
    const auto group = [&](std::size_t count) {
        if (paired) return count > 0 ? kernel.paired.cost(rows, count) : 0.0;
        const WideKernel<Entry> *best = choose(kernel, rows, count);
        return best ? best->cost(rows, count) : single_cost(rows, count);
    };
    return static_cast<double>(lanes / kernel.wide.lanes) * group(kernel.wide.lanes) + group(lanes % kernel.wide.lanes);
}

// Whether so many terms, of all passes, are best summed two passes at once.
template <class Entry>
bool pays_paired(const Columns &columns, const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes,
                 std::size_t terms) {
    return columns.mirrored() && kernel.paired.run != nullptr && terms <= std::min(kMostPaired, columns.safe_depth()) &&
           terms / 2 % Panel::kGroup == 0 && cost(kernel, rows, lanes, true) < cost(kernel, rows, lanes);
}

struct Cut {
    std::size_t row_tiles, term_tiles, lane_tiles;
};

// The tiles of one problem, and how long they take.
template <class Entry>
class Cuts {
  public:
    Cuts(const Kernel<Entry> &kernel, bool paired, std::size_t batch, std::size_t rows, std::size_t terms,
         std::size_t lanes, std::size_t most_terms)
        : kernel_(kernel),
          paired_(paired),
          batch_(batch),
          rows_(rows),
          terms_(terms),
          lanes_(lanes),
          most_terms_(most_terms) {}

    std::size_t rows(const Cut &cut) const { return ceil_div(rows_, cut.row_tiles); }
    std::size_t terms(const Cut &cut) const {  // whole groups: a panel's last one is slower if it is not full
        const std::size_t each = ceil_div(terms_, cut.term_tiles);
        return std::min({round_up(each, Panel::kGroup), most_terms_, terms_});
    }
    std::size_t lanes(const Cut &cut) const {  // whole groups of the kernel, where there is more than one
        const std::size_t group = kernel_.wide.lanes, each = ceil_div(lanes_, cut.lane_tiles);
        return each < lanes_ ? std::min(round_up(each, group), lanes_) : lanes_;
    }
    // The same cut without tiles that rounding up has emptied.
    Cut tight(const Cut &cut) const {
        return {ceil_div(rows_, rows(cut)), ceil_div(terms_, terms(cut)), ceil_div(lanes_, lanes(cut))};
    }
    std::size_t count(const Cut &cut) const { return batch_ * cut.row_tiles * cut.term_tiles * cut.lane_tiles; }

    // Nanoseconds until the last of `workers` is done.
    double time(const Cut &cut, std::size_t workers) const {
        const auto r = static_cast<double>(rows(cut)), t = static_cast<double>(terms(cut)),
                   l = static_cast<double>(lanes(cut));
        const double tile =
            t * cost(kernel_, rows(cut), lanes(cut), paired_) + kPackByte * t * l + kWriteSum * r * l + kTile;
        const std::size_t tiles = ceil_div(count(cut), workers);
        const auto panels = static_cast<double>(ceil_div(tiles, cut.lane_tiles));
        return (static_cast<double>(tiles) + kStraggling) * tile + panels * kPackByte * r * t;
    }

    // The best cut for several workers: more tiles than `least` in every direction, as far as it pays.
    Cut best(const Cut &least, std::size_t workers) const {
        Cut best = least;
        double best_time = time(least, workers);
        const auto consider = [&](const Cut &wanted) {
            const Cut cut = tight(wanted);
            if (const double t = time(cut, workers); t < best_time) {
                best = cut;
                best_time = t;
            }
        };
        const std::size_t groups = ceil_div(lanes_, kernel_.wide.lanes),
                          most_terms = paired_ ? 1 : std::max(least.term_tiles, terms_ / kLeastTerms);
        for (std::size_t lane_tiles = least.lane_tiles;; lane_tiles = std::min(2 * lane_tiles, groups)) {
            for (std::size_t row_tiles = least.row_tiles;; row_tiles = std::min(2 * row_tiles, rows_)) {
                // As many rows, or terms, as give every worker equally many tiles.
                const std::size_t tiles = batch_ * row_tiles * lane_tiles;
                const std::size_t even_rows = workers / std::gcd(batch_ * lane_tiles, workers);
                const std::size_t even_terms = workers / std::gcd(tiles, workers);
                consider({std::min(round_up(row_tiles, even_rows), rows_), least.term_tiles, lane_tiles});
                consider({row_tiles, std::min(round_up(least.term_tiles, even_terms), most_terms), lane_tiles});
                for (std::size_t term_tiles = least.term_tiles; term_tiles <= most_terms; term_tiles *= 2)
                    consider({row_tiles, term_tiles, lane_tiles});
                if (row_tiles >= rows_ || tiles >= 4 * workers) break;
            }
            if (lane_tiles >= groups) break;
        }
        return best;
    }

  private:
    const Kernel<Entry> &kernel_;
    bool paired_;
    std::size_t batch_, rows_, terms_, lanes_, most_terms_;
};

}  // namespace

template <class Entry>
const WideKernel<Entry> *choose(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes) {
    const WideKernel<Entry> *best = lanes <= kernel.narrow.lanes ? &kernel.narrow : &kernel.wide;
    const std::size_t count = std::min(lanes, best->lanes);
    if (kernel.brief.cost(rows, count) < best->cost(rows, count)) best = &kernel.brief;
    return best->cost(rows, count) < single_cost(rows, count) ? best : nullptr;
}

double lookup_time(const Columns &columns, std::size_t rows, std::size_t lanes, std::size_t terms) {
    const double kernel = columns.narrow() ? cost(kernels().of<std::uint16_t>(), rows, lanes)
                                           : cost(kernels().of<std::int32_t>(), rows, lanes);
    const auto r = static_cast<double>(rows), l = static_cast<double>(lanes);
    return kernel + kPackByte * (r + l) + kWriteSum * r * l / static_cast<double>(std::max<std::size_t>(terms, 1));
}

bool fixes_left(const Table &table, std::size_t left_rows, std::size_t right_rows, std::size_t depth) {
    const auto time = [&](const Columns &columns, std::size_t rows, std::size_t lanes) {
        const Kernel<std::uint16_t> &small = kernels().of<std::uint16_t>();
        const bool paired = pays_paired(columns, small, rows, lanes, depth * columns.passes());
        const double kernel =
            columns.narrow() ? cost(small, rows, lanes, paired) : cost(kernels().of<std::int32_t>(), rows, lanes);
        return static_cast<double>(columns.passes()) * kernel;
    };
    return time(table.columns(true), right_rows, left_rows) < time(table.columns(false), left_rows, right_rows);
}

template <class Entry>
TilePlan plan_tiles(const Lookups &p, bool fixed_left, int threads) {
    const Kernel<Entry> &kernel = kernels().of<Entry>();
    const Columns &columns = p.table.columns(fixed_left);
    const Axis stream = fixed_left ? p.right_axis : p.left_axis, fixed = fixed_left ? p.left_axis : p.right_axis;
    const std::size_t depth = p.depth * columns.passes();

    const double lookups = static_cast<double>(p.batch) * static_cast<double>(stream.size) *
                           static_cast<double>(fixed.size) * static_cast<double>(depth);
    const double worth = lookups / static_cast<double>(kLookupsPerWorker);
    auto workers = static_cast<std::size_t>(std::clamp(worth, 1.0, static_cast<double>(std::max(threads, 1))));

    const bool paired = pays_paired(columns, kernel, stream.size, fixed.size, depth);
    const std::size_t most_terms = paired ? depth : std::min(kMostTerms, columns.safe_depth());
    const std::size_t most_rows = std::clamp(kPanelBytes / std::min(depth, most_terms), kLeastRows, kMostRows);
    const Cuts<Entry> cuts(kernel, paired, p.batch, stream.size, depth, fixed.size, most_terms);
    Cut cut =
        cuts.tight({ceil_div(stream.size, most_rows), ceil_div(depth, most_terms), ceil_div(fixed.size, kMostLanes)});
    if (workers > 1) cut = cuts.best(cut, workers);
    workers = std::min(workers, cuts.count(cut));
    return {columns,
            fixed_left ? *p.right.stream : *p.left.stream,
            fixed_left ? *p.left.fixed : *p.right.fixed,
            stream,
            fixed,
            fixed_left,
            paired,
            depth,
            cuts.rows(cut),
            cuts.terms(cut),
            cuts.lanes(cut),
            cut.row_tiles,
            cut.term_tiles,
            cut.lane_tiles,
            {cuts.count(cut), static_cast<int>(workers)}};
}

template const WideKernel<std::uint16_t> *choose(const Kernel<std::uint16_t> &, std::size_t, std::size_t);
template const WideKernel<std::int32_t> *choose(const Kernel<std::int32_t> &, std::size_t, std::size_t);
template TilePlan plan_tiles<std::uint16_t>(const Lookups &, bool, int);
template TilePlan plan_tiles<std::int32_t>(const Lookups &, bool, int);

}  // namespace axsim

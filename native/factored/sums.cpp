#include "factored/sums.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "common/attributes.h"
#include "common/scratch.h"
#include "factored/kernels.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

// What a kernel's vectors take up at a time: about a first-level cache.
constexpr std::size_t kPanelBytes = 32U << 10;
constexpr std::size_t kRepeated = 96;   // rows expanded at a time: a block that stays in a second-level cache
constexpr std::size_t kVectors = 1024;  // columns expanded at a time
constexpr std::size_t kTilesPerWorker = 3;
// Multiplications of eight sums by a step: a tenth of a millisecond, a few times the cost of a thread.
constexpr std::size_t kStepsPerWorker = 500000;

// Steps that `depth` operand pairs take.
std::size_t steps(const GemmPart &part, std::size_t depth) {
    return ceil_div(depth, Panel::kGroup) * part.terms() * (part.bytes ? 1 : 2);
}

// One side of the product and the numbers that its bytes stand for.
struct Side {
    const Operand<std::uint8_t> &operand;
    Axis axis;
    bool left;

    const Component *components(const GemmPart &part) const { return (left ? part.left : part.right).data(); }
    const std::vector<std::int64_t> &sums(const GemmFactors &factors) const {
        return left ? factors.left_sums : factors.right_sums;
    }
};

// How the output is cut: tiles of repeated rows by columns in vectors, and pieces along the sum.
struct GemmPlan {
    Side repeated, vectors;
    std::size_t piece, rows_per_tile, columns_per_tile, row_tiles, column_tiles;
    Schedule schedule;
};

GemmPlan make_plan(const Product<std::uint8_t> &p, const GemmFactors &factors, const GemmKernels &kernels,
                   int threads) {
    // The side in vectors is the one whose results are neighbours, unless the tiles would be much emptier.
    const auto volume = [&](const Axis &repeated, const Axis &vectors) {
        return round_up(repeated.size, kernels.rows) * round_up(vectors.size, kernels.columns) *
               (vectors.stride == 1 ? 4 : 5);
    };
    const bool left_in_vectors = volume(p.right_axis, p.left_axis) < volume(p.left_axis, p.right_axis);
    const Side left{p.left, p.left_axis, true}, right{p.right, p.right_axis, false};
    const Side &repeated = left_in_vectors ? right : left, &vectors = left_in_vectors ? left : right;

    std::size_t most = p.depth, steps_per_group = 0;
    for (const GemmPart &part : factors.parts) {
        if (!part.bytes || kernels.byte_sums == INT32_MAX) most = std::min(most, part.depth);
        steps_per_group = std::max(steps_per_group, steps(part, Panel::kGroup));
    }
    // (As 16-bit sums of bytes are emptied in time, such a piece never fills 32 bits.)
    const std::size_t fit = kPanelBytes / sizeof(std::uint32_t) / kernels.columns;
    most = std::min(most, std::max<std::size_t>(fit / std::max<std::size_t>(steps_per_group, 1), 1) * Panel::kGroup);
    const std::size_t equal = ceil_div(p.depth, ceil_div(p.depth, most));
    const std::size_t piece = std::min(most, round_up(equal, Panel::kGroup));

    std::size_t work = 0;
    for (const GemmPart &part : factors.parts) work += steps(part, p.depth);
    work = p.batch * std::max<std::size_t>(work, 1) * ceil_div(repeated.axis.size * vectors.axis.size, 8);
    const std::size_t worth = std::max<std::size_t>(work / kStepsPerWorker, 1);
    const std::size_t workers = std::min(worth, static_cast<std::size_t>(std::max(threads, 1)));

    // Enough tiles that a worker which falls behind does not keep the others waiting, cut along the longer side.
    std::size_t rows = repeated.axis.size, columns = std::min(vectors.axis.size, kVectors);
    const auto count = [&] {
        return p.batch * ceil_div(repeated.axis.size, rows) * ceil_div(vectors.axis.size, columns);
    };
    const std::size_t wanted = workers > 1 ? workers * kTilesPerWorker : 1;
    while (count() < wanted && (rows > kernels.rows || columns > kernels.columns)) {
        if (rows > columns || columns <= kernels.columns)
            rows = round_up(ceil_div(rows, 2), kernels.rows);
        else
            columns = round_up(ceil_div(columns, 2), kernels.columns);
    }
    const std::size_t tiles = count();
    return {repeated,
            vectors,
            piece,
            rows,
            columns,
            ceil_div(repeated.axis.size, rows),
            ceil_div(vectors.axis.size, columns),
            {tiles, static_cast<int>(std::min(workers, tiles))}};
}

// Some rows of one side: their bytes for a piece, what they expand to, and what each row adds by itself.
class Stretch {
  public:
    void take(const Side &side, const GemmFactors &factors, std::size_t batch, std::size_t begin, std::size_t rows,
              std::size_t k, std::size_t depth) {
        size_ = rows, depth_ = depth;
        std::uint8_t *const bytes = bytes_.of(Panel::size(rows, depth));
        side.operand.pack({batch, begin, rows, k, depth, rows}, bytes);
        add_up(side.sums(factors), bytes);
        offsets_.resize(rows);
        for (std::size_t row = 0; row < rows; ++row) offsets_[row] = side.axis.offset(begin + row);
    }

    // Expands every part, `width` rows side by side.
    void expand(const Side &side, const GemmFactors &factors, const GemmKernels &kernels, std::size_t width) {
        expanded_.resize(factors.parts.size());
        const std::uint8_t *const bytes = bytes_.get();
        for (std::size_t i = 0; i < factors.parts.size(); ++i) {
            const GemmPart &part = factors.parts[i];
            const std::size_t panel = width * steps(part, depth_);
            std::uint32_t *const to = expanded_[i].of(ceil_div(size_, width) * panel);
            const GemmExpand run = part.bytes ? kernels.expand_bytes : kernels.expand_words;
            for (std::size_t row = 0; row < size_; row += width)
                run(side.components(part), part.terms(), bytes + row * Panel::kGroup, size_,
                    std::min(width, size_ - row), depth_, to + row / width * panel, width);
        }
    }

    std::size_t size() const { return size_; }
    std::size_t depth() const { return depth_; }
    // The expanded rows from `row` on, a multiple of the width.
    const std::uint32_t *at(std::size_t part, std::size_t row, std::size_t steps) const {
        return expanded_[part].get() + row * steps;
    }
    const std::int64_t *sums(std::size_t row) const { return sums_.data() + row; }
    const std::size_t *offsets(std::size_t row) const { return offsets_.data() + row; }

  private:
    void add_up(const std::vector<std::int64_t> &sums, const std::uint8_t *bytes) {
        sums_.assign(size_, 0);
        if (sums.empty()) return;
        const std::int64_t *const of = sums.data();
        std::size_t k = 0;
        for (; k + Panel::kGroup <= depth_; k += Panel::kGroup)
            for (std::size_t row = 0; row < size_; ++row, bytes += Panel::kGroup)
                sums_[row] += of[bytes[0]] + of[bytes[1]] + of[bytes[2]] + of[bytes[3]];
        for (std::size_t row = 0; row < size_; ++row, bytes += Panel::kGroup)
            for (std::size_t t = 0; t < depth_ - k; ++t) sums_[row] += of[bytes[t]];
    }

    Scratch<std::uint8_t> bytes_;
    std::vector<Scratch<std::uint32_t>> expanded_;  // of each part
    std::vector<std::int64_t> sums_;
    std::vector<std::size_t> offsets_;
    std::size_t size_ = 0, depth_ = 0;
};

// A register tile's place: from `row` of the repeated side and `column` of the one in vectors.
struct Place {
    const Stretch &repeated, &vectors;
    std::size_t row, column;
};

// to[j] (+)= 2**shift sums[j] + added[j], as numbers that wrap as the output does.
template <class Out>
AXSIM_APART void put_row(const std::int32_t *__restrict sums, const std::int64_t *__restrict added, unsigned shift,
                         bool first, std::size_t columns, Out *__restrict to) {
    using Bits = std::make_unsigned_t<Out>;
    const auto scaled = [&](std::size_t j) { return static_cast<Bits>(static_cast<Out>(sums[j])) << shift; };
    const auto all = [&](const auto &value) {
        if (first)
            for (std::size_t j = 0; j < columns; ++j) to[j] = static_cast<Out>(value(j));
        else
            for (std::size_t j = 0; j < columns; ++j) to[j] = static_cast<Out>(value(j) + static_cast<Bits>(to[j]));
    };
    if (added == nullptr)
        all(scaled);
    else
        all([&](std::size_t j) { return scaled(j) + static_cast<Bits>(added[j]); });
}

// Writes the sums of a register tile or adds them to what is there; with `own`, also what each row and column adds.
template <class Out>
void write(const std::int32_t *sums, const GemmKernels &kernels, unsigned shift, const Place &place, bool own,
           bool first, Out *out) {
    const std::size_t rows = std::min(kernels.rows, place.repeated.size() - place.row);
    const std::size_t columns = std::min(kernels.columns, place.vectors.size() - place.column);
    const std::size_t *const down = place.repeated.offsets(place.row), *const across =
                                                                           place.vectors.offsets(place.column);
    const std::int64_t *const row_sums = place.repeated.sums(place.row);
    const std::int64_t *const column_sums = place.vectors.sums(place.column);
    const bool neighbours = across[columns - 1] - across[0] == columns - 1;
    std::int64_t added[kMostGemmColumns];
    for (std::size_t i = 0; i < rows; ++i, sums += kernels.columns) {
        if (own)
            for (std::size_t j = 0; j < columns; ++j) added[j] = row_sums[i] + column_sums[j];
        if (neighbours)
            put_row(sums, own ? added : nullptr, shift, first, columns, out + down[i] + across[0]);
        else
            for (std::size_t j = 0; j < columns; ++j)
                put_row(sums + j, own ? added + j : nullptr, shift, first, 1, out + down[i] + across[j]);
    }
}

// What a worker keeps between tiles.
struct GemmScratch {
    Stretch repeated, vectors;
    alignas(64) std::int32_t sums[kMostGemmRows * kMostGemmColumns] = {};
};

// Steps after which 16-bit sums of bytes are full; all of them where sums have 32 bits.
std::size_t chunk(const GemmPart &part, const GemmKernels &kernels, std::size_t all) {
    // Of the four products of a step, two and two meet in one sum.
    return part.bytes && kernels.byte_sums == INT16_MAX ? part.depth / 2 * part.terms() : all;
}

template <class Out>
void multiply_block(const GemmPlan &plan, const GemmFactors &factors, const GemmKernels &kernels, GemmScratch &scratch,
                    bool first, Out *out) {
    Stretch &repeated = scratch.repeated, &vectors = scratch.vectors;
    const auto each_place = [&](const auto &visit) {
        for (std::size_t column = 0; column < vectors.size(); column += kernels.columns)
            for (std::size_t row = 0; row < repeated.size(); row += kernels.rows)
                visit(Place{repeated, vectors, row, column});
    };
    const bool own = !factors.left_sums.empty() || !factors.right_sums.empty();
    for (std::size_t i = 0; i < factors.parts.size(); ++i) {
        const GemmPart &part = factors.parts[i];
        const GemmRun run = part.bytes ? kernels.bytes[plan.repeated.left] : kernels.words;
        const std::size_t all = steps(part, repeated.depth());
        each_place([&](const Place &place) {
            run(repeated.at(i, place.row, all), vectors.at(i, place.column, all), all, chunk(part, kernels, all),
                scratch.sums);
            write(scratch.sums, kernels, part.shift, place, own && i == 0, first && i == 0, out);
        });
    }
    if (factors.parts.empty())
        each_place([&](const Place &place) { write(scratch.sums, kernels, 0, place, true, first, out); });
}

template <class Out>
void multiply_tile(const Product<std::uint8_t> &p, const GemmFactors &factors, const GemmPlan &plan,
                   const GemmKernels &kernels, std::size_t tile, GemmScratch &scratch, Out *out) {
    const std::size_t batch = tile / (plan.row_tiles * plan.column_tiles);
    const std::size_t first_row = tile / plan.column_tiles % plan.row_tiles * plan.rows_per_tile;
    const std::size_t column = tile % plan.column_tiles * plan.columns_per_tile;
    const std::size_t end = std::min(first_row + plan.rows_per_tile, plan.repeated.axis.size);
    const std::size_t columns = std::min(plan.columns_per_tile, plan.vectors.axis.size - column);
    out += batch * p.batch_stride;
    for (std::size_t k = 0; k < p.depth; k += plan.piece) {
        const std::size_t depth = std::min(plan.piece, p.depth - k);
        scratch.vectors.take(plan.vectors, factors, batch, column, columns, k, depth);
        scratch.vectors.expand(plan.vectors, factors, kernels, kernels.columns);
        for (std::size_t row = first_row; row < end; row += kRepeated) {
            scratch.repeated.take(plan.repeated, factors, batch, row, std::min(kRepeated, end - row), k, depth);
            scratch.repeated.expand(plan.repeated, factors, kernels, kernels.rows);
            multiply_block(plan, factors, kernels, scratch, k == 0, out);
        }
    }
}

}  // namespace

template <class Out>
Schedule multiply(const Product<std::uint8_t> &product, const GemmFactors &factors, Out *out, int threads) {
    const GemmKernels &kernels = gemm_kernels();
    for (const GemmPart &part : factors.parts)
        if (part.bytes && factors.byte_sums > kernels.byte_sums)
            throw std::invalid_argument("factors are in bytes whose sums these kernels do not hold");
    if (product.empty()) return {};
    if (product.depth == 0) {
        std::fill(out, out + product.size(), Out{0});
        return {};
    }
    const GemmPlan plan = make_plan(product, factors, kernels, threads);
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const Next &next) {
        GemmScratch scratch;
        for (std::size_t tile; next(tile);) multiply_tile(product, factors, plan, kernels, tile, scratch, out);
    });
    return plan.schedule;
}

template Schedule multiply(const Product<std::uint8_t> &, const GemmFactors &, std::int32_t *, int);
template Schedule multiply(const Product<std::uint8_t> &, const GemmFactors &, std::int64_t *, int);

}  // namespace axsim

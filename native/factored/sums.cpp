#include "factored/sums.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "common/attributes.h"
#include "common/scratch.h"
#include "factored/kernels.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kRepeated = 96;   // rows expanded at a time: a block that stays in a second-level cache
constexpr std::size_t kVectors = 1024;  // columns expanded at a time
constexpr std::size_t kTilesPerWorker = 3;
// Multiplications of eight sums by a step: some 25 microseconds, a few times what it costs to wake a helper.
constexpr std::size_t kStepsPerWorker = 125000;
// Sums that wait in a second-level cache until they are scaled.
constexpr std::size_t kWaiting = 1U << 16;

// One side of the product, and the kernel's way of reading it.
struct Role {
    const FactorsSide &side;
    const Axis axis;
    bool left;
    const Expansion *expansion;  // nullptr: expanded when it is read
};

// How the output is cut: tiles of repeated rows by columns in vectors, and pieces along the sum.
struct GemmPlan {
    const FactoredProduct &product;
    const GemmKernels &kernels;
    Role repeated, vectors;
    std::size_t piece, rows_per_tile, columns_per_tile, row_tiles, column_tiles;
    Schedule schedule;
};

GemmPlan make_plan(const FactoredProduct &p, const GemmKernels &kernels, int threads) {
    // The side in vectors is the one whose results are neighbours, unless the tiles would be much emptier.
    const auto volume = [&](const Axis &repeated, const Axis &vectors) {
        return round_up(repeated.size, kernels.rows) * round_up(vectors.size, kernels.columns) *
               (vectors.stride == 1 ? 4 : 5);
    };
    const bool left_in_vectors = volume(p.right_axis, p.left_axis) < volume(p.left_axis, p.right_axis);
    const auto role = [&](bool left) {
        const FactorsSide &side = left ? p.left : p.right;
        const bool in_vectors = left == left_in_vectors;
        return Role{side, left ? p.left_axis : p.right_axis, left,
                    side.expanded == nullptr ? nullptr : side.expanded->expansion(kernels, in_vectors)};
    };
    const Role repeated = role(!left_in_vectors), vectors = role(left_in_vectors);

    std::size_t work = 0;
    for (const GemmPart &part : p.factors.parts) work += steps(part, p.depth);
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
    return {p,
            kernels,
            repeated,
            vectors,
            piece_of(p.factors, kernels, p.depth),
            rows,
            columns,
            ceil_div(repeated.axis.size, rows),
            ceil_div(vectors.axis.size, columns),
            {tiles, static_cast<int>(std::min(workers, tiles))}};
}

// Rows [begin, begin + size) of one side.
struct Range {
    std::size_t begin, size;
};

// Some rows of one side, expanded for a piece, and where their sums lie.
class Rows {
  public:
    // Expands them, unless that was done before. Begins at a multiple of the width.
    void take(const GemmPlan &plan, const Role &role, std::size_t batch, Range range, std::size_t k) {
        size_ = range.size;
        if (role.expansion != nullptr) {
            stretch_ = &role.expansion->at(batch, k);
            first_ = range.begin;
            return;
        }
        const Block block{batch, range.begin, size_, k, std::min(plan.piece, plan.product.depth - k), size_};
        const std::size_t width = &role == &plan.vectors ? plan.kernels.columns : plan.kernels.rows;
        const auto from = [&](const auto &operand) {
            own_.take(operand, block, plan.product.factors, role.left, plan.kernels, width);
        };
        if (role.side.bytes != nullptr)
            from(*role.side.bytes);
        else
            from(*role.side.indices);
        stretch_ = &own_;
        first_ = 0;
    }
    // The sums lie as the axis says, or one after the other, `step` apart.
    void lie(const Axis &axis, std::size_t begin) {
        offsets_.resize(size_);
        for (std::size_t row = 0; row < size_; ++row) offsets_[row] = axis.offset(begin + row);
    }
    void lie(std::size_t step) {
        offsets_.resize(size_);
        for (std::size_t row = 0; row < size_; ++row) offsets_[row] = row * step;
    }

    std::size_t size() const { return size_; }
    std::size_t depth() const { return stretch_->depth(); }
    const std::uint32_t *at(std::size_t part, std::size_t row, std::size_t steps) const {
        return stretch_->at(part, first_ + row, steps);
    }
    const std::int64_t *sums(std::size_t row) const { return stretch_->sums(first_ + row); }
    const std::size_t *offsets(std::size_t row) const { return offsets_.data() + row; }

  private:
    Stretch own_;
    const Stretch *stretch_ = nullptr;
    std::size_t first_ = 0, size_ = 0;
    std::vector<std::size_t> offsets_;
};

// A register tile's place: from `row` of the repeated side and `column` of the one in vectors.
struct Place {
    const Rows &repeated, &vectors;
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
    Rows repeated, vectors;
    Scratch<std::int32_t> waiting;
    alignas(64) std::int32_t sums[kMostGemmRows * kMostGemmColumns] = {};
};

// Steps after which 16-bit sums of bytes are full; all of them where sums have 32 bits.
std::size_t chunk(const GemmPart &part, const GemmKernels &kernels, std::size_t all) {
    // Of the four products of a step, two and two meet in one sum.
    return part.bytes && kernels.byte_sums == INT16_MAX ? part.depth / 2 * part.terms() : all;
}

// Adds the products of the scratch's rows for a piece to the sums, or writes them where it is the first one.
template <class Out>
void multiply_block(const GemmPlan &plan, GemmScratch &scratch, bool first, Out *out) {
    const Rows &repeated = scratch.repeated, &vectors = scratch.vectors;
    const GemmFactors &factors = plan.product.factors;
    const GemmKernels &kernels = plan.kernels;
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

struct Tile {
    std::size_t batch;
    Range rows, columns;

    Tile(const GemmPlan &plan, std::size_t tile) : batch(tile / (plan.row_tiles * plan.column_tiles)) {
        const std::size_t row = tile / plan.column_tiles % plan.row_tiles * plan.rows_per_tile;
        const std::size_t column = tile % plan.column_tiles * plan.columns_per_tile;
        rows = {row, std::min(plan.rows_per_tile, plan.repeated.axis.size - row)};
        columns = {column, std::min(plan.columns_per_tile, plan.vectors.axis.size - column)};
    }
};

// Calls visit for pieces of the range, `size` rows each.
template <class Visit>
void each_block(const Range &range, std::size_t size, const Visit &visit) {
    for (std::size_t done = 0; done < range.size; done += size)
        visit(Range{range.begin + done, std::min(size, range.size - done)});
}

template <class Out>
void multiply_tile(const GemmPlan &plan, const Tile &tile, GemmScratch &scratch, Out *out) {
    const FactoredProduct &p = plan.product;
    out += tile.batch * p.batch_stride;
    for (std::size_t k = 0; k < p.depth; k += plan.piece) {
        scratch.vectors.take(plan, plan.vectors, tile.batch, tile.columns, k);
        scratch.vectors.lie(plan.vectors.axis, tile.columns.begin);
        each_block(tile.rows, kRepeated, [&](const Range &rows) {
            scratch.repeated.take(plan, plan.repeated, tile.batch, rows, k);
            scratch.repeated.lie(plan.repeated.axis, rows.begin);
            multiply_block(plan, scratch, k == 0, out);
        });
    }
}

// Some left rows at a time, by all of the tile's right ones, which were expanded before, all pieces; then the sums are
// scaled.
void scale_tile(const GemmPlan &plan, const Tile &tile, const Scaling &scaling, GemmScratch &scratch, float *out) {
    const FactoredProduct &p = plan.product;
    const Layout layout{p.left_axis, p.right_axis, p.batch, p.batch_stride};
    const bool repeats_left = plan.repeated.left;
    const Range &lefts = repeats_left ? tile.rows : tile.columns, &rights = repeats_left ? tile.columns : tile.rows;
    const std::size_t width = repeats_left ? plan.kernels.rows : plan.kernels.columns;
    const std::size_t most = repeats_left ? kRepeated : kVectors;
    const std::size_t block = std::clamp(kWaiting / rights.size / width * width, width, most / width * width);
    each_block(lefts, block, [&](const Range &some) {
        const Range &rows = repeats_left ? some : rights, &columns = repeats_left ? rights : some;
        std::int32_t *const sums = scratch.waiting.of(rows.size * columns.size);
        for (std::size_t k = 0; k < p.depth; k += plan.piece) {
            scratch.vectors.take(plan, plan.vectors, tile.batch, columns, k);
            scratch.repeated.take(plan, plan.repeated, tile.batch, rows, k);
            scratch.vectors.lie(1);
            scratch.repeated.lie(columns.size);
            multiply_block(plan, scratch, k == 0, sums);
        }
        const std::size_t row_step = columns.size;
        scale_block({sums, repeats_left ? row_step : 1, repeats_left ? 1 : row_step, tile.batch, some.begin, some.size,
                     rights.begin, rights.size},
                    layout, scaling, out);
    });
}

// Calls run(the plan, a tile, a worker's scratch) for all tiles of a product that is not empty.
template <class Run>
Schedule with_tiles(const GemmPlan &plan, const Run &run) {
    parallel_for(plan.schedule.tiles, plan.schedule.workers, [&](const Next &next) {
        GemmScratch scratch;
        for (std::size_t tile; next(tile);) run(Tile(plan, tile), scratch);
    });
    return plan.schedule;
}

const GemmKernels &kernels_for(const GemmFactors &factors) {
    const GemmKernels &kernels = gemm_kernels();
    for (const GemmPart &part : factors.parts)
        if (part.bytes && factors.byte_sums > kernels.byte_sums)
            throw std::invalid_argument("factors are in bytes whose sums these kernels do not hold");
    return kernels;
}

}  // namespace

template <class Out>
Schedule multiply(const FactoredProduct &product, Out *out, int threads) {
    const GemmKernels &kernels = kernels_for(product.factors);
    if (product.empty()) return {};
    if (product.depth == 0) {
        std::fill(out, out + product.size(), Out{0});
        return {};
    }
    const GemmPlan plan = make_plan(product, kernels, threads);
    return with_tiles(plan, [&](const Tile &tile, GemmScratch &scratch) { multiply_tile(plan, tile, scratch, out); });
}

template <class Out>
Schedule multiply(const Product<std::uint8_t> &p, const GemmFactors &factors, Out *out, int threads) {
    return multiply(FactoredProduct{factors,
                                    {&p.left, nullptr, nullptr},
                                    {&p.right, nullptr, nullptr},
                                    p.left_axis,
                                    p.right_axis,
                                    p.batch,
                                    p.batch_stride,
                                    p.depth},
                    out, threads);
}

Schedule multiply(const FactoredProduct &product, const Scaling &scaling, float *out, int threads) {
    const GemmKernels &kernels = kernels_for(product.factors);
    if (product.empty()) return {};
    const bool narrow = static_cast<std::int64_t>(product.depth) <=
                        std::numeric_limits<std::int32_t>::max() / std::max<std::int64_t>(product.factors.largest, 1);
    if (narrow && product.depth > 0) {
        const GemmPlan plan = make_plan(product, kernels, threads);
        const Role &right = plan.repeated.left ? plan.vectors : plan.repeated;
        if (right.expansion != nullptr)
            return with_tiles(
                plan, [&](const Tile &tile, GemmScratch &scratch) { scale_tile(plan, tile, scaling, scratch, out); });
    }
    const Layout layout{product.left_axis, product.right_axis, product.batch, product.batch_stride};
    const auto through = [&](auto *sums) {
        const Schedule used = multiply(product, sums, threads);
        scale_sums(sums, layout, scaling, out, threads);
        return used;
    };
    if (narrow) return through(std::unique_ptr<std::int32_t[]>(new std::int32_t[product.size()]).get());
    return through(std::unique_ptr<std::int64_t[]>(new std::int64_t[product.size()]).get());
}

template Schedule multiply(const FactoredProduct &, std::int32_t *, int);
template Schedule multiply(const FactoredProduct &, std::int64_t *, int);
template Schedule multiply(const Product<std::uint8_t> &, const GemmFactors &, std::int32_t *, int);
template Schedule multiply(const Product<std::uint8_t> &, const GemmFactors &, std::int64_t *, int);

}  // namespace axsim

// Sums of products through segment tables. For each operand of the rows, the table shrinks to 256 entries.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "floating/plan.h"

namespace axsim::floating {
namespace {

void pack_columns(const Plan &plan, const Part &part, std::size_t k, SegmentScratch &scratch) {
    const std::size_t width = scratch.columns.size();
    const Multiplier &multiplier = plan.problem.multiplier;
    scratch.column_range = Range{};
    pack(multiplier, plan.kernels, plan.columns, {part.batch, part.column, part.columns, k, 1, width},
         scratch.columns.data());
    plan.kernels.split_columns(plan.column_side(), multiplier.rules(), scratch.columns.data(), plan.kernels.columns,
                               width / plan.kernels.columns, scratch.column_weights.data(), scratch.column_range);
    extract_segments(multiplier, scratch.columns.data(), width, width, scratch.column_segments.data());
}

void add_row(const Plan &plan, float operand, double weight, const SegmentScratch &scratch, double *sums) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const double size = std::fabs(weight);
    Range range;
    if (size != 0) range = {size, size};  // of NaN nothing is always normal
    const bool fast = multiplier.has_fast_segments() && always_normal(multiplier.rules(), range, scratch.column_range);
    if (fast && size == 0) return;  // would add zeros to sums, which never are -0

    std::uint8_t segment[kSegments];
    extract_segments(multiplier, &operand, 1, 1, segment);
    alignas(64) std::array<double, kEntries> combined;
    const double *entries = combined.data();
    if (fast && multiplier.segments() == 1)
        entries = multiplier.normalised(plan.left_rows) + segment[0] * kEntries;
    else
        plan.kernels.combine(multiplier.table(plan.left_rows), segment, multiplier.segments(), combined.data());
    const Gather gather = (fast ? plan.kernels.fast : plan.kernels.checked)[multiplier.segments() - 1];
    const std::size_t width = scratch.columns.size();
    gather(multiplier.rules(), entries, scratch.column_segments.data(), width, scratch.column_weights.data(), weight,
           width, sums);
}

}  // namespace

void extract_segments(const Multiplier &multiplier, const float *x, std::size_t count, std::size_t stride,
                      std::uint8_t *segments) {
    const int m = multiplier.rules().fraction_bits;
    for (std::size_t i = 0; i < count; ++i) {
        const double value = x[i];  // normalises subnormal numbers
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        const std::uint64_t significand = (bits & ((std::uint64_t{1} << 52) - 1)) >> (52 - m) | std::uint64_t{1} << m;
        for (int s = 0; s < multiplier.segments(); ++s)
            segments[static_cast<std::size_t>(s) * stride + i] = static_cast<std::uint8_t>(significand >> (8 * s));
    }
}

void compute_segment_part(const Plan &plan, const Part &part, SegmentScratch &scratch) {
    const Multiplier &multiplier = plan.problem.multiplier;
    const std::size_t width = round_up(part.columns, plan.kernels.columns);
    scratch.rows.resize(round_up(part.rows, plan.kernels.columns));
    scratch.row_weights.resize(part.rows);
    scratch.columns.resize(width);
    scratch.column_weights.resize(width);
    scratch.column_segments.resize(width * static_cast<std::size_t>(multiplier.segments()));
    scratch.sums.assign(part.rows * width, 0.0);

    for (std::size_t k = 0; k < plan.problem.depth; ++k) {
        Range all_rows;
        pack_columns(plan, part, k, scratch);
        pack(multiplier, plan.kernels, plan.rows, {part.batch, part.row, part.rows, k, 1, part.rows},
             scratch.rows.data());
        plan.kernels.split_row(plan.row_side(), multiplier.rules(), scratch.rows.data(), 1, part.rows,
                               scratch.row_weights.data(), all_rows);
        for (std::size_t row = 0; row < part.rows; ++row)
            add_row(plan, scratch.rows[row], scratch.row_weights[row], scratch, &scratch.sums[row * width]);
    }
    write_sums(plan, part.batch, part.row, part.rows, part.column, part.columns, width, scratch.sums.data());
}

}  // namespace axsim::floating

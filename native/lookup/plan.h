// How an output is cut into tiles, and which operand streams through the kernel.
#pragma once
#include <cstddef>

#include "lookup/kernels.h"
#include "lookup/sums.h"

namespace axsim {

// The kernel for the next of `lanes` lanes; nullptr where they are best taken one by one.
template <class Entry>
const WideKernel<Entry> *choose(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes);

// Nanoseconds per term, estimated, for so many rows of the stream and lanes, with what it takes to pack them and to
// write `terms` terms' sums.
double lookup_time(const Columns &columns, std::size_t rows, std::size_t lanes, std::size_t terms);

// One side streams through the kernel, the other is fixed, some lanes at a time. A tile is some rows of the
// stream, some terms and some lanes. Tiles of the same rows and terms are consecutive: they share the packed stream.
struct TilePlan {
    const Columns &columns;
    const Operand<std::uint8_t> &stream;
    const Operand<std::uint16_t> &fixed;
    Axis stream_axis, fixed_axis;
    bool fixed_left;
    bool paired;                     // both passes at once, of all terms
    std::size_t depth;               // terms, of all passes
    std::size_t rows, terms, lanes;  // of a tile
    std::size_t row_tiles, term_tiles, lane_tiles;
    Schedule schedule;
};

// Whether the left operand is the one that is fixed; depth counts operands, not passes.
bool fixes_left(const Table &table, std::size_t left_rows, std::size_t right_rows, std::size_t depth);
template <class Entry>
TilePlan plan_tiles(const Lookups &problem, bool fixed_left, int threads);

}  // namespace axsim

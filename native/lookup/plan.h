// How an output is cut into tiles, and which operand streams through the kernel.
#pragma once
#include <cstddef>

#include "lookup/kernels.h"
#include "lookup/sums.h"

namespace axsim {

// The kernel for the next of `lanes` lanes; nullptr where they are best taken one by one.
template <class Entry>
const WideKernel<Entry> *choose(const Kernel<Entry> &kernel, std::size_t rows, std::size_t lanes);

// One side streams through the kernel, the other is fixed, some lanes at a time. A tile is some rows of the
// stream, some terms and some lanes. Tiles of the same rows and terms are consecutive: they share the packed stream.
struct TilePlan {
    const Operand<std::uint8_t> &stream, &fixed;
    Axis stream_axis, fixed_axis;
    bool fixed_left;
    std::size_t rows, terms, lanes;  // of a tile
    std::size_t row_tiles, term_tiles, lane_tiles;
    Schedule schedule;
};

template <class Entry>
TilePlan plan_tiles(const Problem &problem, int threads);

}  // namespace axsim

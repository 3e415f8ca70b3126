// The inner loops of weighted sums of table entries (sums.h), and which of them this processor gets.
//
// A strip is a matrix of table entries, a line for each value that an operand can have. All sets give the same bits:
// products are rounded before they are added, in the order that stands here.
#pragma once
#include <cstddef>
#include <cstdint>

namespace axsim::weighted {

constexpr std::size_t kLanes = 16;   // of a sum over columns
constexpr std::size_t kPieces = 4;   // groups of so many columns that a strip has, at most
constexpr std::size_t kBlock = 256;  // rows that a kernel takes at most

// sums[i] = sum over j of g[i * stride + j] * strip[values[i]][j] for i < count. Column j is added to lane j % kLanes,
// in rising order; then lanes l and l + 8, l and l + 4, (0 + 1) + (2 + 3).
using Dots = void (*)(const float *g, std::size_t stride, const std::uint16_t *values, const float *strip,
                      std::size_t count, float *sums);

// sums[j] = sum over i < count of g[i * stride + j] * strip[values[i]][j], in rising order.
using Columns = void (*)(const float *g, std::size_t stride, const std::uint16_t *values, const float *strip,
                         std::size_t count, float *sums);

struct Kernels {
    Dots dots[kPieces];  // by a strip's columns / kLanes - 1
    Columns columns[kPieces];
};

// One function for each instruction set's file; see common/dispatch.h.
const Kernels *portable_kernels();
const Kernels *avx2_kernels();
const Kernels *avx512_kernels();

// Those of axsim::isa(), which throws where the environment names none that runs.
const Kernels &kernels();

}  // namespace axsim::weighted

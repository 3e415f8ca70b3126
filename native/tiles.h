// Sums of table entries over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>
#include <cstdint>

#include "panel.h"
#include "table.h"

namespace axsim {

// Where the rows of one side lie in the output: element i is at (i / inner) * outer_stride + (i % inner) * stride.
struct Axis {
    std::size_t size, inner, outer_stride, stride;

    std::size_t offset(std::size_t i) const { return i / inner * outer_stride + i % inner * stride; }
};

// out[batch * batch_stride + left.offset(i) + right.offset(j)] =
//     sum over k < depth of T[left operand at (batch, i, k), right operand at (batch, j, k)]
struct Product {
    const Operand &left, &right;
    Axis left_axis, right_axis;
    std::size_t batch, batch_stride, depth;
};

struct Problem : Product {
    const Table &table;
};

struct Schedule {
    std::size_t tiles = 0;
    int workers = 0;
};

// Computes every output element. Out is int32 (sums modulo 2**32) or int64 (true sums). Uses up to `threads`
// threads, fewer where the work would not pay for starting them. Returns what was used.
template <class Out>
Schedule compute(const Problem &problem, Out *out, int threads);

}  // namespace axsim

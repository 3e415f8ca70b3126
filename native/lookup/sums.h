// Sums of table entries over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/operand.h"
#include "lookup/table.h"
#include "quantise/scaling.h"

namespace axsim {

// One side of a product, for both parts that it can have (lookup/table.h): the bytes that stream, in as many passes as
// the table asks for, one after the other in every matrix; and the numbers of the other side's columns in such passes,
// where it is fixed. nullptr: it never has that part.
struct Side {
    const Operand<std::uint8_t> *stream;
    const Operand<std::uint16_t> *fixed;
};

// A product (common/operand.h) whose * is a look-up in the table. `depth` counts operands, not passes.
struct Lookups {
    const Table &table;
    Side left, right;
    Axis left_axis, right_axis;
    std::size_t batch, batch_stride, depth;

    bool empty() const { return batch == 0 || left_axis.size == 0 || right_axis.size == 0; }
    std::size_t size() const { return batch * left_axis.size * right_axis.size; }
};

// Computes every output element. Out is int32 (sums modulo 2**32) or int64 (true sums). Uses up to `threads`
// threads, fewer where the work would not pay for starting them. Returns what was used.
template <class Out>
Schedule compute(const Lookups &problem, Out *out, int threads);

// The same of bytes, neither side being signed.
template <class Out>
Schedule compute(const Product<std::uint8_t> &product, const Table &table, Out *out, int threads);

// The sums as real numbers; they are never written anywhere else where there are few enough terms.
Schedule compute(const Lookups &problem, const Scaling &scaling, float *out, int threads);

}  // namespace axsim

// Sums of table entries as exact integer matrix products, for a table that has factors.
#pragma once
#include "common/operand.h"
#include "factored/expansion.h"
#include "factored/factors.h"
#include "quantise/scaling.h"

namespace axsim {

// One side of a product: bytes, or indices of signed operands; the other is nullptr. And what they were expanded to
// before, if they were.
struct FactorsSide {
    const Operand<std::uint8_t> *bytes;
    const Operand<std::uint16_t> *indices;
    const Expansions *expanded;
};

// A product (common/operand.h) whose * is that of the table with those factors.
struct FactoredProduct {
    const GemmFactors &factors;
    FactorsSide left, right;
    Axis left_axis, right_axis;
    std::size_t batch, batch_stride, depth;

    bool empty() const { return batch == 0 || left_axis.size == 0 || right_axis.size == 0; }
    std::size_t size() const { return batch * left_axis.size * right_axis.size; }
};

// As `compute` in lookup/sums.h, by multiplying what the operands expand to. Operands that were not expanded before
// are packed and expanded a block at a time.
template <class Out>
Schedule multiply(const FactoredProduct &product, Out *out, int threads);

// The same of bytes, expanded as they are read.
template <class Out>
Schedule multiply(const Product<std::uint8_t> &product, const GemmFactors &factors, Out *out, int threads);

// The sums as real numbers. Where the right side was expanded before, and 32 bits hold the sums, they are written
// nowhere else.
Schedule multiply(const FactoredProduct &product, const Scaling &scaling, float *out, int threads);

}  // namespace axsim

// Sums of table entries as exact integer matrix products, for a table that has factors.
#pragma once
#include "common/operand.h"
#include "factored/factors.h"

namespace axsim {

// As `compute` in lookup/sums.h, by multiplying what the operand bytes expand to. Operands are packed and
// expanded a block at a time.
template <class Out>
Schedule multiply(const Product<std::uint8_t> &product, const GemmFactors &factors, Out *out, int threads);

}  // namespace axsim

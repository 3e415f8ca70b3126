// Sums of table entries as exact integer matrix products, for a table that has factors.
#pragma once
#include "gemm_factors.h"
#include "tiles.h"

namespace axsim {

// As `compute` in native/tiles.h, by multiplying what the operand bytes expand to. Operands are packed and
// expanded a block at a time.
template <class Out>
Schedule multiply(const Product &product, const GemmFactors &factors, Out *out, int threads);

}  // namespace axsim

// Sums of table entries over a whole output, cut into tiles that threads share.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/operand.h"
#include "lookup/table.h"

namespace axsim {

// The product whose * is a look-up in the table.
struct Problem : Product<std::uint8_t> {
    const Table &table;
};

// Computes every output element. Out is int32 (sums modulo 2**32) or int64 (true sums). Uses up to `threads`
// threads, fewer where the work would not pay for starting them. Returns what was used.
template <class Out>
Schedule compute(const Problem &problem, Out *out, int threads);

}  // namespace axsim

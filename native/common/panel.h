// Operands in the order in which kernels read them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/attributes.h"

namespace axsim {

// `rows` x `depth` operand bytes, four consecutive k of a row side by side:
//
//     bytes[k / 4][row][k % 4]
//
// If depth is not a multiple of four, the last bytes of each row mean nothing and no kernel reads them: a
// table's T[0, 0] need not be 0, so there is no harmless padding.
struct Panel {
    static constexpr std::size_t kGroup = 4;

    const std::uint8_t *bytes;
    std::size_t rows;
    std::size_t depth;

    AXSIM_INLINE const std::uint8_t *at(std::size_t row, std::size_t k) const {
        return bytes + (k / kGroup * rows + row) * kGroup + k % kGroup;
    }
    AXSIM_INLINE static std::size_t size(std::size_t rows, std::size_t depth) {
        return (depth + kGroup - 1) / kGroup * rows * kGroup;
    }
};

}  // namespace axsim

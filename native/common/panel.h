// Operands in the order in which kernels read them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/attributes.h"

namespace axsim {

// `rows` x `depth` operands, four consecutive k of a row side by side:
//
//     elements[k / 4][row][k % 4]
//
// of which there are `stride` rows in memory. If depth is not a multiple of four, the last elements of each row mean
// nothing and no kernel reads them: a table's T[0, 0] need not be 0, so there is no harmless padding.
template <class T>
struct PanelOf {
    static constexpr std::size_t kGroup = 4;

    const T *elements;
    std::size_t rows, depth, stride;

    AXSIM_INLINE const T *at(std::size_t row, std::size_t k) const {
        return elements + (k / kGroup * stride + row) * kGroup + k % kGroup;
    }
    AXSIM_INLINE static std::size_t size(std::size_t rows, std::size_t depth) {
        return (depth + kGroup - 1) / kGroup * rows * kGroup;
    }
};
using Panel = PanelOf<std::uint8_t>;

}  // namespace axsim

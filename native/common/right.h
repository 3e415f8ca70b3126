// Right operands that do not change between calls, in memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace axsim {

// An operand's value as an index: a byte, or its magnitude and, as bit 8, its sign.
inline std::uint16_t index_of(std::uint8_t value) { return value; }
inline std::uint16_t index_of(std::int16_t value) {
    if (value < -255 || value > 255) throw std::invalid_argument("a signed operand is not in -255 to 255");
    return static_cast<std::uint16_t>(value < 0 ? 256 - value : value);
}

// Throws std::invalid_argument unless all are operands.
inline void require_operands(const std::uint8_t *, std::size_t) {}
inline void require_operands(const std::int16_t *values, std::size_t count) {
    std::int16_t least = 0, most = 0;
    for (std::size_t i = 0; i < count; ++i) {
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
    }
    index_of(least);
    index_of(most);
}

// index_of of operands that were looked at before: a loop of these becomes vectors.
inline std::uint16_t known_index(std::uint8_t value) { return value; }
inline std::uint16_t known_index(std::int16_t value) {
    const auto negative = static_cast<std::int16_t>(-(value < 0));
    return static_cast<std::uint16_t>((value ^ negative) - negative + (negative & 256));
}

// `groups` matrices of `rows` right rows by `depth` terms: element (group, row, k) is at
// group * rows * depth + row * row_stride + k * k_stride.
struct RightShape {
    std::size_t groups, rows, depth, row_stride, k_stride;

    std::size_t channels() const { return groups * rows; }
    std::size_t size() const { return rows * depth; }  // of one matrix
};

struct RightMatrices : RightShape {
    std::vector<std::uint16_t> indices;
    bool is_signed;  // whether bit 8 is a sign; else they are bytes

    // The sum of a row's values; bytes may be those of int8.
    double sum(std::size_t group, std::size_t row, bool bytes_are_signed) const {
        const std::uint16_t *const from = indices.data() + group * size() + row * row_stride;
        std::int64_t sum = 0;
        for (std::size_t k = 0; k < depth; ++k) {
            const auto index = static_cast<std::int64_t>(from[k * k_stride]);
            if (is_signed)
                sum += index >= 256 ? 256 - index : index;
            else
                sum += bytes_are_signed && index >= 128 ? index - 256 : index;
        }
        return static_cast<double>(sum);
    }
};

}  // namespace axsim

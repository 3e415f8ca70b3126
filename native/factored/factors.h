// The factors of a table, in the form in which they are expanded and multiplied.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace axsim {

// One side of one term: a number for every operand byte.
struct Component {
    // Throws std::invalid_argument unless all values fit: 16 bits for words; for bytes, 8 bits without a sign for
    // the left side and with one for the right side.
    Component(const std::int16_t *values, bool bytes, bool left);

    std::int16_t words[256];
    // The number less `base`, modulo 256: what vectors of bytes look up. Of no use unless `narrow`.
    std::uint8_t bytes[256];
    std::int16_t base;
    bool narrow;
    // bytes[v] == low[v & 15] + high[v >> 4], modulo 256, for all v if `separable`.
    bool separable;
    std::uint8_t low[16], high[16];
};

// Terms whose products are added up together, as 16-bit words or as bytes; the sums count 2**shift times.
struct GemmPart {
    bool bytes;
    unsigned shift;
    std::size_t depth;  // the number of operand pairs whose products are sure to fit the kernel's sums
    std::vector<Component> left, right;

    std::size_t terms() const { return left.size(); }
};

// T[a, b] = left_sums[a] + right_sums[b] + sum over parts and terms of 2**shift left[a] right[b]
struct GemmFactors {
    // The largest magnitude that sums of bytes may reach, for which the depths of parts in bytes hold.
    std::int32_t byte_sums;
    std::vector<std::int64_t> left_sums, right_sums;  // 256 each; empty where all are 0
    std::vector<GemmPart> parts;
};

}  // namespace axsim

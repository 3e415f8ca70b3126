// The factors of a table, in the form in which they are expanded and multiplied.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace axsim {

constexpr std::size_t kIndices = 512;  // of operands with a sign (common/right.h); of bytes, half of them

// One side of one term: a number for every operand index.
struct Component {
    // Throws std::invalid_argument unless all `count` values, 256 or kIndices, fit: 16 bits for words; for bytes, 8
    // bits without a sign for the left side and with one for the right side.
    Component(const std::int16_t *values, std::size_t count, bool bytes, bool left);

    std::int16_t words[kIndices];
    // The number less `base`, modulo 256: what vectors of bytes look up, the first 256.
    std::uint8_t bytes[kIndices];
    std::int16_t base;
    // Whether vectors can look the numbers of indices up to 255 up.
    bool narrow;
    // Whether those from 257 on are those of 256 less, negated.
    bool odd;
    // bytes[v] == low[v & 15] + high[v >> 4], modulo 256, for all v up to 255 if `separable`.
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
    std::vector<std::int64_t> left_sums, right_sums;  // one for each index; empty where all are 0
    std::vector<GemmPart> parts;
    bool left_signed = false, right_signed = false;  // whether operands have signs, and kIndices
    std::int64_t largest = 0;                        // magnitude of all T[a, b]
};

}  // namespace axsim

// A folded product table in the layouts that kernels read.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace axsim {

constexpr std::size_t kSide = 256;  // entries of one fixed operand

// Entries are kept as uint16 above an offset (the smallest entry) where the range allows it, else as int32:
// T[a, b] = entry + offset. Both orders are kept, so that the entries of any fixed operand, left or right, are
// 256 neighbours (half a kibibyte) and either operand can be the one that streams.
class Table {
  public:
    explicit Table(const std::int32_t *values);  // 256 x 256, [a][b]

    bool narrow() const { return !rows16_.empty(); }
    std::int64_t offset() const { return offset_; }
    // The largest number of entries whose sum a 32-bit accumulator holds (unsigned if narrow, else signed).
    std::size_t safe_depth() const { return safe_depth_; }

    template <class Entry>
    const Entry *entries(bool fixed_left) const;  // [fixed operand][other operand]

  private:
    // Memory at the alignment that kernels ask for.
    struct alignas(64) Line {
        std::uint8_t bytes[64];
    };
    std::vector<Line> rows16_, columns16_;
    std::vector<std::int32_t> rows32_, columns32_;
    std::int64_t offset_ = 0;
    std::size_t safe_depth_ = 0;
};

template <>
inline const std::uint16_t *Table::entries<std::uint16_t>(bool fixed_left) const {
    return reinterpret_cast<const std::uint16_t *>((fixed_left ? rows16_ : columns16_).data());
}
template <>
inline const std::int32_t *Table::entries<std::int32_t>(bool fixed_left) const {
    return fixed_left ? rows32_.data() : columns32_.data();
}

// Behind the 16-bit entries of all fixed operands lie their bytes once more, for kernels that look bytes up: for each
// fixed operand the 256 low ones, then the 256 high ones. They begin at a multiple of 64 bytes.
static inline const std::uint8_t *byte_planes(const std::uint16_t *entries, std::size_t fixed) {
    return reinterpret_cast<const std::uint8_t *>(entries + (kSide + fixed) * kSide);
}

}  // namespace axsim

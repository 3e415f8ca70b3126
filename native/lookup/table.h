// A product table in the layouts that kernels read.
//
// Kernels know one thing: columns of 256 entries, one for each value that the fixed operand can have, indexed by the
// bytes of the operand that streams. Either operand can be the one that streams.
//
// A signed operand (sign and magnitude) has 9 bits: its magnitude and, as bit 8, its sign; the product's sign is that
// of the operands' signs together. Where it is fixed, its negative values are columns of their own and cost nothing.
// Where it streams, it streams twice, once for each sign, with 0 in the place of what has the other sign: the sum is
//
//     sum over k of T[0, f] + (T[p, f] - T[0, f]) + (-T[n, f] - T[0, f]),   p = max(s, 0), n = max(-s, 0)
//
// for values s and f at k, and both brackets are 0 where p and n are. So such a product is one of twice the depth, and
// each value of the fixed operand has two columns. A kernel may take both passes at once (Kernel::paired).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/attributes.h"

namespace axsim {

constexpr std::size_t kSide = 256;  // entries of one column

// The sum of products is the sum of entries and offsets of the columns: T = entry + offset.
class Columns {
  public:
    // value(f, m): the product of the fixed operand's value f (an index, bit 8 its sign) and the magnitude or byte m of
    // the one that streams.
    template <class Value>
    Columns(bool fixed_signed, bool stream_signed, const Value &value);

    // How often the operand that streams does so: 1, or 2 where it is signed.
    std::size_t passes() const { return passes_; }
    // The column of the fixed operand's value f in a pass.
    std::uint16_t column(std::size_t f, std::size_t pass) const {
        return static_cast<std::uint16_t>(f + pass * values_);
    }
    // Whether entries are uint16, which takes that no column's range is wider, else int32.
    bool narrow() const { return !narrow_.empty(); }
    // The largest number of entries whose sum a 32-bit accumulator holds (unsigned if narrow, else signed).
    std::size_t safe_depth() const { return safe_depth_; }
    const std::int64_t *offsets() const { return offsets_.data(); }
    // Whether all offsets are 0, as of unsigned circuits, where each value has a product of 0.
    bool plain() const { return plain_; }
    // Whether the operand that streams is signed, and a product with its negative value is the entry of the first pass,
    // negated: the fixed one has no sign, the entries are uint16, and all products with 0 are 0.
    bool mirrored() const { return mirrored_; }

    template <class Entry>
    const Entry *entries() const;  // [column][kSide]

  private:
    struct alignas(64) Line {  // kernels ask for this alignment
        std::uint8_t bytes[64];
    };
    void lay_out(const std::vector<std::int32_t> &products);

    std::size_t passes_, values_, count_;
    std::vector<Line> narrow_;
    std::vector<std::int32_t> wide_;
    std::vector<std::int64_t> offsets_;
    std::size_t safe_depth_ = 0;
    bool plain_ = false, mirrored_ = false;
};

template <>
inline const std::uint16_t *Columns::entries<std::uint16_t>() const {
    return reinterpret_cast<const std::uint16_t *>(narrow_.data()) + count_ * kSide;  // behind their bytes
}
template <>
inline const std::int32_t *Columns::entries<std::int32_t>() const {
    return wide_.data();
}

// Before the 16-bit entries of all columns lie their bytes once more, for kernels that look bytes up, the first
// column's last: for each column the 256 low ones, then the 256 high ones. They begin at a multiple of 64 bytes.
AXSIM_INLINE const std::uint8_t *byte_planes(const std::uint16_t *entries, std::size_t column) {
    // Not entries - (column + 1) * kSide, of which GCC makes a subtraction for every load.
    return reinterpret_cast<const std::uint8_t *>(entries + static_cast<std::ptrdiff_t>(~column) *
                                                                static_cast<std::ptrdiff_t>(kSide));
}

class Table {
  public:
    // values: 256 x 256, [a][b]; of a signed operand, the index is its magnitude.
    explicit Table(const std::int32_t *values, bool left_signed = false, bool right_signed = false);

    // The largest magnitude of a product, at least 1.
    std::size_t largest() const { return largest_; }
    bool is_signed(bool left) const { return left ? left_signed_ : right_signed_; }
    // For the left operand fixed, or for the right one.
    const Columns &columns(bool fixed_left) const { return fixed_left ? rows_ : columns_; }

  private:
    bool left_signed_, right_signed_;
    std::size_t largest_;
    Columns rows_, columns_;
};

}  // namespace axsim

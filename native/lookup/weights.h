// A right operand that is prepared once: its columns' numbers or its bytes, packed as kernels read them.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/operand.h"
#include "lookup/table.h"

namespace axsim {

// Weights for one table, immutable. Both parts that they can have in a product (lookup/table.h) are packed when first
// asked for, by whichever thread comes first, without a lock that a forked child could find held.
class Weights {
  public:
    // `groups` matrices of `rows` right rows by `depth` terms; element (group, row, k) is values[group * rows * depth +
    // row * row_stride + k * k_stride], and has bit 8 set if it is negative.
    Weights(const Table &table, std::vector<std::uint16_t> values, std::size_t groups, std::size_t rows,
            std::size_t depth, std::size_t row_stride, std::size_t k_stride);

    const Table &table() const { return table_; }
    std::size_t groups() const { return groups_; }
    std::size_t rows() const { return rows_; }
    std::size_t depth() const { return depth_; }
    const std::uint16_t *values() const { return values_.data(); }

    // The numbers of the columns, in as many passes as the left operand streams in.
    const Operand<std::uint16_t> &fixed() const;
    // The bytes, in as many passes as they stream in.
    const Operand<std::uint8_t> &stream() const;
    // The sum of row `row` of group `group`.
    double sum(std::size_t group, std::size_t row, bool bytes_are_signed) const;

  private:
    template <class T>
    using Slot = std::atomic<const PackedOperand<T> *>;
    template <class T, class Element>
    const Operand<T> &packed(Slot<T> &slot, std::size_t passes, const Element &element) const;

    const Table &table_;
    std::vector<std::uint16_t> values_;
    std::size_t groups_, rows_, depth_, row_stride_, k_stride_;

    struct Slots {
        Slot<std::uint16_t> fixed{nullptr};
        Slot<std::uint8_t> stream{nullptr};
        ~Slots();
    };
    std::unique_ptr<Slots> slots_;
};

}  // namespace axsim

// A right operand that is prepared once: its columns' numbers or its bytes, packed as kernels read them.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/operand.h"
#include "layers/weights.h"
#include "lookup/table.h"

namespace axsim {

// Weights for one table, immutable. Both parts that they can have in a product (lookup/table.h) are packed when first
// asked for.
class LookupWeights : public Weights {
  public:
    // Throws std::invalid_argument unless the table takes such right operands.
    LookupWeights(const Table &table, RightMatrices right);
    ~LookupWeights() override;

    Schedule multiply(const LeftNumbers &a, std::size_t rows, const To &to, int threads) const override;
    Schedule convolve(const LeftNumbers &x, const ConvShape &shape, int outside, const To &to,
                      int threads) const override;

    const Table &table() const { return table_; }
    // The numbers of the columns, in as many passes as the left operand streams in.
    const Operand<std::uint16_t> &fixed() const;
    // The bytes, in as many passes as they stream in.
    const Operand<std::uint8_t> &stream() const;

  private:
    template <class T>
    using Slot = std::atomic<const PackedOperand<T> *>;
    template <class T, class Element>
    const Operand<T> &packed(Slot<T> &slot, std::size_t passes, const Element &element) const;

    const Table &table_;
    mutable Slot<std::uint16_t> fixed_{nullptr};
    mutable Slot<std::uint8_t> stream_{nullptr};
};

}  // namespace axsim

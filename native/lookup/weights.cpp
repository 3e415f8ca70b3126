#include "lookup/weights.h"

#include <utility>

namespace axsim {

Weights::Weights(const Table &table, std::vector<std::uint16_t> values, std::size_t groups, std::size_t rows,
                 std::size_t depth, std::size_t row_stride, std::size_t k_stride)
    : table_(table),
      values_(std::move(values)),
      groups_(groups),
      rows_(rows),
      depth_(depth),
      row_stride_(row_stride),
      k_stride_(k_stride),
      slots_(std::make_unique<Slots>()) {}

Weights::Slots::~Slots() {
    delete fixed.load();
    delete stream.load();
}

template <class T, class Element>
const Operand<T> &Weights::packed(Slot<T> &slot, std::size_t passes, const Element &element) const {
    if (const PackedOperand<T> *made = slot.load(std::memory_order_acquire)) return *made;
    const std::size_t matrix = rows_ * depth_;
    std::vector<T> all(groups_ * passes * matrix);  // [group][pass][k][row]
    T *to = all.data();
    for (std::size_t group = 0; group < groups_; ++group)
        for (std::size_t pass = 0; pass < passes; ++pass)
            for (std::size_t k = 0; k < depth_; ++k)
                for (std::size_t row = 0; row < rows_; ++row)
                    *to++ = element(values_[group * matrix + row * row_stride_ + k * k_stride_], pass);
    std::vector<std::int64_t> each(groups_);
    for (std::size_t group = 0; group < groups_; ++group) each[group] = static_cast<std::int64_t>(group);
    const MatrixOperand<T> operand(all.data(), each.data(), passes * matrix, 1, rows_);
    auto mine = std::make_unique<PackedOperand<T>>(operand, groups_, rows_, passes * depth_);
    const PackedOperand<T> *before = nullptr;
    if (slot.compare_exchange_strong(before, mine.get(), std::memory_order_acq_rel)) return *mine.release();
    return *before;  // another thread was faster
}

const Operand<std::uint16_t> &Weights::fixed() const {
    const Columns &columns = table_.columns(false);
    return packed<std::uint16_t>(slots_->fixed, columns.passes(),
                                 [&](std::uint16_t value, std::size_t pass) { return columns.column(value, pass); });
}

const Operand<std::uint8_t> &Weights::stream() const {
    return packed<std::uint8_t>(
        slots_->stream, table_.columns(true).passes(), [&](std::uint16_t value, std::size_t pass) {
            const bool negative = value >= kSide;
            return static_cast<std::uint8_t>(negative == (pass == 1) || table_.columns(true).passes() == 1 ? value : 0);
        });
}

double Weights::sum(std::size_t group, std::size_t row, bool bytes_are_signed) const {
    const std::uint16_t *const from = values_.data() + group * rows_ * depth_ + row * row_stride_;
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < depth_; ++k) {
        const auto value = static_cast<std::int64_t>(from[k * k_stride_]);
        if (table_.is_signed(false))
            sum += value >= 256 ? 256 - value : value;
        else
            sum += bytes_are_signed && value >= 128 ? value - 256 : value;
    }
    return static_cast<double>(sum);
}

}  // namespace axsim

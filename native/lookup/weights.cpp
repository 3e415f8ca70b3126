#include "lookup/weights.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "lookup/depthwise.h"
#include "lookup/left.h"

namespace axsim {

LookupWeights::LookupWeights(const Table &table, RightMatrices right)
    : Weights(std::move(right), table.is_signed(true)), table_(table) {
    if (table.is_signed(false) != this->right().is_signed)
        throw std::invalid_argument("w is int16 where the table takes signed right operands, else uint8");
}

LookupWeights::~LookupWeights() {
    delete fixed_.load();
    delete stream_.load();
}

template <class T, class Element>
const Operand<T> &LookupWeights::packed(Slot<T> &slot, std::size_t passes, const Element &element) const {
    if (const PackedOperand<T> *made = slot.load(std::memory_order_acquire)) return *made;
    const RightMatrices &w = right();
    std::vector<T> all(w.groups * passes * w.size());  // [group][pass][k][row]
    T *to = all.data();
    for (std::size_t group = 0; group < w.groups; ++group)
        for (std::size_t pass = 0; pass < passes; ++pass)
            for (std::size_t k = 0; k < w.depth; ++k)
                for (std::size_t row = 0; row < w.rows; ++row)
                    *to++ = element(w.indices[group * w.size() + row * w.row_stride + k * w.k_stride], pass);
    std::vector<std::int64_t> each(w.groups);
    for (std::size_t group = 0; group < w.groups; ++group) each[group] = static_cast<std::int64_t>(group);
    const MatrixOperand<T> operand(all.data(), each.data(), passes * w.size(), 1, w.rows);
    auto mine = std::make_unique<PackedOperand<T>>(operand, w.groups, w.rows, passes * w.depth);
    const PackedOperand<T> *before = nullptr;
    if (slot.compare_exchange_strong(before, mine.get(), std::memory_order_acq_rel)) return *mine.release();
    return *before;  // another thread was faster
}

const Operand<std::uint16_t> &LookupWeights::fixed() const {
    const Columns &columns = table_.columns(false);
    return packed<std::uint16_t>(fixed_, columns.passes(),
                                 [&](std::uint16_t index, std::size_t pass) { return columns.column(index, pass); });
}

const Operand<std::uint8_t> &LookupWeights::stream() const {
    const std::size_t passes = table_.columns(true).passes();
    return packed<std::uint8_t>(stream_, passes, [&](std::uint16_t index, std::size_t pass) {
        return static_cast<std::uint8_t>(passes == 1 || (index >= kSide) == (pass == 1) ? index : 0);
    });
}

namespace {

Schedule compute_to(const Lookups &problem, const To &to, int threads) {
    return std::visit(
        [&](const auto &into) {
            if constexpr (std::is_same_v<std::decay_t<decltype(into)>, ScaledTo>)
                return compute(problem, into.scaling, into.out, threads);
            else
                return compute(problem, into, threads);
        },
        to);
}

Schedule depthwise_to(const LookupWeights &w, const ConvShape &shape, const std::uint8_t *x, std::uint8_t outside,
                      const To &to, int threads) {
    const std::size_t filters = w.right().channels(), each = w.right().rows, pixels = shape.pixels();
    const auto sum = [&](auto *sums) {
        return compute_depthwise(w.table(), shape, x, w.right().indices.data(), filters, outside, sums, threads);
    };
    return std::visit(
        [&](const auto &into) {
            if constexpr (std::is_same_v<std::decay_t<decltype(into)>, ScaledTo>) {
                std::vector<std::int32_t> sums(shape.images * filters * pixels);
                const Schedule used = sum(sums.data());
                const Layout layout{Axis{shape.images * pixels, std::max<std::size_t>(pixels, 1), filters * pixels, 1},
                                    Axis{each, std::max<std::size_t>(each, 1), 0, pixels}, w.right().groups,
                                    each * pixels};
                scale_sums(sums.data(), layout, into.scaling, into.out, threads);
                return used;
            } else {
                return sum(into);
            }
        },
        to);
}

}  // namespace

Schedule LookupWeights::multiply(const LeftNumbers &a, std::size_t rows, const To &to, int threads) const {
    const auto use = [&](const Lookups &problem) { return compute_to(problem, to, threads); };
    return takes_signed() ? with_rows(*this, a.numbers, rows, use) : with_rows(*this, a.bytes, rows, use);
}

Schedule LookupWeights::convolve(const LeftNumbers &x, const ConvShape &shape, int outside, const To &to,
                                 int threads) const {
    const auto use = [&](const Lookups &problem) { return compute_to(problem, to, threads); };
    if (takes_signed()) return with_patches(*this, x.numbers, shape, static_cast<std::int16_t>(outside), use);
    const auto byte = static_cast<std::uint8_t>(outside);
    if (fits_depthwise(table_, shape, right().channels()))
        return depthwise_to(*this, shape, x.bytes, byte, to, threads);
    return with_patches(*this, x.bytes, shape, byte, use);
}

}  // namespace axsim

#include "lookup/table.h"

#include <algorithm>
#include <limits>

namespace axsim {
namespace {

std::size_t largest_magnitude(const std::int32_t *values) {
    const auto [least, most] = std::minmax_element(values, values + kSide * kSide);
    return static_cast<std::size_t>(std::max({std::int64_t{1}, std::int64_t{*most}, -std::int64_t{*least}}));
}

}  // namespace

template <class Value>
Columns::Columns(bool fixed_signed, bool stream_signed, const Value &value)
    : passes_(stream_signed ? 2 : 1), values_(fixed_signed ? 2 * kSide : kSide), count_(passes_ * values_) {
    std::vector<std::int32_t> products(count_ * kSide);
    std::vector<std::int64_t> beside(values_, 0);  // what every k adds, whatever streams
    for (std::size_t f = 0; f < values_; ++f) {
        const std::int32_t sign = f >= kSide ? -1 : 1;
        const auto product = [&](std::size_t m) { return sign * value(f % kSide, m); };
        if (stream_signed) beside[f] = product(0);
        for (std::size_t pass = 0; pass < passes_; ++pass) {
            std::int32_t *const to = products.data() + column(f, pass) * kSide;
            for (std::size_t m = 0; m < kSide; ++m)
                to[m] = stream_signed && m == 0
                            ? 0
                            : (pass == 0 ? product(m) : -product(m)) - static_cast<std::int32_t>(beside[f]);
        }
    }
    lay_out(products);
    mirrored_ = stream_signed && !fixed_signed && narrow() &&
                std::all_of(beside.begin(), beside.end(), [](std::int64_t product) { return product == 0; }) &&
                std::all_of(offsets_.begin(), offsets_.begin() + static_cast<std::ptrdiff_t>(values_),
                            [](std::int64_t offset) { return offset == 0; });
    for (std::size_t f = 0; f < values_; ++f) offsets_[f] += beside[f];
    plain_ = std::all_of(offsets_.begin(), offsets_.end(), [](std::int64_t offset) { return offset == 0; });
}

void Columns::lay_out(const std::vector<std::int32_t> &products) {
    offsets_.assign(count_, 0);
    std::int64_t largest = 1, range = 0;
    for (std::size_t c = 0; c < count_; ++c) {
        const auto [least, most] = std::minmax_element(products.data() + c * kSide, products.data() + (c + 1) * kSide);
        offsets_[c] = *least;
        range = std::max(range, std::int64_t{*most} - *least);
        largest = std::max({largest, std::int64_t{*most}, -std::int64_t{*least}});
    }
    if (range > std::numeric_limits<std::uint16_t>::max()) {
        offsets_.assign(count_, 0);
        safe_depth_ =
            static_cast<std::size_t>(std::max<std::int64_t>(1, std::numeric_limits<std::int32_t>::max() / largest));
        wide_ = products;
        return;
    }
    safe_depth_ = std::numeric_limits<std::uint32_t>::max() / std::numeric_limits<std::uint16_t>::max();
    narrow_.resize(2 * count_ * kSide * sizeof(std::uint16_t) / sizeof(Line));
    auto *const entries = const_cast<std::uint16_t *>(this->entries<std::uint16_t>());
    for (std::size_t c = 0; c < count_; ++c) {
        auto *const low = const_cast<std::uint8_t *>(byte_planes(entries, c)), *const high = low + kSide;
        for (std::size_t i = 0; i < kSide; ++i) {
            const auto entry = static_cast<std::uint16_t>(products[c * kSide + i] - offsets_[c]);
            entries[c * kSide + i] = entry;
            low[i] = static_cast<std::uint8_t>(entry);
            high[i] = static_cast<std::uint8_t>(entry >> 8);
        }
    }
}

Table::Table(const std::int32_t *values, bool left_signed, bool right_signed)
    : left_signed_(left_signed),
      right_signed_(right_signed),
      largest_(largest_magnitude(values)),
      rows_(left_signed, right_signed, [=](std::size_t a, std::size_t b) { return values[a * kSide + b]; }),
      columns_(right_signed, left_signed, [=](std::size_t b, std::size_t a) { return values[a * kSide + b]; }) {}

}  // namespace axsim

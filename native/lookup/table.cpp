#include "lookup/table.h"

#include <algorithm>
#include <limits>

namespace axsim {
namespace {

template <class Entry>
void fill(const std::int32_t *values, std::int64_t offset, Entry *rows, Entry *columns) {
    for (std::size_t a = 0; a < kSide; ++a)
        for (std::size_t b = 0; b < kSide; ++b)
            rows[a * kSide + b] = columns[b * kSide + a] = static_cast<Entry>(values[a * kSide + b] - offset);
}

void fill_planes(std::uint16_t *entries) {
    for (std::size_t fixed = 0; fixed < kSide; ++fixed) {
        std::uint8_t *low = reinterpret_cast<std::uint8_t *>(entries + (kSide + fixed) * kSide), *high = low + kSide;
        for (std::size_t i = 0; i < kSide; ++i) {
            low[i] = static_cast<std::uint8_t>(entries[fixed * kSide + i]);
            high[i] = static_cast<std::uint8_t>(entries[fixed * kSide + i] >> 8);
        }
    }
}

}  // namespace

Table::Table(const std::int32_t *values) {
    const auto [low, high] = std::minmax_element(values, values + kSide * kSide);
    const std::int64_t least = *low, most = *high;
    if (most - least <= std::numeric_limits<std::uint16_t>::max()) {
        offset_ = least;
        safe_depth_ = std::numeric_limits<std::uint32_t>::max() / std::numeric_limits<std::uint16_t>::max();
        for (std::vector<Line> *lines : {&rows16_, &columns16_})
            lines->resize(2 * kSide * kSide * sizeof(std::uint16_t) / sizeof(Line));
        auto *const rows = reinterpret_cast<std::uint16_t *>(rows16_.data());
        auto *const columns = reinterpret_cast<std::uint16_t *>(columns16_.data());
        fill(values, offset_, rows, columns);
        fill_planes(rows);
        fill_planes(columns);
    } else {
        const std::int64_t largest = std::max(most, -least);
        safe_depth_ =
            static_cast<std::size_t>(std::max<std::int64_t>(1, std::numeric_limits<std::int32_t>::max() / largest));
        for (std::vector<std::int32_t> *entries : {&rows32_, &columns32_}) entries->resize(kSide * kSide);
        fill(values, 0, rows32_.data(), columns32_.data());
    }
}

}  // namespace axsim

#include "table.h"

#include <algorithm>
#include <limits>

namespace axsim {
namespace {

constexpr std::size_t kSide = 256;

template <class Entry>
void fill(const std::int32_t *values, std::int64_t offset, std::vector<Entry> &rows, std::vector<Entry> &columns) {
    rows.resize(kSide * kSide);
    columns.resize(kSide * kSide);
    for (std::size_t a = 0; a < kSide; ++a)
        for (std::size_t b = 0; b < kSide; ++b)
            rows[a * kSide + b] = columns[b * kSide + a] = static_cast<Entry>(values[a * kSide + b] - offset);
}

}  // namespace

Table::Table(const std::int32_t *values) {
    const auto [low, high] = std::minmax_element(values, values + kSide * kSide);
    const std::int64_t least = *low, most = *high;
    if (most - least <= std::numeric_limits<std::uint16_t>::max()) {
        offset_ = least;
        safe_depth_ = std::numeric_limits<std::uint32_t>::max() / std::numeric_limits<std::uint16_t>::max();
        fill(values, offset_, rows16_, columns16_);
    } else {
        const std::int64_t largest = std::max(most, -least);
        safe_depth_ = static_cast<std::size_t>(
            std::max<std::int64_t>(1, std::numeric_limits<std::int32_t>::max() / largest));
        fill(values, offset_, rows32_, columns32_);
    }
}

}  // namespace axsim

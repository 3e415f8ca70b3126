#include "factored/factors.h"

#include <algorithm>
#include <stdexcept>

namespace axsim {

Component::Component(const std::int16_t *values, std::size_t count, bool bytes_only, bool left) : words{}, bytes{} {
    const auto [least, most] = std::minmax_element(values, values + count);
    if (bytes_only && (*least < (left ? 0 : -128) || *most > (left ? 255 : 127)))
        throw std::invalid_argument("a component does not fit a byte");
    const auto [first_least, first_most] = std::minmax_element(values, values + 256);
    base = bytes_only ? std::int16_t{0} : *first_least;
    narrow = bytes_only || *first_most - *first_least <= 255;
    for (std::size_t v = 0; v < count; ++v) {
        words[v] = values[v];
        bytes[v] = static_cast<std::uint8_t>(values[v] - base);
    }
    odd = count == kIndices;
    for (std::size_t v = 1; odd && v < 256; ++v) odd = words[256 + v] == -words[v];
    for (std::size_t i = 0; i < 16; ++i) {
        low[i] = bytes[i];
        high[i] = static_cast<std::uint8_t>(bytes[16 * i] - bytes[0]);
    }
    separable = true;
    for (std::size_t v = 0; v < 256; ++v)
        separable = separable && bytes[v] == static_cast<std::uint8_t>(low[v & 15] + high[v >> 4]);
}

}  // namespace axsim

// Compares the kernels of weighted sums with plain loops in the order that they promise: `driver SET`.
// tests/native/test_weighted_kernels.py compiles it with all sets, and with sanitizers.
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "weighted/kernels.h"

namespace axsim::weighted {
namespace {

std::mt19937 bits(1);  // the same numbers every time

std::vector<float> floats(std::size_t count) {
    std::vector<float> made(count);
    for (float &x : made) x = std::uniform_real_distribution<float>(-1, 1)(bits);
    return made;
}

float plain_dot(const float *g, const float *line, std::size_t columns) {
    float lanes[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] = g[l] * line[l];
    for (std::size_t j = kLanes; j < columns; ++j) {
        const float product = g[j] * line[j];
        lanes[j % kLanes] += product;
    }
    float four[4];
    for (std::size_t l = 0; l < 4; ++l) four[l] = (lanes[l] + lanes[l + 8]) + (lanes[l + 4] + lanes[l + 12]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

bool same(const std::vector<float> &x, const std::vector<float> &y) {
    return std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
}

int failures(const Kernels &set) {
    int wrong = 0;
    for (std::size_t pieces = 1; pieces <= kPieces; ++pieces)
        for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{100}, kBlock}) {
            const std::size_t columns = pieces * kLanes, stride = columns + 5, lines = 300;
            const std::vector<float> g = floats((count - 1) * stride + columns), strip = floats(lines * columns);
            std::vector<std::uint16_t> values(count);
            for (std::uint16_t &value : values) value = static_cast<std::uint16_t>(bits() % lines);
            std::vector<float> dots(count), sums(columns), plain_dots(count), plain_sums(columns);
            for (std::size_t i = 0; i < count; ++i) {
                const float *line = strip.data() + values[i] * columns;
                plain_dots[i] = plain_dot(g.data() + i * stride, line, columns);
                for (std::size_t j = 0; j < columns; ++j) {
                    const float product = g[i * stride + j] * line[j];
                    plain_sums[j] += product;
                }
            }
            set.dots[pieces - 1](g.data(), stride, values.data(), strip.data(), count, dots.data());
            set.columns[pieces - 1](g.data(), stride, values.data(), strip.data(), count, sums.data());
            if (!same(dots, plain_dots) || !same(sums, plain_sums)) {
                std::printf("%zu columns, %zu rows: wrong\n", columns, count);
                ++wrong;
            }
        }
    return wrong;
}

}  // namespace
}  // namespace axsim::weighted

int main(int, char **arguments) {
    using namespace axsim::weighted;
    const std::string name = arguments[1];
    const Kernels *set = name == "avx512" ? avx512_kernels() : name == "avx2" ? avx2_kernels() : portable_kernels();
    if (set == nullptr) {
        std::printf("%s is not there\n", name.c_str());
        return 1;
    }
    const int wrong = failures(*set);
    std::printf("%d failures\n", wrong);
    return wrong == 0 ? 0 : 1;
}

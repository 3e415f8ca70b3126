// The kernels of weighted sums, written once for vectors of W floats. Included by one file for each instruction set,
// and by no other: everything is in an unnamed namespace, so that the linker never takes code of one instruction set
// for another.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/attributes.h"
#include "weighted/kernels.h"

namespace axsim::weighted {
namespace {

template <int W>
struct Types;
#define AXSIM_TYPES(W)                                           \
    template <>                                                  \
    struct Types<W> {                                            \
        typedef float Float __attribute__((vector_size(4 * W))); \
    }
AXSIM_TYPES(4);
AXSIM_TYPES(8);
AXSIM_TYPES(16);
#undef AXSIM_TYPES

template <int W>
using Float = typename Types<W>::Float;

template <int W>
AXSIM_INLINE Float<W> load(const float *from) {
    Float<W> v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

// kLanes floats in registers of W.
template <int W>
struct Lanes {
    static constexpr int kParts = static_cast<int>(kLanes) / W;
    Float<W> part[kParts];

    AXSIM_INLINE static Lanes product(const float *a, const float *b) {
        Lanes made;
        for (int p = 0; p < kParts; ++p) made.part[p] = load<W>(a + p * W) * load<W>(b + p * W);
        return made;
    }
    AXSIM_INLINE void add(const Lanes &other) {
        for (int p = 0; p < kParts; ++p) part[p] += other.part[p];
    }
    AXSIM_INLINE void store(float *to) const {
        for (int p = 0; p < kParts; ++p) __builtin_memcpy(to + p * W, &part[p], sizeof part[p]);
    }
};

template <int W>
AXSIM_INLINE Float<W / 2> both_halves(Float<W> v) {
    Float<W / 2> low, high;
    __builtin_memcpy(&low, &v, sizeof low);
    __builtin_memcpy(&high, reinterpret_cast<const char *>(&v) + sizeof low, sizeof high);
    return low + high;
}

// Lanes l, l + 4, l + 8 and l + 12 as (l + (l + 8)) + ((l + 4) + (l + 12)).
template <int W>
AXSIM_INLINE Float<4> four(const Lanes<W> &lanes) {
    if constexpr (W == 4)
        return (lanes.part[0] + lanes.part[2]) + (lanes.part[1] + lanes.part[3]);
    else if constexpr (W == 8)
        return both_halves<8>(lanes.part[0] + lanes.part[1]);
    else
        return both_halves<8>(both_halves<16>(lanes.part[0]));
}

template <int W, int Pieces>
void dots(const float *g, std::size_t stride, const std::uint16_t *values, const float *strip, std::size_t count,
          float *sums) {
    float fours[4 * kBlock];
    for (std::size_t i = 0; i < count; ++i, g += stride) {
        const float *line = strip + values[i] * (Pieces * kLanes);
        Lanes<W> total = Lanes<W>::product(g, line);
        for (int p = 1; p < Pieces; ++p) total.add(Lanes<W>::product(g + p * kLanes, line + p * kLanes));
        const Float<4> last = four<W>(total);
        __builtin_memcpy(fours + 4 * i, &last, sizeof last);
    }
    for (std::size_t i = 0; i < count; ++i)
        sums[i] = (fours[4 * i] + fours[4 * i + 1]) + (fours[4 * i + 2] + fours[4 * i + 3]);
}

template <int W, int Pieces>
void columns(const float *g, std::size_t stride, const std::uint16_t *values, const float *strip, std::size_t count,
             float *sums) {
    Lanes<W> total[Pieces] = {};
    for (std::size_t i = 0; i < count; ++i, g += stride) {
        const float *line = strip + values[i] * (Pieces * kLanes);
        for (int p = 0; p < Pieces; ++p) total[p].add(Lanes<W>::product(g + p * kLanes, line + p * kLanes));
    }
    for (int p = 0; p < Pieces; ++p) total[p].store(sums + p * kLanes);
}

template <int W>
constexpr Kernels make_kernels() {
    return {{dots<W, 1>, dots<W, 2>, dots<W, 3>, dots<W, 4>},
            {columns<W, 1>, columns<W, 2>, columns<W, 3>, columns<W, 4>}};
}

}  // namespace
}  // namespace axsim::weighted

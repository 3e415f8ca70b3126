// What a look-up kernel is, and which ones this processor gets.
//
// A kernel computes, for `count` fixed operands (lanes) and all rows of the stream,
//
//     sums[row][lane] = sum over k of entries[lane's column at k][stream's byte at (row, k)]
//
// modulo 2**32; the caller keeps panels short enough where that must be the true sum.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/attributes.h"
#include "common/panel.h"
#include "lookup/table.h"

namespace axsim {

using FixedPanel = PanelOf<std::uint16_t>;  // the numbers of columns

constexpr std::size_t kPlainLanes = 8;  // fixed operands side by side, for 32-bit entries

// A kernel for many lanes at once. sums is [stream.rows][lanes], or where `apart` is not 0, which the kernel must know,
// [lanes][apart], apart >= stream.rows. Takes lanes [lane, lane + count), count <= lanes; other sums are garbage.
// `running` has room for stream.rows * lanes / 3 numbers; both lie at multiples of 64 bytes.
template <class Entry>
struct WideKernel {
    std::size_t lanes;
    // Nanoseconds per term, per row and term, per row, term and lane that is used, and per term and such lane, fitted
    // to measurements on 3 GHz cores. Only their ratio matters.
    double per_term, per_row, per_lane, per_column;
    std::size_t row_step;  // rows that take as long as one
    bool knows_apart;
    void (*run)(const Entry *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane, std::size_t count,
                std::uint64_t *running, std::uint32_t *sums, std::size_t apart);

    // Nanoseconds per term.
    AXSIM_INLINE double cost(std::size_t rows, std::size_t count) const {
        const auto taken = static_cast<double>((rows + row_step - 1) / row_step * row_step);
        const auto lanes_used = static_cast<double>(count);
        return per_term + per_column * lanes_used + (per_row + per_lane * lanes_used) * taken;
    }
};

template <class Entry>
struct Kernel {
    WideKernel<Entry> wide, narrow;  // narrow: for a remainder of lanes that fits it
    WideKernel<Entry> brief;         // as many lanes as `wide`: for streams too short to pay for its preparations
    // sums is [stream.rows]: one lane.
    void (*single)(const Entry *entries, const Panel &stream, const FixedPanel &fixed, std::size_t lane,
                   std::uint32_t *sums);
    // As many lanes as `wide`, for a signed operand that streams, where Columns::mirrored(): takes both passes at once,
    // each half of the panels' terms, and a multiple of Panel::kGroup. Its sums are 65,535 greater for each term of one
    // pass, and need no offsets. `run` is nullptr where there is none.
    WideKernel<Entry> paired = {};
};

// The kernels of one instruction set, for both types of table entries.
struct KernelSet {
    const char *name;
    Kernel<std::uint16_t> small;
    Kernel<std::int32_t> plain;

    template <class Entry>
    const Kernel<Entry> &of() const;
};

template <>
AXSIM_INLINE const Kernel<std::uint16_t> &KernelSet::of<std::uint16_t>() const {
    return small;
}
template <>
AXSIM_INLINE const Kernel<std::int32_t> &KernelSet::of<std::int32_t>() const {
    return plain;
}

// One function per instruction-set file; see common/dispatch.h.
const KernelSet *portable_kernels();
const KernelSet *avx2_kernels();
const KernelSet *avx512_kernels();
const KernelSet *vbmi_kernels();
const KernelSet *neon_kernels();

// The set for isa().
const KernelSet &kernels();

}  // namespace axsim

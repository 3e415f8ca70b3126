// What a look-up kernel is, and which ones this processor gets.
//
// A kernel computes, for `count` fixed operands (lanes) and all rows of the stream,
//
//     sums[row][lane] = sum over k of entries[lane's operand at k][stream's operand at (row, k)]
//
// modulo 2**32; the caller keeps panels short enough where that must be the true sum.
#pragma once
#include <cstddef>
#include <cstdint>

#include "panel.h"

namespace axsim {

constexpr std::size_t kSide = 256;  // entries of one fixed operand
constexpr std::size_t kPlainLanes = 8;  // fixed operands side by side, for 32-bit entries

// A kernel for many lanes at once. sums is [stream.rows][lanes]. Takes lanes [lane, lane + count), count <= lanes;
// other sums are garbage. `running` has room for stream.rows * lanes / 3 numbers; both lie at multiples of 64 bytes.
template <class Entry>
struct WideKernel {
    std::size_t lanes;
    // Nanoseconds per term, and per row and term, fitted to measurements on 3 GHz cores. Only their ratio matters.
    double per_term, per_row;
    void (*run)(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane, std::size_t count,
                std::uint64_t *running, std::uint32_t *sums);
};

template <class Entry>
struct Kernel {
    WideKernel<Entry> wide, narrow;  // narrow: for a remainder of lanes that fits it
    // sums is [stream.rows]: one lane.
    void (*single)(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
                   std::uint32_t *sums);
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
inline const Kernel<std::uint16_t> &KernelSet::of<std::uint16_t>() const {
    return small;
}
template <>
inline const Kernel<std::int32_t> &KernelSet::of<std::int32_t>() const {
    return plain;
}

// One function per instruction-set file. On other processors than x86 they are all the same code.
const KernelSet &portable_kernels();
const KernelSet &avx2_kernels();
const KernelSet &avx512_kernels();

// The set for lookup_isa().
const KernelSet &kernels();

}  // namespace axsim

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
constexpr std::size_t kLanes = 8;   // fixed operands side by side in the wide kernel

template <class Entry>
struct Kernel {
    // sums is [stream.rows][kLanes]. Takes lanes [lane, lane + count), count <= kLanes; other sums are garbage.
    void (*wide)(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
                 std::size_t count, std::uint32_t *sums);
    // sums is [stream.rows]: one lane.
    void (*single)(const Entry *entries, const Panel &stream, const Panel &fixed, std::size_t lane,
                   std::uint32_t *sums);
};

// The kernels of one instruction set, for both types of table entries.
struct KernelSet {
    const char *name;
    Kernel<std::uint16_t> narrow;
    Kernel<std::int32_t> plain;

    template <class Entry>
    const Kernel<Entry> &of() const;
};

template <>
inline const Kernel<std::uint16_t> &KernelSet::of<std::uint16_t>() const {
    return narrow;
}
template <>
inline const Kernel<std::int32_t> &KernelSet::of<std::int32_t>() const {
    return plain;
}

// One function per instruction-set file. On other processors than x86 they are all the same code.
const KernelSet &portable_kernels();
const KernelSet &avx2_kernels();
const KernelSet &avx512_kernels();

// The set for isa().
const KernelSet &kernels();

}  // namespace axsim

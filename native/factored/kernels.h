// What a kernel of the integer matrix product is, and which ones this processor gets.
//
// Operands come expanded into steps: 32-bit numbers that hold two signed 16-bit components, or four 8-bit ones
// (unsigned on the left side of the product, signed on the right). A kernel multiplies `rows` of one side, a
// number of each repeated over a vector, with `columns` of the other side, which lie in vectors:
//
//     sums[row][column] = sum over steps of the products of the components of
//                         repeated[step][row] and vectors[step][column]
//
// modulo 2**32.
#pragma once
#include <cstddef>
#include <cstdint>

#include "factored/factors.h"

namespace axsim {

constexpr std::size_t kMostGemmRows = 12, kMostGemmColumns = 32;  // of any kernel
// Packed bytes and expanded numbers lie in buffers that have this many bytes more (common/scratch.h): vectors run over
// the end.
constexpr std::size_t kGemmSlack = 64;

// Sums of bytes pass through 16 bits where `chunk` is less than all steps: so many may be added up there.
// `vectors` and `sums` lie at multiples of 64 bytes.
using GemmRun = void (*)(const std::uint32_t *repeated, const std::uint32_t *vectors, std::size_t steps,
                         std::size_t chunk, std::int32_t *sums);

// Expands `count` rows of packed operands, bytes or indices (common/panel.h; `stride` rows in all) into
// out[step][width]. What comes of rows beyond count means nothing; terms beyond depth give 0. A group of four k takes
// two steps for each component where they are words, one where they are bytes. Writes up to kGemmSlack bytes over the
// end.
template <class T>
using GemmExpand = void (*)(const Component *components, std::size_t terms, const T *operands, std::size_t stride,
                            std::size_t count, std::size_t depth, std::uint32_t *out, std::size_t width);
template <class T>
struct GemmExpands {
    GemmExpand<T> words, bytes;
};

struct GemmKernels {
    const char *name;
    std::size_t rows, columns;
    GemmRun words;
    GemmRun bytes[2];        // the unsigned side is the one in vectors, or the repeated one; nullptr: words only
    std::int32_t byte_sums;  // the largest magnitude that sums of bytes may reach; 0: words only
    GemmExpands<std::uint8_t> of_bytes;
    GemmExpands<std::uint16_t> of_indices;

    template <class T>
    const GemmExpands<T> &expands() const {
        if constexpr (sizeof(T) == 1)
            return of_bytes;
        else
            return of_indices;
    }
};

// One function per instruction-set file; see common/dispatch.h.
const GemmKernels *portable_gemm();
const GemmKernels *avx2_gemm();
const GemmKernels *avx512_gemm();
const GemmKernels *vnni_gemm();

// The set for isa().
const GemmKernels &gemm_kernels();

}  // namespace axsim

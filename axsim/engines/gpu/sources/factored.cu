// Sums of table entries as exact matrix products: what stands before and behind the tensor cores.
//
//   expand_rows, expand_windows   operand bytes -> the R numbers that a factored table has for each, side by
//                                 side along the summed axis (k fastest, then r), rows padded with zeros
//   combine                       products of several parts -> sums: shifted, added, with what depends on one
//                                 operand only
//
// What bounds them (estimates until measured, for an H100: 3.35 TB/s, 990e12 int8 multiply-adds/s dense), for
// M = N = K = 4096 and a table of R terms in one part:
//   expansions       2 (1 + R) 4096^2 bytes        R = 2: 101 MB, 30 us       R = 4: 168 MB, 50 us
//   products         R 4096^3 multiply-adds         139 us at the peak         278 us
//                    and 4 * 4096^2 bytes written, 20 us, while they are made
//   combine          8 * 4096^2 bytes               40 us                      40 us
// so that 4096^3 products take about 0.21 ms for R = 2 and 0.37 ms for R = 4 if the tensor cores run at their
// peak, 0.27 ms and 0.49 ms at 70% of it: 250e12 and 140e12 products/s. Expansion and combination take a
// third and a quarter of that; both are bound by memory bandwidth.
//
// An expansion looks up 4 bytes of every output word in shared memory: R % 4 == 0 takes one load of a word
// with one of an operand, R == 2 two of each. At 128 bytes per cycle and multiprocessor, random rows of the
// table in about 3 cycles a warp, R = 2 takes 4096^2 * 2 / 4 words * 2 * (1 + 3) cycles / 32 lanes / 132
// multiprocessors / 1.7 GHz = 9 us for a matrix that takes 15 us of bandwidth.
//
// Compile with UNIT: bytes that an operand becomes (R, or 2 R for float16); ACCUMULATOR: uint32 or uint64
// (sums are exact modulo its range, and the caller knows that they fit); for combine also PRODUCT: int32 or
// float.

#include "common.cuh"

namespace {

constexpr int threads = 256;

#ifdef UNIT
// How many bytes of an operand's entry lie in one output word, wherever the word begins.
constexpr int piece = UNIT % 4 == 0 ? 4 : UNIT % 2 == 0 ? 2 : 1;

__device__ __forceinline__ uint32 load_piece(const uint8* at)
{
    if (piece == 4) return *reinterpret_cast<const uint32*>(at);
    if (piece == 2) return *reinterpret_cast<const uint16*>(at);
    return *at;
}

// Four bytes of an expanded row: those behind byte `4 * word` of operands[0], operands[1] ...; 0 behind the
// last of `count` operands.
__device__ __forceinline__ uint32 expanded_word(const uint8* components, const uint8* operands, int32 count,
                                                int32 word)
{
    uint32 bytes = 0;
    for (int i = 0; i < 4; i += piece) {
        const int32 at = 4 * word + i, k = at / UNIT;
        if (k < count) bytes |= load_piece(components + operands[k] * UNIT + (at - k * UNIT)) << 8 * i;
    }
    return bytes;
}

__device__ __forceinline__ void load_tables(uint8* components, const uint8* from, ACCUMULATOR* sums,
                                            const ACCUMULATOR* sums_from)
{
    const int32 thread = threadIdx.x;
    for (int32 i = thread; i < 256 * UNIT; i += threads) components[i] = from[i];
    sums[thread] = sums_from[thread];
}
#endif

}  // namespace

#if defined(UNIT)

// A row of a matrix at a time: out[row] = the expanded operands x[(first_row + row) * row_stride + first_k +
// k], k < depth, then zeros up to `width` bytes. With sum_mode 1 row_sums[row] becomes the sum of
// table_sums[operand], with 2 it is added, with 0 left alone.
//
// 256 threads, at most 1,024 operands at a time; 256 * UNIT + 1,024 + 2,048 + 2,048 bytes of shared memory.
extern "C" __global__ void __launch_bounds__(threads, 4)
expand_rows(const uint8* __restrict__ x, int64 row_stride, int64 first_row, int32 rows, int64 first_k,
            int32 depth, const uint8* __restrict__ table, const ACCUMULATOR* __restrict__ table_sums,
            uint8* __restrict__ out, int32 width, ACCUMULATOR* __restrict__ row_sums, int32 sum_mode)
{
    constexpr int tile = 1024;
    AXSIM_SHARED(uint8, components, 256 * UNIT);
    AXSIM_SHARED(ACCUMULATOR, sums, 256);
    AXSIM_SHARED(uint8, operands, tile);
    AXSIM_SHARED(ACCUMULATOR, partial, threads);
    const int32 thread = threadIdx.x;
    load_tables(components, table, sums, table_sums);
    for (int32 row = blockIdx.x; row < rows; row += gridDim.x) {
        const uint8* from = x + (first_row + row) * row_stride + first_k;
        uint8* to = out + static_cast<int64>(row) * width;
        ACCUMULATOR sum = 0;
        // At least one tile, so that a row without operands is cleared; the last one clears what is left.
        for (int32 begin = 0; begin == 0 || begin < depth; begin += tile) {
            const int32 count = min(tile, depth - begin);
            __syncthreads();  // the tables are there, and the last tile's operands are no longer needed
            for (int32 k = thread; k < count; k += threads) {
                operands[k] = from[begin + k];
                sum += sums[operands[k]];
            }
            __syncthreads();
            const bool last = begin + tile >= depth;
            const int32 words = last ? (width - begin * UNIT) / 4 : tile * UNIT / 4;
            uint32* target = reinterpret_cast<uint32*>(to + static_cast<int64>(begin) * UNIT);
            for (int32 word = thread; word < words; word += threads)
                target[word] = expanded_word(components, operands, count, word);
        }
        if (sum_mode) {
            partial[thread] = sum;
            for (int half = threads / 2; half; half /= 2) {
                __syncthreads();
                if (thread < half) partial[thread] += partial[thread + half];
            }
            if (thread == 0) row_sums[row] = sum_mode == 1 ? partial[0] : row_sums[row] + partial[0];
        }
    }
}

// A window of an image at a time, 32 neighbours together: out[p] = the expanded operands under window
// first_window + p in the order of channel, kernel row, kernel column, of which `depth` from first_k on. Windows
// are counted by image, row and column. x is (N, C, H, W) with the given strides and pixels side by side; at
// first_byte lies that of the first channel. A pixel outside an image is the operand *pad. sum_mode is as for
// expand_rows. A matrix whose columns are to be expanded is an image with a channel for each row, of height 1.
//
// Eight warps: while operands are loaded a warp takes 32 windows of one term; while words are written, one
// window after the other. 256 * UNIT + 2,048 + 2,176 + 1,024 + 2,048 bytes of shared memory.
extern "C" __global__ void __launch_bounds__(threads, 4)
expand_windows(const uint8* __restrict__ x, int64 first_byte, int64 image_stride, int64 channel_stride,
               int64 line_stride, int32 image_height, int32 image_width, int32 kernel_height,
               int32 kernel_width, int32 stride_y, int32 stride_x, int32 top, int32 left, int32 dilation_y,
               int32 dilation_x, int32 out_height, int32 out_width, const uint8* __restrict__ pad,
               int64 first_window, int32 windows, int32 first_k, int32 depth, const uint8* __restrict__ table,
               const ACCUMULATOR* __restrict__ table_sums, uint8* __restrict__ out, int32 width,
               ACCUMULATOR* __restrict__ window_sums, int32 sum_mode)
{
    constexpr int lanes = 32, warps = threads / lanes, tile = 64;
    constexpr int pitch = tile + 4;  // so that the 32 windows of a term lie in different banks
    AXSIM_SHARED(uint8, components, 256 * UNIT);
    AXSIM_SHARED(ACCUMULATOR, sums, 256);
    AXSIM_SHARED(uint8, operands, lanes * pitch);
    AXSIM_SHARED(int64, term_offset, tile);
    AXSIM_SHARED(int32, term_y, tile);
    AXSIM_SHARED(int32, term_x, tile);
    AXSIM_SHARED(ACCUMULATOR, partial, threads);
    load_tables(components, table, sums, table_sums);
    const int32 thread = threadIdx.x, lane = thread % lanes, warp = thread / lanes;
    const uint8 outside = *pad;
    const int64 area = static_cast<int64>(out_height) * out_width;
    const int64 step = static_cast<int64>(gridDim.x) * lanes;
    for (int64 begin = static_cast<int64>(blockIdx.x) * lanes; begin < windows; begin += step) {
        const int64 window = first_window + begin + lane;
        const bool there = begin + lane < windows;
        const int64 image = window / area;
        const int32 place = static_cast<int32>(window - image * area);
        const int32 y0 = place / out_width * stride_y - top, x0 = place % out_width * stride_x - left;
        const uint8* from = x + first_byte + image * image_stride;
        ACCUMULATOR sum = 0;
        for (int32 k0 = 0; k0 == 0 || k0 < depth; k0 += tile) {
            const int32 count = min(tile, depth - k0);
            __syncthreads();  // the tables are there, and the last tile is no longer needed
            if (thread < count) {
                const int32 k = first_k + k0 + thread, size = kernel_height * kernel_width;
                const int32 channel = k / size, row = k % size / kernel_width, column = k % kernel_width;
                term_y[thread] = row * dilation_y;
                term_x[thread] = column * dilation_x;
                term_offset[thread] = channel * channel_stride;
            }
            __syncthreads();
            for (int32 k = warp; k < count; k += warps) {
                const int32 row = y0 + term_y[k], column = x0 + term_x[k];
                uint8 operand = outside;
                if (there && 0 <= row && row < image_height && 0 <= column && column < image_width)
                    operand = from[term_offset[k] + row * line_stride + column];
                operands[lane * pitch + k] = operand;
                sum += sums[operand];
            }
            __syncthreads();
            const bool last = k0 + tile >= depth;
            const int32 words = last ? (width - k0 * UNIT) / 4 : tile * UNIT / 4;
            for (int32 p = warp; p < lanes && begin + p < windows; p += warps) {
                uint32* target = reinterpret_cast<uint32*>(out + (begin + p) * width + k0 * UNIT);
                for (int32 word = lane; word < words; word += lanes)
                    target[word] = expanded_word(components, operands + p * pitch, count, word);
            }
        }
        if (sum_mode) {
            partial[thread] = sum;
            __syncthreads();
            if (warp == 0 && there) {
                for (int other = 1; other < warps; ++other) sum += partial[other * lanes + lane];
                window_sums[begin + lane] = sum_mode == 1 ? sum : window_sums[begin + lane] + sum;
            }
        }
    }
}

#else

// out = row_sums + column_sums + sum over the slabs of 2^shift * products, or with `add` what is in out
// instead of row_sums + column_sums. Slab s holds rows of `pitch` products, of which the first `columns` count;
// its shift is byte s of `shifts`. Row i, column j goes to out[first_out + (j + first_column) / inner *
// outer_stride + i * row_stride + (j + first_column) % inner].
//
// 256 threads along a row; a block takes several rows, so that a column's place is computed once.
extern "C" __global__ void __launch_bounds__(threads, 4)
combine(const PRODUCT* __restrict__ products, int32 slabs, uint64 shifts, int64 slab_stride, int64 pitch,
        int32 rows, int32 columns, const ACCUMULATOR* __restrict__ row_sums,
        const ACCUMULATOR* __restrict__ column_sums, ACCUMULATOR* __restrict__ out, int64 first_out,
        int64 first_column, int64 inner, int64 outer_stride, int64 row_stride, int32 add)
{
    const int64 column = static_cast<int64>(blockIdx.x) * threads + threadIdx.x;
    if (column >= columns) return;
    const int64 place = first_column + column;
    ACCUMULATOR* to = out + first_out + place / inner * outer_stride + place % inner;
    const ACCUMULATOR column_sum = add ? 0 : column_sums[column];
    for (int32 row = blockIdx.y; row < rows; row += gridDim.y) {
        ACCUMULATOR sum = add ? to[row * row_stride] : row_sums[row] + column_sum;
        for (int32 slab = 0; slab < slabs; ++slab) {
            const PRODUCT product = products[slab * slab_stride + row * pitch + column];
            const uint64 whole = static_cast<uint64>(static_cast<int64>(product));
            sum += static_cast<ACCUMULATOR>(whole << (shifts >> 8 * slab & 63));
        }
        to[row * row_stride] = sum;
    }
}

#endif

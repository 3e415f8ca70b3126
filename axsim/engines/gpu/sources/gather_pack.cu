// Packing: operand bytes in the order in which the kernels that sum read them,
//
//     packed[matrix][block of rows][term][place]
//
// where row slot + slots * i of a block stands at place slot * pitch + i, i < run; what stands at the places between,
// if pitch is more than run, is looked at by nobody. Rows past the end repeat the last one.
//
// Bound by memory: a byte is read and written once, and then looked up hundreds of times. A tile goes through shared
// memory, so that reads are coalesced along terms or along rows, whichever lie side by side, and writes always.
// Its pitch is an odd number of words: the terms of one row lie in as many banks.
#include "gather.cuh"

constexpr int kThreads = 256;

#if PATCHES

// For the few windows of a convolution that are fixed operands: packed from the image, a byte a thread.
extern "C" __global__ void __launch_bounds__(kThreads)
    gather_pack(const uint8* __restrict__ stream, uint8* __restrict__ to, int64 matrices, int64 rows, int64 depth,
                int block_rows, int run, int pitch AXSIM_PATCH_PARAMETERS)
{
    const Windows windows = AXSIM_WINDOWS(stream);
    const int slots = block_rows / run, block_places = slots * pitch;
    const int64 blocks = divide_up<int64>(rows, block_rows), places = matrices * blocks * depth * block_places;
    const int64 step = static_cast<int64>(gridDim.x) * kThreads;
    for (int64 i = static_cast<int64>(blockIdx.x) * kThreads + threadIdx.x; i < places; i += step) {
        const int place = static_cast<int>(i % block_places);
        const int64 term = i / block_places % depth, block = i / block_places / depth % blocks;
        const int64 row = block * block_rows + min(place % pitch, run - 1) * slots + place / pitch;
        const Tap tap(windows, i / block_places / depth / blocks, term);
        to[i] = static_cast<uint8>(pixel(windows, windows.corner(min(row, rows - 1)), tap, __ldg(pad)));
    }
}

#else

constexpr int kMostPlaces = 1536, kTerms = 16;  // of a tile

extern "C" __global__ void __launch_bounds__(kThreads)
    gather_pack(const uint8* __restrict__ from, uint8* __restrict__ to, int64 matrices, int64 rows, int64 depth,
                int block_rows, int run, int pitch, int64 matrix_stride, int64 row_stride, int64 term_stride)
{
    AXSIM_SHARED(uint8, tile, kTerms * (kMostPlaces + 4));
    const int slots = block_rows / run, places = slots * pitch, tile_pitch = places + 4;
    const bool along_rows = row_stride == 1;
    const int64 blocks = divide_up<int64>(rows, block_rows), chunks = divide_up<int64>(depth, kTerms);
    for (int64 i = blockIdx.x; i < matrices * blocks * chunks; i += gridDim.x) {
        const int64 chunk = i % chunks, block = i / chunks % blocks, matrix = i / chunks / blocks;
        const int terms = static_cast<int>(min(static_cast<int64>(kTerms), depth - chunk * kTerms));
        const uint8* const corner = from + matrix * matrix_stride + chunk * kTerms * term_stride;
        for (int j = threadIdx.x; j < block_rows * kTerms; j += kThreads) {
            const int row = along_rows ? j % block_rows : j / kTerms, term = along_rows ? j / block_rows : j % kTerms;
            if (term >= terms) continue;
            const int64 actual = min(block * block_rows + row, rows - 1);
            tile[term * tile_pitch + row % slots * pitch + row / slots] = corner[actual * row_stride + term * term_stride];
        }
        __syncthreads();
        uint8* const packed = to + ((matrix * blocks + block) * depth + chunk * kTerms) * places;
        if (places % 4 == 0) {
            const int words = places / 4;
            for (int j = threadIdx.x; j < terms * words; j += kThreads)
                reinterpret_cast<uint32*>(packed)[j] =
                    *reinterpret_cast<const uint32*>(tile + j / words * tile_pitch + j % words * 4);
        } else {
            for (int j = threadIdx.x; j < terms * places; j += kThreads)
                packed[j] = tile[j / places * tile_pitch + j % places];
        }
        __syncthreads();
    }
}

#endif

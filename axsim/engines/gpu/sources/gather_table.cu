// Sums of table entries, looked up one by one in the whole table. For narrow work: the kernel of gather_columns.cu
// interleaves 256 entries for each term and fixed operand, which pays only for many rows of many lanes.
//
// A thread sums kOwn rows of LANES lanes. A fixed operand is the same for all threads of a block; the operands of
// the stream, 32 to a warp, look into its 256 entries (128 words of shared memory) at random. Estimated, not yet
// measured: the fullest of 32 banks then gets 3.5 of 32 look-ups, so 9 look-ups a cycle and multiprocessor, 2.1e12/s
// on 132 multiprocessors at 1.75 GHz. Instructions are no limit: an address, a load and a sum for a look-up. Beside
// that each block reads the table once, 128 KiB (about 5,000 cycles from the second-level cache).
// Where the table does not fit (32-bit entries, or less shared memory) it is read through the first-level cache.
//
// Registers: kOwn * LANES sums, four words on their way. Shared memory: the table (TABLE_SHARED) or none.
#include "gather.cuh"

constexpr int kThreads = 256, kOwn = 4;
constexpr int kRows = kThreads * kOwn;  // of a tile: row thread + kThreads * i
constexpr int kAhead = 4;               // terms fetched before the first is looked up
constexpr int kTableVectors = kSide * kSide * sizeof(Entry) / 16;

// The stream's operands of kOwn rows, byte by byte.
#if PATCHES
struct Stream {
    const Windows& windows;
    Corner corner[kOwn];
    Tap tap;
    uint32 pad;

    __device__ __forceinline__ Stream(const Windows& w, const Problem& p, const Tile& tile, int64 group, uint32 pad_byte)
        : windows(w), tap(w, group, tile.first), pad(pad_byte)
    {
        const int64 row = static_cast<int64>(tile.row) * kRows + threadIdx.x;
#pragma unroll
        for (int i = 0; i < kOwn; ++i) corner[i] = w.corner(min(row + i * kThreads, p.row_axis.size - 1));
    }
    __device__ __forceinline__ uint32 next()
    {
        uint32 bytes = 0;
#pragma unroll
        for (int i = 0; i < kOwn; ++i) bytes |= pixel(windows, corner[i], tap, pad) << i * 8;
        tap.next(windows);
        return bytes;
    }
};
#else
struct Stream {
    const uint32* from;

    __device__ __forceinline__ explicit Stream(const uint8* packed) : from(reinterpret_cast<const uint32*>(packed) + threadIdx.x)
    {
    }
    __device__ __forceinline__ uint32 next()
    {
        const uint32 bytes = __ldg(from);
        from += kThreads;
        return bytes;
    }
};
#endif

__device__ __forceinline__ void add_term(const Entry* table, uint32 bytes, const uint8* operands, Out (&sums)[kOwn][LANES])
{
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        const Entry* const column = table + __ldg(operands + lane) * kSide;
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
            const Entry* const entry = column + (bytes >> i * 8 & 255);
#if TABLE_SHARED
            sums[i][lane] += *entry;
#else
            sums[i][lane] += __ldg(entry);
#endif
        }
    }
}

extern "C" __global__ void __launch_bounds__(kThreads)
    gather_table(const uint4* __restrict__ table, const uint8* __restrict__ stream, const int64* __restrict__ stream_index,
                 const uint8* __restrict__ fixed, const int64* __restrict__ fixed_index, Out* __restrict__ out,
                 AXSIM_PROBLEM_PARAMETERS)
{
#if TABLE_SHARED
    AXSIM_DYNAMIC_SHARED(uint4, shared);
    for (int i = threadIdx.x; i < kTableVectors; i += kThreads) shared[i] = __ldg(table + i);
    __syncthreads();
    const Entry* const source = reinterpret_cast<const Entry*>(shared);
#else
    const Entry* const source = reinterpret_cast<const Entry*>(table);
#endif
    const Problem problem = AXSIM_PROBLEM(kRows, LANES);
#if PATCHES
    const Windows windows = AXSIM_WINDOWS(stream);
#endif
    for (uint32 i = blockIdx.x; i < tiles; i += gridDim.x) {
        const Tile tile(i, problem);
        const uint8* operands =
            fixed + ((fixed_index[tile.batch] * problem.lane_tiles + tile.lane) * depth + tile.first) * LANES;
#if PATCHES
        Stream incoming(windows, problem, tile, stream_index[tile.batch], __ldg(pad));
#else
        Stream incoming(stream + ((stream_index[tile.batch] * problem.row_tiles + tile.row) * depth + tile.first) * kRows);
#endif
        Out sums[kOwn][LANES] = {};
        int k = 0;
        for (; k + kAhead <= tile.terms; k += kAhead) {
            uint32 bytes[kAhead];
#pragma unroll
            for (int j = 0; j < kAhead; ++j) bytes[j] = incoming.next();
#pragma unroll
            for (int j = 0; j < kAhead; ++j, operands += LANES) add_term(source, bytes[j], operands, sums);
        }
        for (; k < tile.terms; ++k, operands += LANES) add_term(source, incoming.next(), operands, sums);

        const Out correction = static_cast<Out>(offset * tile.terms);
        Out* const batch_out = out + tile.batch * batch_stride;
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
            const int64 row = static_cast<int64>(tile.row) * kRows + threadIdx.x + i * kThreads;
            if (row >= rows) break;
#pragma unroll
            for (int j = 0; j < LANES; ++j) {
                const int64 lane = static_cast<int64>(tile.lane) * LANES + j;
                if (lane < lanes)
                    put(batch_out + problem.row_axis.offset(row) + problem.lane_axis.offset(lane), sums[i][j] + correction,
                        splits > 1);
            }
        }
    }
}

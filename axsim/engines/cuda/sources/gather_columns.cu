#include "gather.cuh"

constexpr int kThreads = 256;
constexpr int kGroups = 8, kSlots = 32;      // a thread works for one group of lanes and ROWS rows
constexpr int kRows = kSlots * ROWS;         // of a tile
constexpr int kColumns = 16 / sizeof(Entry); // of a group: one load looks up as many products
constexpr int kLanes = kGroups * kColumns;   // of a tile
constexpr int kVectors = kSide * kGroups;    // 16-byte vectors of one term's entries
constexpr int kTableVectors = kSide * kSide / kColumns;
constexpr int kStagedWords = kRows / 4;
static_assert(kSlots * kGroups == kThreads && ROWS % 8 == 0, "staged rows are read eight at a time");

// The sums of a thread: ROWS rows of kColumns lanes.
struct Sums {
#if ENTRY_BYTES == 2
    uint32 all[ROWS][4], high[ROWS][4];

    __device__ __forceinline__ void clear(int row, int word) { all[row][word] = high[row][word] = 0; }
    __device__ __forceinline__ void add(int row, int word, uint32 entries)
    {
        all[row][word] += entries;
        high[row][word] += entries >> 16;
    }
    __device__ __forceinline__ uint32 total(int row, int column) const
    {
        const uint32 upper = high[row][column / 2];
        return column % 2 ? upper : all[row][column / 2] - (upper << 16);
    }
#else
    uint32 sum[ROWS][4];

    __device__ __forceinline__ void clear(int row, int word) { sum[row][word] = 0; }
    __device__ __forceinline__ void add(int row, int word, uint32 entry) { sum[row][word] += entry; }
    __device__ __forceinline__ uint32 total(int row, int column) const { return sum[row][column]; }
#endif
};

__device__ __forceinline__ uint32 byte_of(const uint32 (&words)[kColumns / 4], int i)
{
    return words[i / 4] >> i % 4 * 8 & 255;
}

// Interleaves the columns of one term. A task is a square of kColumns lanes and kColumns rows; in every phase of
// eight threads all groups differ, and all rows modulo eight squares, so neither loads nor stores share a bank,
// and the four phases of a warp read whole sectors.
__device__ __forceinline__ void fill(const uint4* table, const uint32 (&operands)[kColumns / 4], uint4* buffer)
{
    const int group = threadIdx.x % 8, phase = threadIdx.x / 8 % 8;
#pragma unroll
    for (int i = 0; i < 8 / kColumns; ++i) {
        const int square = (threadIdx.x / 64 + i * 4) * 8 + (group ^ phase);
        uint4 column[kColumns];
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
            const uint4* const from = table + byte_of(operands, j) * (kSide / kColumns) + square;
#if TABLE_SHARED
            column[j] = *from;
#else
            column[j] = __ldg(from);
#endif
        }
        uint4* const to = buffer + square * kColumns * kGroups + group;
#if ENTRY_BYTES == 2
#define AXSIM_TWO_ROWS(r, word)                                                                              \
    to[(r) * kGroups] = make_uint4(__byte_perm(column[0].word, column[1].word, 0x5410),                      \
                                   __byte_perm(column[2].word, column[3].word, 0x5410),                      \
                                   __byte_perm(column[4].word, column[5].word, 0x5410),                      \
                                   __byte_perm(column[6].word, column[7].word, 0x5410));                     \
    to[(r + 1) * kGroups] = make_uint4(__byte_perm(column[0].word, column[1].word, 0x7632),                  \
                                       __byte_perm(column[2].word, column[3].word, 0x7632),                  \
                                       __byte_perm(column[4].word, column[5].word, 0x7632),                  \
                                       __byte_perm(column[6].word, column[7].word, 0x7632));
        AXSIM_TWO_ROWS(0, x)
        AXSIM_TWO_ROWS(2, y)
        AXSIM_TWO_ROWS(4, z)
        AXSIM_TWO_ROWS(6, w)
#undef AXSIM_TWO_ROWS
#else
        to[0 * kGroups] = make_uint4(column[0].x, column[1].x, column[2].x, column[3].x);
        to[1 * kGroups] = make_uint4(column[0].y, column[1].y, column[2].y, column[3].y);
        to[2 * kGroups] = make_uint4(column[0].z, column[1].z, column[2].z, column[3].z);
        to[3 * kGroups] = make_uint4(column[0].w, column[1].w, column[2].w, column[3].w);
#endif
    }
}

// Adds one term to all sums of a thread; `staged` are its rows' bytes.
__device__ __forceinline__ void look_up(const uint4* buffer, const uint8* staged, Sums& sums)
{
    buffer += threadIdx.x % kGroups;
    staged += threadIdx.x / kGroups * ROWS;
#pragma unroll
    for (int row = 0; row < ROWS; row += 8) {
        const uint2 bytes = *reinterpret_cast<const uint2*>(staged + row);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const uint32 operand = (i < 4 ? bytes.x : bytes.y) >> i % 4 * 8 & 255;
            const uint4 entries = buffer[operand * kGroups];
            sums.add(row + i, 0, entries.x);
            sums.add(row + i, 1, entries.y);
            sums.add(row + i, 2, entries.z);
            sums.add(row + i, 3, entries.w);
        }
    }
}

// The stream's bytes of one term on their way to shared memory, in which row slot + kSlots * i of the tile stands
// at slot * ROWS + i: the bytes of a thread's rows side by side, the rows of a warp's slots side by side in the output.
#if PATCHES
struct Stream {
    static constexpr int kOwn = kRows / kThreads;
    const Windows& windows;
    Windows::Row row[kOwn];
    uint32 byte[kOwn], pad;
    Tap tap;

    __device__ __forceinline__ Stream(const Windows& w, int64 first_row, int64 rows, int64 channel, int64 k, uint32 p)
        : windows(w), pad(p), tap(w, channel, k)
    {
#pragma unroll
        for (int i = 0; i < kOwn; ++i) row[i] = w.row(min(first_row + threadIdx.x + i * kThreads, rows - 1));
    }
    __device__ __forceinline__ void fetch()
    {
#pragma unroll
        for (int i = 0; i < kOwn; ++i) byte[i] = pixel(windows, row[i], tap, pad);
        tap.next(windows);
    }
    __device__ __forceinline__ void stage(uint8* to) const
    {
#pragma unroll
        for (int i = 0; i < kOwn; ++i)
            to[threadIdx.x % kSlots * ROWS + threadIdx.x / kSlots + i * (kThreads / kSlots)] = static_cast<uint8>(byte[i]);
    }
};
#else
struct Stream {
    const uint32* from;  // packed in the order in which it is staged
    uint32 word;

    __device__ __forceinline__ explicit Stream(const uint8* packed) : from(reinterpret_cast<const uint32*>(packed) + threadIdx.x)
    {
    }
    __device__ __forceinline__ void fetch()
    {
        if (threadIdx.x < kStagedWords) word = __ldg(from);
        from += kStagedWords;
    }
    __device__ __forceinline__ void stage(uint8* to) const
    {
        if (threadIdx.x < kStagedWords) reinterpret_cast<uint32*>(to)[threadIdx.x] = word;
    }
};
#endif

extern "C" __global__ void __launch_bounds__(kThreads, 1)
    gather_columns(const uint4* __restrict__ table, const uint8* __restrict__ stream, const int64* __restrict__ stream_index,
                   const uint8* __restrict__ fixed, const int64* __restrict__ fixed_index, Out* __restrict__ out,
                   uint32 tiles, int64 batch_stride, int64 depth, uint32 splits, int piece, int64 offset, int64 rows, int64 row_inner,
                   int64 row_outer, int64 row_stride, int64 lanes, int64 lane_inner, int64 lane_outer, int64 lane_stride
#if PATCHES
                   ,
                   const uint8* __restrict__ pad, int64 channels, int64 group_channels, int height, int width, int out_height,
                   int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x, int top, int left,
                   int dilation_y, int dilation_x
#endif
    )
{
    AXSIM_DYNAMIC_SHARED(uint4, shared);
    uint4* const buffers = shared + (TABLE_SHARED ? kTableVectors : 0);
    uint8* const staged = reinterpret_cast<uint8*>(buffers + BUFFERS * kVectors);
#if TABLE_SHARED
    for (int i = threadIdx.x; i < kTableVectors; i += kThreads) shared[i] = __ldg(table + i);
    __syncthreads();
    table = shared;
#endif
    const Axis row_axis{rows, row_inner, row_outer, row_stride}, lane_axis{lanes, lane_inner, lane_outer, lane_stride};
    const uint32 row_tiles = static_cast<uint32>(divide_up<int64>(rows, kRows));
    const uint32 lane_tiles = static_cast<uint32>(divide_up<int64>(lanes, kLanes));
#if PATCHES
    const Windows windows{stream, channels * height * width, static_cast<int64>(height) * width, height, width, out_width,
                          static_cast<int64>(out_height) * out_width, kernel_height, kernel_width, stride_y, stride_x, top,
                          left, dilation_y, dilation_x};
#endif

    for (uint32 tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const uint32 lane_tile = tile % lane_tiles, row_tile = tile / lane_tiles % row_tiles;
        const uint32 split = tile / lane_tiles / row_tiles % splits, batch = tile / lane_tiles / row_tiles / splits;
        const int64 first = static_cast<int64>(split) * piece;
        const int terms = static_cast<int>(min(depth - first, static_cast<int64>(piece)));
        const uint8* operands = fixed + ((fixed_index[batch] * lane_tiles + lane_tile) * depth + first) * kLanes +
                                threadIdx.x % kGroups * kColumns;
        uint32 next[kColumns / 4];
        const auto read_operands = [&] {
            for (int i = 0; i < kColumns / 4; ++i) next[i] = __ldg(reinterpret_cast<const uint32*>(operands) + i);
            operands += kLanes;
        };
#if PATCHES
        Stream incoming(windows, static_cast<int64>(row_tile) * kRows, rows, stream_index[batch] * group_channels, first, __ldg(pad));
#else
        Stream incoming(stream + ((stream_index[batch] * row_tiles + row_tile) * depth + first) * kRows);
#endif
        Sums sums;
#pragma unroll
        for (int row = 0; row < ROWS; ++row)
#pragma unroll
            for (int word = 0; word < 4; ++word) sums.clear(row, word);

#if BUFFERS == 2
        // While one buffer is looked up in, the other is filled; half of the warps fill first, the other half last,
        // so that the loads of one half are waited for while the other looks up.
        const bool early = threadIdx.x / 128 == 0;
        read_operands();
        incoming.fetch();
        fill(table, next, buffers);
        incoming.stage(staged);
        if (terms > 1) read_operands();
        __syncthreads();
        for (int k = 0; k < terms; ++k) {
            const int now = k & 1, then = now ^ 1;
            const bool more = k + 1 < terms;
            if (more) incoming.fetch();
            if (more && early) fill(table, next, buffers + then * kVectors);
            look_up(buffers + now * kVectors, staged + now * kRows, sums);
            if (more && !early) fill(table, next, buffers + then * kVectors);
            if (more) incoming.stage(staged + then * kRows);
            if (k + 2 < terms) read_operands();
            __syncthreads();
        }
#else
        incoming.fetch();
        read_operands();
        for (int k = 0; k < terms; ++k) {
            fill(table, next, buffers);
            incoming.stage(staged);
            __syncthreads();
            if (k + 1 < terms) {
                incoming.fetch();
                read_operands();
            }
            look_up(buffers, staged, sums);
            __syncthreads();
        }
#endif

        const Out correction = static_cast<Out>(offset * terms);
        const int64 first_row = static_cast<int64>(row_tile) * kRows + threadIdx.x / kGroups;
        const int64 first_lane = static_cast<int64>(lane_tile) * kLanes + threadIdx.x % kGroups * kColumns;
        if (first_lane >= lanes) continue;
        Out* const lane_out = out + batch * batch_stride;
        const AxisWalk start(lane_axis, first_lane);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            const int64 row = first_row + i * kSlots;
            if (row >= rows) break;
            Out* const row_out = lane_out + row_axis.offset(row);
            AxisWalk walk = start;
#pragma unroll
            for (int j = 0; j < kColumns; ++j) {
                if (first_lane + j < lanes) put(row_out + walk.offset, sums.total(i, j) + correction, splits > 1);
                walk.next();
            }
        }
    }
}

// Sums of table entries, sixteen bytes of products to a look-up. The kernel for everything that is not narrow.
//
// For one term, the entries that a tile's fixed operands f meet stand interleaved in shared memory,
//
//     buffer[stream operand a][group of lanes][lane] = T[a, f(group, lane)],    one row: 128 bytes
//
// eight groups of eight uint16 (or of four uint32). A thread has one group and ROWS rows of the stream; one load at
// its row's operand gives all products of its lanes. The eight threads of a phase (a 16-byte load is served eight
// threads at a time) have different groups, and so different banks, whatever their operands are: no conflicts.
//
// Two uint16 of a word are summed without being taken apart: `all += word` and `high += word >> 16` (an IADD and a
// LEA.HI, on different pipes, where the compiler likes); in the end `high` is the sum of the upper ones and
// `all - (high << 16)`, modulo 2^32, that of the lower ones. It is exact as long as the sums themselves fit 32 bits;
// where int64 is asked for, the host splits the terms in time, and int32 is meant modulo 2^32.
//
// What bounds it: the bandwidth of shared memory, 128 bytes a cycle. Estimated, not yet measured, for ROWS = 24 and
// the table in shared memory: a term of a tile of 768 x 64 takes 768 cycles for entries, 48 for the stream's bytes,
// and 256 + 256 to fill the buffer (32 KiB read from the table, 32 KiB written; `fill` has no conflicts either): 1,328
// cycles and a barrier for 49,152 look-ups, 35 a cycle, 8e12/s on 132 multiprocessors at 1.75 GHz, of 64 a cycle or
// 15e12/s that shared memory would give if nothing had to be filled. Issue is no limit: about 400 instructions a warp
// and term (SASS for sm_90: 24 LDS.128, 96 LEA.HI, 114 IMAD.IADD and IADD3, 83 to find addresses, 77 to fill), two
// warps a scheduler, 800 of 1,328 cycles. At 4096^3 there are 384 tiles: three waves on 132 multiprocessors, 2.9 full.
// With the table in the second-level cache (TABLE_SHARED 0) a fill reads 32 KiB from there or from the first level:
// about 1,365 cycles at 24 bytes a cycle, which is then the bound.
//
// Registers: 8 sums a row, up to 192 of 255. Where windows are addressed on the fly or the table is read from global
// memory there is room for 20 rows a thread, not 24. Shared memory: BUFFERS * 32 KiB, two slots of a term's operands,
// 1 KiB, and the table's 128 KiB (TABLE_SHARED).
//
// Compile-time choices beside those of gather.cuh: ROWS (8, 20, 24), BUFFERS (1, 2), TABLE_SHARED (0, 1).
#include "gather.cuh"

constexpr int kThreads = 256;
constexpr int kGroups = 8, kSlots = 32;      // a thread works for one group of lanes and ROWS rows
constexpr int kRows = kSlots * ROWS;         // of a tile
constexpr int kColumns = 16 / sizeof(Entry); // of a group: one load looks up as many products
constexpr int kLanes = kGroups * kColumns;   // of a tile
constexpr int kVectors = kSide * kGroups;    // 16-byte vectors of one term's entries
constexpr int kTableVectors = kSide * kSide / kColumns;
constexpr int kFixedWords = kLanes / 4;
constexpr int kSlot = kRows + kLanes;        // bytes staged for a term
static_assert(kSlots * kGroups == kThreads && ROWS % 4 == 0, "staged rows are read four at a time");

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

#if TABLE_SHARED
#define AXSIM_READ(from) (*(from))
#else
#define AXSIM_READ(from) __ldg(from)
#endif

// Interleaves the columns of one term. A task is a square of kColumns lanes and kColumns rows, of which half of the
// rows are done at a time, for want of registers. In every phase of eight threads that store 16 bytes, the groups
// differ; in every phase of sixteen threads that load 8 bytes, the places modulo 128 bytes: no two share a bank. The
// threads of a warp together read whole sectors.
__device__ __forceinline__ void fill(const uint2* table, const uint8* operands, uint4* buffer)
{
    constexpr int kHalf = kColumns / 2;  // entries in 8 bytes
    const int group = threadIdx.x % kGroups, phase = threadIdx.x / 8 % 8;
    uint32 fixed[kColumns / 4];
#pragma unroll
    for (int i = 0; i < kColumns / 4; ++i)
        fixed[i] = reinterpret_cast<const uint32*>(operands)[group * (kColumns / 4) + i];
#pragma unroll
    for (int i = 0; i < 2 * (8 / kColumns); ++i) {
        const int square = (threadIdx.x / 64 + i / 2 * 4) * 8 + (group ^ phase);
        const int piece = square * 2 + (phase + i) % 2;
        uint2 column[kColumns];
#pragma unroll
        for (int j = 0; j < kColumns; ++j)
            column[j] = AXSIM_READ(table + (fixed[j / 4] >> j % 4 * 8 & 255) * (kSide / kHalf) + piece);
        uint4* const to = buffer + piece * kHalf * kGroups + group;
#if ENTRY_BYTES == 2
#pragma unroll
        for (int odd = 0; odd < 2; ++odd) {
            const uint32 pick = odd ? 0x7632 : 0x5410;
            to[odd * kGroups] = make_uint4(
                __byte_perm(column[0].x, column[1].x, pick), __byte_perm(column[2].x, column[3].x, pick),
                __byte_perm(column[4].x, column[5].x, pick), __byte_perm(column[6].x, column[7].x, pick));
            to[(2 + odd) * kGroups] = make_uint4(
                __byte_perm(column[0].y, column[1].y, pick), __byte_perm(column[2].y, column[3].y, pick),
                __byte_perm(column[4].y, column[5].y, pick), __byte_perm(column[6].y, column[7].y, pick));
        }
#else
        to[0] = make_uint4(column[0].x, column[1].x, column[2].x, column[3].x);
        to[kGroups] = make_uint4(column[0].y, column[1].y, column[2].y, column[3].y);
#endif
    }
}
#undef AXSIM_READ

// Adds one term to all sums of a thread; `staged` are its rows' bytes.
__device__ __forceinline__ void look_up(const uint4* buffer, const uint8* staged, Sums& sums)
{
    buffer += threadIdx.x % kGroups;
    staged += threadIdx.x / kGroups * ROWS;
#pragma unroll
    for (int row = 0; row < ROWS; row += 4) {
        const uint32 bytes = *reinterpret_cast<const uint32*>(staged + row);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const uint32 operand = bytes >> i * 8 & 255;
            const uint4 entries = buffer[operand * kGroups];
            sums.add(row + i, 0, entries.x);
            sums.add(row + i, 1, entries.y);
            sums.add(row + i, 2, entries.z);
            sums.add(row + i, 3, entries.w);
        }
    }
}

// Operand bytes on their way to shared memory. A slot holds the stream's bytes of one term, followed by the fixed
// operands of the term after it, which are needed a step earlier. Row slot + kSlots * i of the tile stands at
// slot * ROWS + i: the bytes of a thread's rows side by side, the rows of a warp's slots side by side in the output.
// Fixed operands are fetched for one term more than there is: packed operands have room behind them.
#if PATCHES
struct Incoming {
    static constexpr int kOwn = divide_up(kRows, kThreads);
    const Windows& windows;
    const uint32* fixed;
    Corner corner[kOwn];
    uint32 byte[kOwn], word, pad;
    Tap tap;

    __device__ __forceinline__ Incoming(const Windows& w, int64 first_row, int64 rows, int64 group, int64 term, uint32 p,
                                        const uint8* fixed_operands)
        : windows(w), fixed(reinterpret_cast<const uint32*>(fixed_operands) + threadIdx.x), pad(p), tap(w, group, term)
    {
#pragma unroll
        for (int i = 0; i < kOwn; ++i) corner[i] = w.corner(min(first_row + threadIdx.x + i * kThreads, rows - 1));
    }
    __device__ __forceinline__ void fetch()
    {
        fixed += kFixedWords;
        if (threadIdx.x < kFixedWords) word = __ldg(fixed);
#pragma unroll
        for (int i = 0; i < kOwn; ++i) byte[i] = pixel(windows, corner[i], tap, pad);
        tap.next(windows);
    }
    __device__ __forceinline__ void stage(uint8* slot) const
    {
        if (threadIdx.x < kFixedWords) reinterpret_cast<uint32*>(slot + kRows)[threadIdx.x] = word;
        slot += threadIdx.x % kSlots * ROWS + threadIdx.x / kSlots;
#pragma unroll
        for (int i = 0; i < kOwn; ++i)
            if (threadIdx.x + i * kThreads < kRows) slot[i * (kThreads / kSlots)] = static_cast<uint8>(byte[i]);
    }
};
#else
struct Incoming {
    static constexpr int kStreamWords = kRows / 4;
    static_assert(kStreamWords + kFixedWords <= kThreads, "a word a thread");
    const uint32* from;  // packed in the order in which it is staged
    uint32 word;

    __device__ __forceinline__ Incoming(const uint8* stream_operands, const uint8* fixed_operands)
        : from(streams() ? reinterpret_cast<const uint32*>(stream_operands) + threadIdx.x
                         : reinterpret_cast<const uint32*>(fixed_operands) + kFixedWords + threadIdx.x - kStreamWords)
    {
    }
    __device__ __forceinline__ static bool streams() { return threadIdx.x < kStreamWords; }
    __device__ __forceinline__ void fetch()
    {
        if (threadIdx.x >= kStreamWords + kFixedWords) return;
        word = __ldg(from);
        from += streams() ? kStreamWords : kFixedWords;
    }
    __device__ __forceinline__ void stage(uint8* slot) const
    {
        if (threadIdx.x < kStreamWords + kFixedWords) reinterpret_cast<uint32*>(slot)[threadIdx.x] = word;
    }
};
#endif

// Writes a thread's sums, or adds them where several blocks share an output.
__device__ __forceinline__ void put_sums(const Sums& sums, const Problem& p, const Tile& tile, Out* out)
{
    const int64 first_row = static_cast<int64>(tile.row) * kRows + threadIdx.x / kGroups;
    const int64 first_lane = static_cast<int64>(tile.lane) * kLanes + threadIdx.x % kGroups * kColumns;
    if (first_lane >= p.lane_axis.size) return;
    const Out correction = static_cast<Out>(p.offset * tile.terms);
    out += tile.batch * p.batch_stride;
    AxisWalk row(p.row_axis, first_row, kSlots);
    const AxisWalk lanes(p.lane_axis, first_lane, 1);
#pragma unroll
    for (int i = 0; i < ROWS; ++i, row.next()) {
        if (first_row + i * kSlots >= p.row_axis.size) return;
        AxisWalk lane = lanes;
#pragma unroll
        for (int j = 0; j < kColumns; ++j, lane.next())
            if (first_lane + j < p.lane_axis.size)
                put(out + row.offset + lane.offset, sums.total(i, j) + correction, p.splits > 1);
    }
}

extern "C" __global__ void __launch_bounds__(kThreads, 1)
    gather_columns(const uint4* __restrict__ table, const uint8* __restrict__ stream,
                   const int64* __restrict__ stream_index, const uint8* __restrict__ fixed,
                   const int64* __restrict__ fixed_index, Out* __restrict__ out, AXSIM_PROBLEM_PARAMETERS)
{
    AXSIM_DYNAMIC_SHARED(uint4, shared);
    // Which tile each thread is at: not in a register, of which the sums leave none.
    AXSIM_SHARED(uint32, tiles_now, kThreads);
    uint32& tile_now = tiles_now[threadIdx.x];
    uint4* const buffers = shared + (TABLE_SHARED ? kTableVectors : 0);
    uint8* const staged = reinterpret_cast<uint8*>(buffers + BUFFERS * kVectors);
#if TABLE_SHARED
    for (int i = threadIdx.x; i < kTableVectors; i += kThreads) shared[i] = __ldg(table + i);
    __syncthreads();
    const uint2* const source = reinterpret_cast<const uint2*>(shared);
#else
    const uint2* const source = reinterpret_cast<const uint2*>(table);
#endif
    const Problem problem = AXSIM_PROBLEM(kRows, kLanes);
#if PATCHES
    const Windows windows = AXSIM_WINDOWS(stream);
#endif

    for (tile_now = blockIdx.x; tile_now < tiles; tile_now += gridDim.x) {
        const Tile tile(tile_now, problem);
        const uint8* const operands =
            fixed + ((fixed_index[tile.batch] * problem.lane_tiles + tile.lane) * depth + tile.first) * kLanes;
#if PATCHES
        Incoming incoming(windows, static_cast<int64>(tile.row) * kRows, rows, stream_index[tile.batch],
                          tile.first, __ldg(pad), operands);
#else
        Incoming incoming(
            stream + ((stream_index[tile.batch] * problem.row_tiles + tile.row) * depth + tile.first) * kRows, operands);
#endif
        Sums sums;
#pragma unroll
        for (int row = 0; row < ROWS; ++row)
#pragma unroll
            for (int word = 0; word < 4; ++word) sums.clear(row, word);

        incoming.fetch();
#if BUFFERS == 2
        // While one buffer is looked up in, the other is filled; half of the warps fill first, the other half last,
        // so that the loads of one half are waited for while the other looks up. Out of shared memory they come soon.
        const bool early = !TABLE_SHARED && threadIdx.x < kThreads / 2;
        fill(source, operands, buffers);
        incoming.stage(staged);
        __syncthreads();
        for (int k = 0; k < tile.terms; ++k) {
            const int now = k & 1, then = now ^ 1;
            const bool more = k + 1 < tile.terms;
            if (more) incoming.fetch();
            if (more && early) fill(source, staged + now * kSlot + kRows, buffers + then * kVectors);
            look_up(buffers + now * kVectors, staged + now * kSlot, sums);
            if (more && !early) fill(source, staged + now * kSlot + kRows, buffers + then * kVectors);
            if (more) incoming.stage(staged + then * kSlot);
            __syncthreads();
        }
#else
        fill(source, operands, buffers);
        for (int k = 0;;) {
            uint8* const slot = staged + (k & 1) * kSlot;
            incoming.stage(slot);
            __syncthreads();
            const bool more = ++k < tile.terms;
            if (more) incoming.fetch();
            look_up(buffers, slot, sums);
            __syncthreads();
            if (!more) break;
            fill(source, slot + kRows, buffers);
        }
#endif

        put_sums(sums, problem, Tile(tile_now, problem), out);
    }
}

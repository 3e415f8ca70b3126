// Sums of table entries, sixteen bytes of products to a look-up. The kernel for everything that is not narrow.
//
// For one term, the entries that a tile's fixed operands f meet stand interleaved in shared memory,
//
//     buffer[stream operand a][copy][group of lanes][lane] = T[a, f(group, lane)],    one row: 128 bytes
//
// a group being eight uint16 or four uint32. A thread has one group and ROWS rows of the stream; one load at its row's
// operand gives all products of its lanes. The eight threads of a phase (a 16-byte load is served eight threads at a
// time) have different groups or look into different copies, and so meet different banks, whatever their operands are.
//
// Two uint16 of a word are summed without being taken apart: `all += word` and `high += word >> 16` (an IADD and a
// LEA.HI, on different pipes, where the compiler likes); in the end `high` is the sum of the upper ones and
// `all - (high << 16)`, modulo 2^32, that of the lower ones. It is exact as long as the sums themselves fit 32 bits;
// where int64 is asked for, the host splits the terms in time, and int32 is meant modulo 2^32.
//
// What bounds it: the bandwidth of shared memory, 128 bytes a cycle. As many sums as registers hold are 45,056 for
// ROWS = 22, whatever the tile's shape; its fill costs 4 cycles a lane to read the table, and 256 to write all copies.
// So the tile is tall: with four groups it is of 1,408 x 32, and a term takes 704 cycles for entries, 48 for the
// stream's bytes, 128 + 256 to fill the buffer and 32 for operands: 1,168 cycles for 45,056 look-ups, 38.6 a cycle. With
// eight groups and no copies (704 x 64) it would be 35.0, and 36.4 with 24 rows. (Two groups would come to 40.8, in
// tiles of 2,816 rows, which few outputs fill.) That is 8.9e12/s on 132 multiprocessors at 1.755 GHz, less what a
// barrier a term costs: an estimate, not a measurement. Shared memory would give 64 a cycle if nothing had to be filled.
// Issue is no limit: of 1,168 cycles NVRTC's code for sm_90 takes 806 (tools/gpu_counts.py).
// With the table in the second-level cache (TABLE_SHARED 0) a fill reads half as much with four groups: 16 KiB from
// there or from the first level, 1,260 cycles at an Ada's 13 bytes a cycle, where eight groups would take 2,520.
//
// Registers: 8 sums a row, up to 176 of 255: 24 rows would leave some in memory. Where windows are addressed on the
// fly or the table is read from global memory there is room for 20 rows. Shared memory: BUFFERS * 32 KiB, two slots of
// a term's operands, 1 KiB, and the table's 128 KiB (TABLE_SHARED).
//
// Compile-time choices beside those of gather.cuh: ROWS (8, 16, 20, 22), GROUPS (4, 8), BUFFERS (1, 2),
// TABLE_SHARED (0, 1).
#include "gather.cuh"

constexpr int kThreads = 256;
constexpr int kRowVectors = 8;               // a row of the buffer, in vectors of 16 bytes: all banks once
constexpr int kGroups = GROUPS, kSlots = kThreads / kGroups;  // a thread works for one group of lanes and ROWS rows
constexpr int kCopies = kRowVectors / kGroups;
constexpr int kRows = kSlots * ROWS;         // of a tile
constexpr int kColumns = 16 / sizeof(Entry); // of a group: one load looks up as many products
constexpr int kLanes = kGroups * kColumns;   // of a tile
constexpr int kVectors = kSide * kRowVectors;  // of one term's entries, copies counted
constexpr int kTableVectors = kSide * kSide / kColumns;
constexpr int kFixedWords = kLanes / 4;
constexpr int kPitch = divide_up(ROWS, 4) * 4; // bytes of a thread's rows: staged ones are read four at a time
constexpr int kPlaces = kSlots * kPitch;
constexpr int kSlot = kPlaces + kLanes;      // bytes staged for a term
static_assert(kGroups == 8 || kGroups == 4, "whole copies, and a task of `fill` for each thread");

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

// Which piece of a column, 8 bytes of it, a thread reads in turn i. In every phase of sixteen threads that load 8 bytes
// the places modulo 128 bytes differ, and in every phase of eight threads that store 16 bytes the group or the copy: no
// two share a bank. The threads of a warp together read whole sectors.
__device__ __forceinline__ int piece_of(int i)
{
    const int thread = static_cast<int>(threadIdx.x), group = thread % kGroups, turn = thread / kGroups;
    if (kGroups == 8) {
        const int square = (thread / 64 + i / 2 * 4) * 8 + (group ^ turn % 8);
        return square * 2 + (turn + i) % 2;
    }
    return (turn / 16 + i * 4) * 16 + turn % 4 * 4 + (turn / 4 % 4 ^ group);
}

// Where in a row of the buffer, in vectors, a thread finds its group, in the copy that it looks into, or `after` that.
__device__ __forceinline__ int vector_of(int after)
{
    const int thread = static_cast<int>(threadIdx.x);
    return thread % kGroups + (thread / kGroups + after) % kCopies * kGroups;
}

// Interleaves the columns of one term, kColumns lanes and half as many rows at a time.
__device__ __forceinline__ void fill(const uint2* table, const uint8* operands, uint4* buffer)
{
    constexpr int kHalf = kColumns / 2;  // entries in 8 bytes
    const int group = threadIdx.x % kGroups;
    uint32 fixed[kColumns / 4];
#pragma unroll
    for (int i = 0; i < kColumns / 4; ++i)
        fixed[i] = reinterpret_cast<const uint32*>(operands)[group * (kColumns / 4) + i];
#pragma unroll
    for (int i = 0; i < kSide / kHalf * kGroups / kThreads; ++i) {
        const int piece = piece_of(i);
        uint2 column[kColumns];
#pragma unroll
        for (int j = 0; j < kColumns; ++j)
            column[j] = AXSIM_READ(table + (fixed[j / 4] >> j % 4 * 8 & 255) * (kSide / kHalf) + piece);
        uint4 rows[kHalf];
#if ENTRY_BYTES == 2
#pragma unroll
        for (int odd = 0; odd < 2; ++odd) {
            const uint32 pick = odd ? 0x7632 : 0x5410;
            rows[odd] = make_uint4(
                __byte_perm(column[0].x, column[1].x, pick), __byte_perm(column[2].x, column[3].x, pick),
                __byte_perm(column[4].x, column[5].x, pick), __byte_perm(column[6].x, column[7].x, pick));
            rows[2 + odd] = make_uint4(
                __byte_perm(column[0].y, column[1].y, pick), __byte_perm(column[2].y, column[3].y, pick),
                __byte_perm(column[4].y, column[5].y, pick), __byte_perm(column[6].y, column[7].y, pick));
        }
#else
        rows[0] = make_uint4(column[0].x, column[1].x, column[2].x, column[3].x);
        rows[1] = make_uint4(column[0].y, column[1].y, column[2].y, column[3].y);
#endif
        uint4* const to = buffer + piece * kHalf * kRowVectors;
#pragma unroll
        for (int copy = 0; copy < kCopies; ++copy) {
#pragma unroll
            for (int row = 0; row < kHalf; ++row) to[row * kRowVectors + vector_of(copy)] = rows[row];
        }
    }
}
#undef AXSIM_READ

// Adds one term to all sums of a thread; `staged` are its rows' bytes.
__device__ __forceinline__ void look_up(const uint4* buffer, const uint8* staged, Sums& sums)
{
    buffer += vector_of(0);
    staged += threadIdx.x / kGroups * kPitch;
#pragma unroll
    for (int row = 0; row < ROWS; row += 4) {
        const uint32 bytes = *reinterpret_cast<const uint32*>(staged + row);
#pragma unroll
        for (int i = 0; i < 4 && row + i < ROWS; ++i) {
            const uint32 operand = bytes >> i * 8 & 255;
            const uint4 entries = buffer[operand * kRowVectors];
            sums.add(row + i, 0, entries.x);
            sums.add(row + i, 1, entries.y);
            sums.add(row + i, 2, entries.z);
            sums.add(row + i, 3, entries.w);
        }
    }
}

// Operand bytes on their way to shared memory. A slot holds the stream's bytes of one term, followed by the fixed
// operands of the term after it, which are needed a step earlier. Row slot + kSlots * i of the tile stands at
// slot * kPitch + i: the bytes of a thread's rows side by side, the rows of a warp's slots side by side in the output.
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
        if (threadIdx.x < kFixedWords) reinterpret_cast<uint32*>(slot + kPlaces)[threadIdx.x] = word;
        slot += threadIdx.x % kSlots * kPitch + threadIdx.x / kSlots;
#pragma unroll
        for (int i = 0; i < kOwn; ++i)
            if (threadIdx.x + i * kThreads < kRows) slot[i * (kThreads / kSlots)] = static_cast<uint8>(byte[i]);
    }
};
#else
// What a thread brings of a term: 4 bytes, or 8 where these would not be enough.
template <bool Wide>
struct WordOf {
    using Type = uint32;
};
template <>
struct WordOf<true> {
    using Type = uint2;
};
using Word = WordOf<(kSlot / 4 > kThreads)>::Type;

struct Incoming {
    static constexpr int kStreamWords = kPlaces / sizeof(Word), kWords = kSlot / sizeof(Word);
    static_assert(kWords <= kThreads && kSlot % sizeof(Word) == 0, "a word a thread");
    const Word* from;  // packed in the order in which it is staged
    Word word;

    __device__ __forceinline__ Incoming(const uint8* stream_operands, const uint8* fixed_operands)
        : from(streams() ? reinterpret_cast<const Word*>(stream_operands) + threadIdx.x
                         : reinterpret_cast<const Word*>(fixed_operands) + kWords - kStreamWords + threadIdx.x -
                               kStreamWords)
    {
    }
    __device__ __forceinline__ static bool streams() { return threadIdx.x < kStreamWords; }
    __device__ __forceinline__ void fetch()
    {
        if (threadIdx.x >= kWords) return;
        word = __ldg(from);
        from += streams() ? kStreamWords : kWords - kStreamWords;
    }
    __device__ __forceinline__ void stage(uint8* slot) const
    {
        if (threadIdx.x < kWords) reinterpret_cast<Word*>(slot)[threadIdx.x] = word;
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
            stream + ((stream_index[tile.batch] * problem.row_tiles + tile.row) * depth + tile.first) * kPlaces, operands);
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
            if (more && early) fill(source, staged + now * kSlot + kPlaces, buffers + then * kVectors);
            look_up(buffers + now * kVectors, staged + now * kSlot, sums);
            if (more && !early) fill(source, staged + now * kSlot + kPlaces, buffers + then * kVectors);
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
            fill(source, slot + kPlaces, buffers);
        }
#endif

        put_sums(sums, problem, Tile(tile_now, problem), out);
    }
}

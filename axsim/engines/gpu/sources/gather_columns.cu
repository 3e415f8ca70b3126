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
// stream's bytes, 128 + 256 to fill the buffer and 48 for operands: 1,184 cycles for 45,056 look-ups, 38.1 a cycle. With
// eight groups and no copies (704 x 64) it would be 34.8. (Two groups would come to 40.8, in tiles of 2,816 rows, which
// few outputs fill.) That is 8.8e12/s on 132 multiprocessors at 1.755 GHz, less what a barrier a term costs (62 cycles
// by a model, tools/gpu_idle.py): an estimate, not a measurement. Shared memory would give 64 a cycle if nothing had to
// be filled. Issue is no limit: of 1,184 cycles NVRTC's code for sm_90 takes 698 (tools/gpu_counts.py). To that end
// places are offsets from one base, bytes are taken from words by a permutation, and a term too much may be fetched and
// staged: under a condition, compilers would move the loads down to where it is asked again.
// With the table in the second-level cache (TABLE_SHARED 0) a fill reads half as much with four groups: 16 KiB from
// there or from the first level, 1,260 cycles at an Ada's 13 bytes a cycle, where eight groups would take 2,520.
//
// Registers: 8 sums a row, up to 176 of 255: 24 rows would leave some in memory. Where windows are addressed on the
// fly or the table is read from global memory there is room for 20 rows; where both are, with eight groups, for 16.
// Shared memory: BUFFERS * 32 KiB, BUFFERS + 1 slots of a term's operands, 1 KiB, the table's 128 KiB (TABLE_SHARED).
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
constexpr int kBuffer = kVectors * 16;       // bytes of it
constexpr int kTableVectors = kSide * kSide / kColumns;
constexpr int kFixedWords = kLanes / 4;
constexpr int kPitch = divide_up(ROWS, 4) * 4; // bytes of a thread's rows: staged ones are read four at a time
constexpr int kPlaces = kSlots * kPitch;
constexpr int kSlot = kPlaces + kLanes;      // bytes staged for a term
// Of so many slots the threads are in one warp, and as many lanes of a group are swapped among them.
constexpr int kSquare = kColumns < 32 / kGroups ? kColumns : 32 / kGroups;
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

// Byte i of a word, by one instruction, where shift and mask are two.
__device__ __forceinline__ uint32 byte_of(uint32 word, int i) { return __byte_perm(word, 0, 0x4440 + i); }

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
// At the first of these places in row 0 is what is called a thread's `own` place in a buffer.
__device__ __forceinline__ int vector_of(int after)
{
    const int thread = static_cast<int>(threadIdx.x);
    return thread % kGroups + (thread / kGroups + after) % kCopies * kGroups;
}

// Interleaves the columns of one term, kColumns lanes and half as many rows at a time.
__device__ __forceinline__ void fill(const uint2* table, const uint8* operands, uint8* buffers, uint32 own)
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
            column[j] = AXSIM_READ(table + byte_of(fixed[j / 4], j % 4) * (kSide / kHalf) + piece);
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
        uint4* const to = reinterpret_cast<uint4*>(buffers + (own + (piece * kHalf * kRowVectors - vector_of(0)) * 16));
#pragma unroll
        for (int copy = 0; copy < kCopies; ++copy) {
#pragma unroll
            for (int row = 0; row < kHalf; ++row) to[row * kRowVectors + vector_of(copy)] = rows[row];
        }
    }
}
#undef AXSIM_READ

// Adds one term to all sums of a thread; `staged` are its rows' bytes, `first` the first eight of them.
__device__ __forceinline__ void look_up(const uint8* buffers, uint32 own, const uint32* staged, uint2 first, Sums& sums)
{
#pragma unroll
    for (int row = 0; row < ROWS; row += 4) {
        const uint32 bytes = row > 4 ? staged[row / 4] : row ? first.y : first.x;
#pragma unroll
        for (int i = 0; i < 4 && row + i < ROWS; ++i) {
            const uint32 operand = byte_of(bytes, i);
            const uint4 entries = *reinterpret_cast<const uint4*>(buffers + (own + operand * (kRowVectors * 16)));
            sums.add(row + i, 0, entries.x);
            sums.add(row + i, 1, entries.y);
            sums.add(row + i, 2, entries.z);
            sums.add(row + i, 3, entries.w);
        }
    }
}

// Operand bytes on their way to shared memory: `fetch` brings the next term's, and goes on if there are more. A slot
// holds the stream's bytes of one term, followed by the fixed operands of the term after it, which are needed a step
// earlier. Row slot + kSlots * i of the tile stands at
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
    __device__ __forceinline__ void fetch(bool more)
    {
        if (threadIdx.x < kFixedWords) word = __ldg(fixed + kFixedWords);
#pragma unroll
        for (int i = 0; i < kOwn; ++i) byte[i] = pixel(windows, corner[i], tap, pad);
        if (!more) return;
        fixed += kFixedWords;
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
    __device__ __forceinline__ void fetch(bool more)
    {
        if (threadIdx.x < kWords) word = __ldg(from);
        if (more) from += streams() ? kStreamWords : kWords - kStreamWords;
    }
    __device__ __forceinline__ void stage(uint8* slot) const
    {
        if (threadIdx.x < kWords) reinterpret_cast<Word*>(slot)[threadIdx.x] = word;
    }
};
#endif

#if !PATCHES
// Swaps sums among the threads of kSquare slots: what slot s has of lane j becomes what slot j has of row s.
__device__ __forceinline__ void swap_sums(uint32 (&sums)[kColumns])
{
#pragma unroll
    for (int apart = 1; apart < kSquare; apart *= 2) {
        const bool upper = threadIdx.x / kGroups & apart;
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
            if (j & apart) continue;
            const uint32 got = __shfl_xor_sync(~0u, upper ? sums[j] : sums[j | apart], apart * kGroups);
            if (upper) sums[j] = got;
            else sums[j | apart] = got;
        }
    }
}
#endif

// Writes a thread's sums, or adds them where several blocks share an output.
__device__ __forceinline__ void put_sums(const Sums& sums, const Problem& p, const Tile& tile, Out* out)
{
    const int slot = static_cast<int>(threadIdx.x) / kGroups;
    const int64 first_row = static_cast<int64>(tile.row) * kRows + slot;
    const int64 first_lane = static_cast<int64>(tile.lane) * kLanes + threadIdx.x % kGroups * kColumns;
    const Out correction = static_cast<Out>(p.offset * tile.terms);
    const bool add = p.splits > 1;
    const int64 matrix = tile.batch * p.batch_stride;  // by itself: `out` is a parameter, and needs no register
#if !PATCHES  // the lanes of windows are filters, which lie apart
    if (p.lane_axis.stride == 1 && p.lane_axis.inner >= p.lane_axis.size && p.row_axis.inner >= p.row_axis.size) {
        // A row's lanes lie side by side. Threads swap sums, so that a warp writes many lanes of few rows at a time:
        // whole sectors of 32 bytes, where it would write 4 bytes of each.
        const int turn = slot % kSquare;
        const int64 rows_left = p.row_axis.size - (first_row - turn);
        const int64 lanes_left = p.lane_axis.size - (first_lane + turn);
        const int64 rows_of_warp = p.row_axis.size - (first_row - slot % (32 / kGroups));
        Out* to = out + (matrix + (first_row - turn) * p.row_axis.stride + (first_lane + turn));
#pragma unroll
        for (int i = 0; i < ROWS; ++i, to += kSlots * p.row_axis.stride) {
            if (i * kSlots >= rows_of_warp) return;
            uint32 swapped[kColumns];
#pragma unroll
            for (int j = 0; j < kColumns; ++j) swapped[j] = sums.total(i, j);
            swap_sums(swapped);
#pragma unroll
            for (int j = 0; j < kColumns; ++j) {
                const int row = j % kSquare, lane = j / kSquare * kSquare;
                if (i * kSlots + row < rows_left && lane < lanes_left)
                    put(to + row * p.row_axis.stride + lane, swapped[j] + correction, add);
            }
        }
        return;
    }
#endif
    if (first_lane >= p.lane_axis.size) return;
    AxisWalk row(p.row_axis, first_row, kSlots);
    row.offset += matrix;
    const AxisWalk lanes(p.lane_axis, first_lane, 1);
#pragma unroll
    for (int i = 0; i < ROWS; ++i, row.next()) {
        if (first_row + i * kSlots >= p.row_axis.size) return;
        AxisWalk lane = lanes;
#pragma unroll
        for (int j = 0; j < kColumns; ++j, lane.next())
            if (first_lane + j < p.lane_axis.size)
                put(out + row.offset + lane.offset, sums.total(i, j) + correction, add);
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
    uint8* const buffers = reinterpret_cast<uint8*>(shared + (TABLE_SHARED ? kTableVectors : 0));
    const uint32 own = vector_of(0) * 16;
    uint8* const slots = buffers + BUFFERS * kBuffer;
    const uint32* const rows_of = reinterpret_cast<const uint32*>(slots + threadIdx.x / kGroups * kPitch);
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

        incoming.fetch(tile.terms > 1);
        fill(source, operands, buffers, own);
        incoming.stage(slots);
#if BUFFERS == 2
        // While one buffer is looked up in, the other is filled; half of the warps fill first, the other half last,
        // so that what one half waits for does not leave the other idle. Operands are staged two terms early: the first
        // of a term are in registers before the barrier, and what follows it begins with look-ups.
        const bool early = threadIdx.x < kThreads / 2;
        incoming.fetch(tile.terms > 2);
        incoming.stage(slots + kSlot);
        __syncthreads();
        uint2 first = make_uint2(rows_of[0], rows_of[1]);
        uint32 buffer = 0, slot = 0;
        for (int left = tile.terms; left > 0; --left) {
            const uint32 other = kBuffer - buffer, next = slot < 2 * kSlot ? slot + kSlot : 0;
            if (left > 1 && early) fill(source, slots + slot + kPlaces, buffers, own + other);
            incoming.fetch(left > 3);
            look_up(buffers, own + buffer, rows_of + slot / 4, first, sums);
            first = make_uint2(rows_of[next / 4], rows_of[next / 4 + 1]);
            incoming.stage(slots + (next < 2 * kSlot ? next + kSlot : 0));
            if (left > 1 && !early) fill(source, slots + slot + kPlaces, buffers, own + other);
            __syncthreads();
            buffer = other;
            slot = next;
        }
#else
        uint32 slot = 0;
        for (int left = tile.terms;;) {
            __syncthreads();
            incoming.fetch(left > 2);
            const uint32* const staged = rows_of + slot / 4;
            look_up(buffers, own, staged, make_uint2(staged[0], staged[1]), sums);
            __syncthreads();
            if (--left <= 0) break;
            const uint32 next = kSlot - slot;
            incoming.stage(slots + next);
            fill(source, slots + slot + kPlaces, buffers, own);
            slot = next;
        }
#endif

        put_sums(sums, problem, Tile(tile_now, problem), out);
    }
}

// Sums of products of floats whose significands go through a table, AXSIM_SEGMENTS segments of 8 bits each:
//     P = sum over i, j < AXSIM_SEGMENTS of T[segment i of a][segment j of b] * 256**(i + j)
//
// defines: AXSIM_SEGMENTS (1 to 3); AXSIM_KIND (float_rules.cuh); AXSIM_WIDE: 1 where cells of T need uint32, or the
// entries below uint64.
//
// An operand b of a column (a filter) meets many rows. For it T shrinks to 256 entries
//     E[v] = sum over j of T[v][segment j of b] * 256**j
// which a block makes in shared memory, for 8 columns and one step in depth at a time, from the device's copy of T
// (128 KiB, which stay in the caches) while it multiplies with those of the step before. A product then takes
// AXSIM_SEGMENTS look-ups in place of their square, and no device needs 128 KiB of shared memory.
//
// Bound: look-ups. 32 lanes meet 32 banks at random, so one of them gets 3.4 on average: 3.4 cycles a look-up of a warp.
// On an H100 (132 multiprocessors, 1.755 GHz): 2.2e12 look-ups/s, 0.73e12 products/s of float32, 1.1e12 of float16.
// With one segment (bfloat16) it is issue slots: about 12 instructions a product and, for 16 products, 40 an operand of
// a row (2) and 30 for entries (2 columns), so 21 of them or 5.2 of a multiprocessor's cycles for the 32 products of a
// warp: 1.4e12 products/s. An estimate, not a measurement. More rows a thread would need more registers than there are
// for 16 warps of a multiprocessor.
#include "common.cuh"
#include "float_rules.cuh"
#include "float_operands.cuh"

constexpr int kSegments = AXSIM_SEGMENTS, kKind = AXSIM_KIND;
constexpr int kThreads = 256, kThreadRows = 2, kRows = kThreads * kThreadRows, kColumns = 8;
constexpr int kEntries = 256;
constexpr int kEntriesAtOnce = 4;  // a thread's entries of one column
constexpr int kThreadsOfColumn = kEntries / kEntriesAtOnce, kColumnsAtOnce = kThreads / kThreadsOfColumn;
constexpr int kBuilds = kColumns / kColumnsAtOnce;

#if AXSIM_WIDE
using Cells = uint4;  // four neighbouring cells of T
using Entry = uint64;
__device__ __forceinline__ uint32 cell(const Cells& cells, int i)
{
    return i == 0 ? cells.x : i == 1 ? cells.y : i == 2 ? cells.z : cells.w;
}
#else
using Cells = uint2;
using Entry = uint32;
__device__ __forceinline__ uint32 cell(const Cells& cells, int i)
{
    const uint32 pair = i < 2 ? cells.x : cells.y;
    return i % 2 ? pair >> 16 : pair & 0xFFFFu;
}
#endif

struct alignas(16) Entries {
    Entry value[kEntriesAtOnce];
};

__device__ __forceinline__ uint32 segment(uint32 significand, int s) { return significand >> (8 * s) & 255u; }

__device__ __forceinline__ uint64 look_up(const Entry* entries, uint32 significand)
{
    uint64 product = entries[segment(significand, 0)];
#pragma unroll
    for (int s = 1; s < kSegments; ++s)
        product += static_cast<uint64>(entries[segment(significand, s)]) * (1u << (8 * s));
    return product;
}

using Sums = double[kThreadRows][kColumns];

// The rows' operands, as a thread keeps them.
struct Rows {
    uint32 significand[kThreadRows], weight[kThreadRows];
};

// Products with the entries and weights of kColumns operands.
template <bool Ordinary>
__device__ __forceinline__ void add_products(const Entries* entries, const uint32* weights, const Rows& rows,
                                             const Rules& rules, Sums& sums)
{
    const Fast<kKind> fast(rules);
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
        const auto here = reinterpret_cast<const Entry*>(entries + c * kThreadsOfColumn);
#pragma unroll
        for (int r = 0; r < kThreadRows; ++r) {
            const double left = from_words(rows.weight[r], 0), weight = left * from_words(weights[c], 0);
            double value = __ull2double_rn(look_up(here, rows.significand[r]));
            if (kKind != kPublished) value *= weight;
            double& sum = sums[r][c];
            if (Ordinary) sum = fast.add(sum, value, left, weights[c]);
            else sum = __dadd_rn(sum, any_product<kKind>(rules, value, weight));
        }
    }
}

// table: rows of 256 cells for each segment of a filter. Cells are given as what loads take at once.
extern "C" __global__ void __launch_bounds__(kThreads, AXSIM_WIDE ? 1 : 2)
    float_segments(AXSIM_PROBLEM_PARAMETERS, AXSIM_RULES_PARAMETERS, const void* __restrict__ table)
{
    const Problem p = AXSIM_PROBLEM;
    const Rules rules = AXSIM_RULES;
    // By the published rule a weight is worth twice as much; else the significands' product counts 2**-2m.
    const int extra = kKind == kPublished ? 1 : -2 * rules.fraction_bits;
    const int thread = static_cast<int>(threadIdx.x);
    const int build_column = thread / kThreadsOfColumn, build_cells = thread % kThreadsOfColumn;

    AXSIM_SHARED(Entries, entries, 2 * kColumns * kThreadsOfColumn);
    AXSIM_SHARED(uint32, weights, 2 * kColumns);
    AXSIM_SHARED(Place, windows, kRows);
    AXSIM_SHARED(Place, steps, 2);
    AXSIM_SHARED(int32, special, 3);  // whether some column's operand at step k is not ordinary, at k % 3

    const int64 parts = parts_of(p, kRows, kColumns);
    for (int64 number = blockIdx.x; number < parts; number += gridDim.x) {
        const Part part = part_of(p, number, kRows, kColumns);
        const float* const patches_here = patches_of(p, part.batch);
        const float* const filters_here = filters_of(p, part.batch);
        float filter[kBuilds], pixels[kThreadRows];
        Cells cells[kBuilds][kSegments];
        uint32 filter_weight[kBuilds];
        bool filters_ordinary, rows_ordinary;
        Rows rows_now;

        const auto load_filters = [&](int k) {
#pragma unroll
            for (int i = 0; i < kBuilds; ++i)
                filter[i] = load_filter(p, filters_here, part.column + build_column + i * kColumnsAtOnce, k);
        };
        const auto load_cells = [&] {
            filters_ordinary = true;
#pragma unroll
            for (int i = 0; i < kBuilds; ++i) {
                const Operand operand = take_apart(filter[i], rules, extra);
                const uint32 whole = significand(operand, rules);
                filter_weight[i] = operand.weight;
                filters_ordinary &= operand.ordinary;
#pragma unroll
                for (int s = 0; s < kSegments; ++s)
                    cells[i][s] = __ldg(static_cast<const Cells*>(table) + segment(whole, s) * kThreadsOfColumn +
                                        build_cells);
            }
        };
        const auto store_entries = [&](int k) {
#pragma unroll
            for (int i = 0; i < kBuilds; ++i) {
                const int at = k % 2 * kColumns + build_column + i * kColumnsAtOnce;
                Entries made;
#pragma unroll
                for (int v = 0; v < kEntriesAtOnce; ++v) {
                    made.value[v] = cell(cells[i][0], v);
#pragma unroll
                    for (int s = 1; s < kSegments; ++s)
                        made.value[v] += static_cast<Entry>(cell(cells[i][s], v)) << (8 * s);
                    // Fast<kPublished> needs it: a fraction field under a weight of 0 would be a subnormal number.
                    if (kKind == kPublished && !(filter_weight[i] & ~kSign)) made.value[v] = 0;
                }
                entries[at * kThreadsOfColumn + build_cells] = made;
                if (build_cells == 0) weights[at] = filter_weight[i];
            }
            if (!filters_ordinary) atomicOr(&special[k % 3], 1);
        };
        const auto load_rows = [&](int k) {
            const Place step = steps[k % 2];
#pragma unroll
            for (int r = 0; r < kThreadRows; ++r)
                pixels[r] = load_pixel(p, patches_here, windows[thread + r * kThreads], step);
        };
        const auto take_rows_apart = [&] {
            rows_ordinary = true;
#pragma unroll
            for (int r = 0; r < kThreadRows; ++r) {
                const Operand operand = take_apart(pixels[r], rules, 0);
                rows_now.significand[r] = significand(operand, rules);
                rows_now.weight[r] = operand.weight;
                rows_ordinary &= operand.ordinary;
            }
        };

        __syncthreads();  // all are through with the part before
#pragma unroll
        for (int r = 0; r < kThreadRows; ++r) {
            const int i = thread + r * kThreads;
            windows[i] = window_of(p, part.row + i);
        }
        if (thread < 2) steps[thread] = step_of(p, thread);
        if (thread < 3) special[thread] = 0;
        __syncthreads();
        load_filters(0);
        load_cells();
        load_filters(1);
        store_entries(0);
        load_rows(0);
        take_rows_apart();
        __syncthreads();

        Sums sums = {};
        for (int k = 0; k < p.depth; ++k) {
            load_cells();  // of step k + 1; behind the last one they are those of 0
            load_rows(k + 1);
            load_filters(k + 2);
            const Entries* const entries_now = entries + k % 2 * kColumns * kThreadsOfColumn;
            const uint32* const weights_now = weights + k % 2 * kColumns;
            if (rows_ordinary && !special[k % 3]) add_products<true>(entries_now, weights_now, rows_now, rules, sums);
            else add_products<false>(entries_now, weights_now, rows_now, rules, sums);
            store_entries(k + 1);
            take_rows_apart();
            // For later steps, where nobody has read since the barrier.
            if (thread == 0) {
                steps[k % 2] = step_of(p, k + 2);
                special[(k + 2) % 3] = 0;
            }
            __syncthreads();
        }

#pragma unroll
        for (int r = 0; r < kThreadRows; ++r) {
            const int64 at = part.row + thread + r * kThreads;
            if (at >= p.rows) continue;
            const int64 offset = part.batch * p.out_batch + output_of(p, at);
#pragma unroll
            for (int c = 0; c < kColumns; ++c) {
                const int32 across = part.column + c;
                if (across < p.columns) store_sum(p, offset + across * p.out_column, sums[r][c]);
            }
        }
    }
}

// Sums of products of floats whose significands go through a masked form
//     P = sum over t < AXSIM_TERMS of weight_t (A & left_t) (B & right_t)
//
// defines: AXSIM_TERMS (1 to 3); AXSIM_KIND (float_rules.cuh); AXSIM_TILE (below).
//
// Each operand is taken apart once for a tile of the output: into AXSIM_TERMS doubles (its masked significands, times
// its weight unless the published rule wants the bare product of significands) and its weight. A product then is
// AXSIM_TERMS multiplications or fused multiply-adds, exact; its rounding; and one addition to the sum. By instructions:
//
//     kind        float64 pipe                               integer pipe
//     published   AXSIM_TERMS + 1 (DFMA scales and adds)     2 LOP3
//     truncated   AXSIM_TERMS + 1                            2 LOP3
//     nearest     AXSIM_TERMS + 3                            LOP3, IMNMX, IADD
//
// Bound: issue slots, closely followed by the float64 pipe. An H100 has 132 multiprocessors of 4 schedulers, each of
// which starts one instruction of a warp a cycle, one of float64 every two cycles; at 1.755 GHz. For Ax-FPM, in the
// large tile, nvcc 13.0 gives sm_90 200 instructions for the 32 products of a thread and a step in depth, 96 of them
// float64 (192 cycles), and some 540 to load and take apart the 8 operands that a thread brings for 256 products: 8.4 a
// product, which allows 3.5e12 products/s. The float64 pipe alone would allow 4.9e12 (3 instructions a product), and
// 3.7e12 for float32, bfloat16 and float16 (4) and for forms of three terms. Shared memory: 240 bytes for those 32
// products, of which 8 lanes or 4 read the same: at most 30 cycles of a multiprocessor for 50 of its schedulers'. All
// of this is an estimate from listings, not a measurement. GPUs with few float64 units (compute capability 7.5 and 8.6:
// 1/32 of the float32 rate) are bound by them alone: 1/32 as fast for each multiprocessor and cycle.
//
// A tile of depth in which some operand is not ordinary is multiplied by any_product, at a tenth of that speed.
//
// Registers: 168 for the large tile, so that three blocks (12 warps) are on a multiprocessor; two for three terms.
#include "common.cuh"
#include "float_rules.cuh"
#include "float_operands.cuh"

constexpr int kTerms = AXSIM_TERMS, kKind = AXSIM_KIND;
constexpr int kThreads = 128;

// Blocks that shall fit on a multiprocessor; a thread's rows and columns, both even; threads side by side along rows;
// depth of a tile.
#if AXSIM_TILE == 0  // 64 x 64
constexpr int kBlocks = kTerms < 3 ? 3 : 2, kThreadRows = 8, kThreadColumns = 4, kAlongRows = 8, kDepth = 8;
#elif AXSIM_TILE == 1  // 32 x 32: for outputs too small to give every multiprocessor a larger one
constexpr int kBlocks = 4, kThreadRows = 4, kThreadColumns = 2, kAlongRows = 8, kDepth = 8;
#else  // 256 x 4: for few columns
constexpr int kBlocks = 4, kThreadRows = 4, kThreadColumns = 2, kAlongRows = 64, kDepth = 4;
#endif
constexpr int kAlongColumns = kThreads / kAlongRows;
constexpr int kRows = kThreadRows * kAlongRows, kColumns = kThreadColumns * kAlongColumns;

// Operands of a tile in shared memory: doubles [term][k][row], and weights [k][row]. So much wider are rows of them that
// half a warp that stores neighbours in depth, kDepth at a time, meets 32 different banks.
constexpr int kRowPitch = kRows + 16 / kDepth, kColumnPitch = kColumns + 16 / kDepth;
constexpr int kTermDoubles = kDepth * (kRowPitch + kColumnPitch);
constexpr int kStageBytes = kTermDoubles * (8 * kTerms + 4);
constexpr int kLoadedRows = kRows * kDepth / kThreads;  // elements of a tile that a thread loads
constexpr int kLoadedColumns = divide_up(kColumns * kDepth, kThreads);

// One side of a tile of depth.
template <int Pitch>
struct Panel {
    double* terms;
    uint32* weights;

    __device__ double& term(int t, int k, int i) const { return terms[(t * kDepth + k) * Pitch + i]; }
    __device__ uint32& weight(int k, int i) const { return weights[k * Pitch + i]; }
};

struct Stage {
    Panel<kRowPitch> rows;
    Panel<kColumnPitch> columns;

    __device__ explicit Stage(unsigned char* memory)
    {
        rows.terms = reinterpret_cast<double*>(memory);
        columns.terms = rows.terms + kTerms * kDepth * kRowPitch;
        rows.weights = reinterpret_cast<uint32*>(columns.terms + kTerms * kDepth * kColumnPitch);
        columns.weights = rows.weights + kDepth * kRowPitch;
    }
};

// One side of the form.
struct Masks {
    uint32 mask[kTerms];    // at bit 23 that of the leading 1
    double weight[kTerms];
};

// Whether the operand is ordinary.
template <int Pitch>
__device__ __forceinline__ bool store_operand(const Panel<Pitch>& panel, int k, int i, float x, const Rules& rules,
                                              const Masks& masks, int extra)
{
    const Operand operand = take_apart(x, rules, extra);
    const uint32 scale = kKind != kPublished ? operand.weight : operand.zero ? 0 : kOne;
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        const uint32 mask = masks.mask[t], fraction = operand.fraction & mask;
        const double leading = from_words(scale, 0);
        double term = from_words(scale | fraction >> 3, fraction << 29);
        if (!(mask & (kFloatFraction + 1))) term = __dadd_rn(term, -leading);
        panel.term(t, k, i) = term * masks.weight[t];
    }
    panel.weight(k, i) = operand.weight;
    return operand.ordinary;
}

// A thread takes pairs of neighbouring rows, 2 * kAlongRows apart, so that the threads of a warp together read
// stretches without gaps; and columns likewise.
__device__ __forceinline__ int row_of(int along, int r) { return 2 * (along + r / 2 * kAlongRows) + r % 2; }
__device__ __forceinline__ int column_of(int along, int c) { return 2 * (along + c / 2 * kAlongColumns) + c % 2; }

using Sums = double[kThreadRows][kThreadColumns];

template <bool Ordinary>
__device__ __forceinline__ void add_products(const Stage& stage, int row, int column, const Rules& rules, Sums& sums)
{
    const Fast<kKind> fast(rules);
#pragma unroll 1
    for (int k = 0; k < kDepth; ++k) {
        double b[kTerms][kThreadColumns];
        uint32 b_weight[kThreadColumns];
#pragma unroll
        for (int c = 0; c < kThreadColumns; c += 2) {
            const int i = column_of(column, c);
#pragma unroll
            for (int t = 0; t < kTerms; ++t) {
                const double2 pair = *reinterpret_cast<const double2*>(&stage.columns.term(t, k, i));
                b[t][c] = pair.x;
                b[t][c + 1] = pair.y;
            }
            const uint2 pair = *reinterpret_cast<const uint2*>(&stage.columns.weight(k, i));
            b_weight[c] = pair.x;
            b_weight[c + 1] = pair.y;
        }
#pragma unroll
        for (int r = 0; r < kThreadRows; r += 2) {
            const int i = row_of(row, r);
            double a[kTerms][2];
#pragma unroll
            for (int t = 0; t < kTerms; ++t) {
                const double2 pair = *reinterpret_cast<const double2*>(&stage.rows.term(t, k, i));
                a[t][0] = pair.x;
                a[t][1] = pair.y;
            }
            const uint2 pair = *reinterpret_cast<const uint2*>(&stage.rows.weight(k, i));
            const double a_weight[2] = {from_words(pair.x, 0), from_words(pair.y, 0)};
#pragma unroll
            for (int j = 0; j < 2; ++j)
#pragma unroll
                for (int c = 0; c < kThreadColumns; ++c) {
                    double value = a[kTerms - 1][j] * b[kTerms - 1][c];
#pragma unroll
                    for (int t = kTerms - 2; t >= 0; --t) value = __fma_rn(a[t][j], b[t][c], value);
                    double& sum = sums[r + j][c];
                    if (Ordinary) sum = fast.add(sum, value, a_weight[j], b_weight[c]);
                    else sum = __dadd_rn(sum, any_product<kKind>(rules, value, a_weight[j] * from_words(b_weight[c], 0)));
                }
        }
    }
}

// Element e of kRows (or kColumns) times kDepth that threads load: where it is. Neighbouring threads take neighbours
// in memory.
__device__ __forceinline__ int depth_index(int e, int width, bool by_depth) { return by_depth ? e % kDepth : e / width; }
__device__ __forceinline__ int width_index(int e, int width, bool by_depth) { return by_depth ? e / kDepth : e % width; }

extern "C" __global__ void __launch_bounds__(kThreads, kBlocks)
    float_forms(AXSIM_PROBLEM_PARAMETERS, AXSIM_RULES_PARAMETERS, uint32 patch_mask_0, uint32 patch_mask_1,
                uint32 patch_mask_2, uint32 filter_mask_0, uint32 filter_mask_1, uint32 filter_mask_2, double weight_0,
                double weight_1, double weight_2)
{
    const Problem p = AXSIM_PROBLEM;
    const Rules rules = AXSIM_RULES;
    const uint32 patch_masks[3] = {patch_mask_0, patch_mask_1, patch_mask_2};
    const uint32 filter_masks[3] = {filter_mask_0, filter_mask_1, filter_mask_2};
    const double weights[3] = {weight_0, weight_1, weight_2};
    Masks row_masks, column_masks;
#pragma unroll
    for (int t = 0; t < kTerms; ++t) {
        row_masks.mask[t] = patch_masks[t];
        row_masks.weight[t] = weights[t];
        column_masks.mask[t] = filter_masks[t];
        column_masks.weight[t] = 1;
    }

    AXSIM_DYNAMIC_SHARED(unsigned char, memory);
    AXSIM_SHARED(Place, windows, kRows);
    AXSIM_SHARED(Place, steps, 2 * kDepth);
    AXSIM_SHARED(int32, special, 3);  // whether some operand of tile t is not ordinary, at t % 3

    constexpr int lanes_along_columns = kAlongColumns < 8 ? kAlongColumns : 8;
    constexpr int warps_along_columns = kAlongColumns / lanes_along_columns;
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
    const int column = lane % lanes_along_columns + warp % warps_along_columns * lanes_along_columns;
    const int row = lane / lanes_along_columns + warp / warps_along_columns * (32 / lanes_along_columns);
    const int tiles = divide_up(p.depth, kDepth);

    const int64 parts = parts_of(p, kRows, kColumns);
    for (int64 number = blockIdx.x; number < parts; number += gridDim.x) {
        const Part part = part_of(p, number, kRows, kColumns);
        const float* const patches_here = patches_of(p, part.batch);
        const float* const filters_here = filters_of(p, part.batch);
        float loaded_rows[kLoadedRows], loaded_columns[kLoadedColumns];

        const auto load = [&](int tile) {
#pragma unroll
            for (int i = 0; i < kLoadedRows; ++i) {
                const int e = thread + i * kThreads, k = depth_index(e, kRows, p.patches_by_depth);
                loaded_rows[i] = load_pixel(p, patches_here, windows[width_index(e, kRows, p.patches_by_depth)],
                                            steps[tile % 2 * kDepth + k]);
            }
#pragma unroll
            for (int i = 0; i < kLoadedColumns; ++i) {
                const int e = thread + i * kThreads, k = depth_index(e, kColumns, p.filters_by_depth);
                if (e < kColumns * kDepth)
                    loaded_columns[i] =
                        load_filter(p, filters_here, part.column + width_index(e, kColumns, p.filters_by_depth),
                                    tile * kDepth + k);
            }
        };
        const auto store = [&](int tile) {
            const Stage stage(memory + tile % 2 * kStageBytes);
            bool ordinary = true;
#pragma unroll
            for (int i = 0; i < kLoadedRows; ++i) {
                const int e = thread + i * kThreads;
                ordinary &= store_operand(stage.rows, depth_index(e, kRows, p.patches_by_depth),
                                          width_index(e, kRows, p.patches_by_depth), loaded_rows[i], rules, row_masks, 0);
            }
#pragma unroll
            for (int i = 0; i < kLoadedColumns; ++i) {
                const int e = thread + i * kThreads;
                if (e < kColumns * kDepth)
                    ordinary &= store_operand(stage.columns, depth_index(e, kColumns, p.filters_by_depth),
                                              width_index(e, kColumns, p.filters_by_depth), loaded_columns[i], rules,
                                              column_masks, kKind == kPublished);
            }
            if (!ordinary) atomicOr(&special[tile % 3], 1);
        };

        __syncthreads();  // all are through with the part before
        for (int i = thread; i < kRows; i += kThreads) windows[i] = window_of(p, part.row + i);
        if (thread < 2 * kDepth) steps[thread] = step_of(p, thread);
        if (thread < 3) special[thread] = 0;
        __syncthreads();
        if (tiles > 0) {
            load(0);
            store(0);
        }
        __syncthreads();

        Sums sums = {};
        for (int tile = 0; tile < tiles; ++tile) {
            const bool more = tile + 1 < tiles;
            if (more) load(tile + 1);
            const Stage stage(memory + tile % 2 * kStageBytes);
            if (special[tile % 3]) add_products<false>(stage, row, column, rules, sums);
            else add_products<true>(stage, row, column, rules, sums);
            if (more) store(tile + 1);
            // What the tile after the next one needs, where nobody has read since the barrier.
            if (thread < kDepth) steps[tile % 2 * kDepth + thread] = step_of(p, (tile + 2) * kDepth + thread);
            if (thread == 0) special[(tile + 2) % 3] = 0;
            __syncthreads();
        }

        const auto out_batch_offset = part.batch * p.out_batch;
#pragma unroll
        for (int r = 0; r < kThreadRows; ++r) {
            const int64 at = part.row + row_of(row, r);
            if (at >= p.rows) continue;
            const int64 offset = out_batch_offset + output_of(p, at);
#pragma unroll
            for (int c = 0; c < kThreadColumns; ++c) {
                const int32 across = part.column + column_of(column, c);
                if (across < p.columns) store_sum(p, offset + across * p.out_column, sums[r][c]);
            }
        }
    }
}

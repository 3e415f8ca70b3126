// Products of floats, element by element.
//
// Bound: memory, 12 bytes a product: 0.28e12 products/s at an H100's 3.35 TB/s. A product takes about 120 instructions,
// 20 of them float64: at most 0.9e12/s. Estimates. With a table, up to 9 of its cells come from the caches.
#include "common.cuh"
#include "float_rules.cuh"

constexpr int kThreads = 256;

// P: the product of the significands, an integer.
template <int Kind>
__device__ __forceinline__ float finish(const Rules& rules, uint64 significands, double weight)
{
    double value = __ull2double_rn(significands);
    if (Kind != kPublished) value *= weight;
    return __double2float_rn(any_product<Kind>(rules, value, weight));
}

// out[i] = a[i * a_step] * b[i * b_step]; `product` multiplies significands.
template <class Product>
__device__ __forceinline__ void multiply(const float* a, const float* b, float* out, int64 count, int32 a_step,
                                         int32 b_step, const Rules& rules, int32 kind, const Product& product)
{
    // By the published rule a weight is worth twice as much; else the significands' product counts 2**-2m.
    const int extra = kind == kPublished ? 1 : -2 * rules.fraction_bits;
    const int64 threads = static_cast<int64>(gridDim.x) * kThreads;
    for (int64 i = static_cast<int64>(blockIdx.x) * kThreads + threadIdx.x; i < count; i += threads) {
        const Operand left = take_apart(a[i * a_step], rules, extra), right = take_apart(b[i * b_step], rules, 0);
        const double weight = from_words(left.weight, 0) * from_words(right.weight, 0);
        const uint64 significands = product(significand(left, rules), significand(right, rules));
        float result = 0;
        if (!(rules.positive_zero() && (left.zero || right.zero) && weight == 0)) {
            if (kind == kPublished) result = finish<kPublished>(rules, significands, weight);
            else if (kind == kTruncated) result = finish<kTruncated>(rules, significands, weight);
            else result = finish<kNearest>(rules, significands, weight);
        }
        out[i] = result;
    }
}

#define AXSIM_MULTIPLY_PARAMETERS                                                                              \
    const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ out, int64 count,            \
        int32 a_step, int32 b_step, AXSIM_RULES_PARAMETERS, int32 kind

// Significands through a masked form of up to three terms; masks of all bits of a significand.
extern "C" __global__ void __launch_bounds__(kThreads)
    float_multiply_forms(AXSIM_MULTIPLY_PARAMETERS, uint32 left_0, uint32 left_1, uint32 left_2, uint32 right_0,
                         uint32 right_1, uint32 right_2, uint64 weight_0, uint64 weight_1, uint64 weight_2)
{
    multiply(a, b, out, count, a_step, b_step, AXSIM_RULES, kind, [=](uint32 x, uint32 y) {
        return weight_0 * (static_cast<uint64>(x & left_0) * (y & right_0)) +
               weight_1 * (static_cast<uint64>(x & left_1) * (y & right_1)) +
               weight_2 * (static_cast<uint64>(x & left_2) * (y & right_2));
    });
}

// Significands through a table of 256 x 256 cells, segment by segment of 8 bits.
extern "C" __global__ void __launch_bounds__(kThreads)
    float_multiply_segments(AXSIM_MULTIPLY_PARAMETERS, const uint32* __restrict__ table, int32 segments)
{
    multiply(a, b, out, count, a_step, b_step, AXSIM_RULES, kind, [=](uint32 x, uint32 y) {
        uint64 sum = 0;
        for (int i = 0; i < segments; ++i)
            for (int j = 0; j < segments; ++j)
                sum += static_cast<uint64>(__ldg(table + ((x >> 8 * i & 255u) << 8 | (y >> 8 * j & 255u)))) << 8 * (i + j);
        return sum;
    });
}

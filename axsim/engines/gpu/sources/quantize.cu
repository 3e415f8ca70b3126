// Quantisation of float operands, with the numbers of axsim/quantize.py: float64 arithmetic, every operation
// rounded once, halves to even. Nothing here has a product beside a sum that the compiler could fuse.
//
//   extremes     the least and the greatest element, 0 included, of every block's share
//   parameters   from these the scale and the zero point, in device memory; NaN if an element is not finite
//   quantise     clip(round(x / scale) + zero, qmin, qmax)
//
// Bound by memory bandwidth: for float32, extremes reads 4 bytes an element, quantise reads 4 and writes 1; at
// 3.35 TB/s 9 bytes are 2.7 ns for 1,000 elements, 45 us for 4096 x 4096. A float64 division takes about 20
// operations, which is as long again where there are 64 float64 units to a multiprocessor (an H100: 34e12
// multiply-adds/s), and the bound where there are two (an estimate, as is all of this until measured).
//
// Compile with FLOAT: float or double.

#include "common.cuh"

namespace {

constexpr int threads = 256;

// What is found in a share of the elements.
struct Found {
    double low, high;
    int32 bad;  // an element that is not finite
};

__device__ __forceinline__ void merge(Found& into, double low, double high, int32 bad)
{
    into.low = low < into.low ? low : into.low;
    into.high = high > into.high ? high : into.high;
    into.bad |= bad;
}

// Thread 0 gets what all threads of the block found.
__device__ __forceinline__ Found block_found(Found own)
{
    AXSIM_SHARED(double, lows, threads);
    AXSIM_SHARED(double, highs, threads);
    AXSIM_SHARED(int32, bads, threads);
    const int32 thread = threadIdx.x;
    lows[thread] = own.low;
    highs[thread] = own.high;
    bads[thread] = own.bad;
    for (int half = threads / 2; half; half /= 2) {
        __syncthreads();
        if (thread < half) {
            merge(own, lows[thread + half], highs[thread + half], bads[thread + half]);
            lows[thread] = own.low;
            highs[thread] = own.high;
            bads[thread] = own.bad;
        }
    }
    return own;
}

}  // namespace

#ifdef FLOAT

// found[3 * block ...] = least, greatest, 1 if an element is not finite (0 if all are). 5 KiB of shared memory.
extern "C" __global__ void __launch_bounds__(threads, 4)
extremes(const FLOAT* __restrict__ x, int64 count, double* __restrict__ found)
{
    Found own = {0.0, 0.0, 0};
    const int64 step = static_cast<int64>(gridDim.x) * threads;
    for (int64 i = static_cast<int64>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
        const FLOAT value = x[i];
        merge(own, value, value, value - value != 0);  // infinity - infinity is NaN, which differs from all
    }
    own = block_found(own);
    if (threadIdx.x == 0) {
        found[3 * blockIdx.x] = own.low;
        found[3 * blockIdx.x + 1] = own.high;
        found[3 * blockIdx.x + 2] = own.bad;
    }
}

#ifndef INTEGER
#define INTEGER uint8  // bytes of uint8 and of int8; int16 where the sign stands beside 8 bits
#endif

// The element at i belongs to channel i / inner % channels.
extern "C" __global__ void __launch_bounds__(threads, 4)
quantise(const FLOAT* __restrict__ x, int64 count, int64 inner, int32 channels, const double* __restrict__ scale,
         const int64* __restrict__ zero, int32 qmin, int32 qmax, INTEGER* __restrict__ out)
{
    const double least = qmin, greatest = qmax;
    const int64 step = static_cast<int64>(gridDim.x) * threads;
    for (int64 i = static_cast<int64>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
        const int64 channel = channels == 1 ? 0 : i / inner % channels;
        const double q = rint(x[i] / scale[channel]) + static_cast<double>(zero[channel]);
        // NaN, which no comparison is true for, becomes the least.
        const double clipped = q > least ? (q < greatest ? q : greatest) : least;
        out[i] = static_cast<INTEGER>(static_cast<int32>(clipped));
    }
}

#else

// For `blocks` shares that `extremes` looked at: bad = 1 if an element is not finite, else 0; and by `mode`
//   0  affine:     scale = high / levels - low / levels, levels = qmax - qmin; zero = round(qmin - low / scale)
//   1  symmetric:  scale = max(high, -low) / qmax, zero = 0
//   2  given:      scale and zero of `channels` channels as they stand in given_scale and given_zero
// Where bad is 1, every scale is NaN. One block; 5 KiB of shared memory.
extern "C" __global__ void __launch_bounds__(threads, 4)
parameters(const double* __restrict__ found, int32 blocks, int32 mode, int32 qmin, int32 qmax,
           const double* __restrict__ given_scale, const int64* __restrict__ given_zero, int32 channels,
           double* __restrict__ scale, int64* __restrict__ zero, int32* __restrict__ bad)
{
    AXSIM_SHARED(int32, any_bad, 1);
    const double not_a_number = __longlong_as_double(0x7ff8000000000000ll);
    const double smallest_normal = 2.2250738585072014e-308;
    Found own = {0.0, 0.0, 0};
    for (int32 i = threadIdx.x; i < blocks; i += threads)
        merge(own, found[3 * i], found[3 * i + 1], found[3 * i + 2] != 0);
    own = block_found(own);
    if (threadIdx.x == 0) any_bad[0] = bad[0] = own.bad;
    __syncthreads();
    if (mode == 2) {
        for (int32 i = threadIdx.x; i < channels; i += threads) {
            scale[i] = any_bad[0] ? not_a_number : given_scale[i];
            zero[i] = given_zero[i];
        }
    } else if (threadIdx.x == 0) {
        const double greatest = own.high > -own.low ? own.high : -own.low;
        const double levels = qmax - qmin;
        double step = mode == 1 ? greatest / qmax : own.high / levels - own.low / levels;
        // 1 for an empty range, and never subnormal: dividing by it must not lose digits or overflow.
        step = step == 0 ? 1.0 : step < smallest_normal ? smallest_normal : step;
        double nearest = mode == 1 ? 0.0 : rint(qmin - own.low / step);
        nearest = nearest > qmin ? (nearest < qmax ? nearest : qmax) : qmin;
        scale[0] = any_bad[0] ? not_a_number : step;
        zero[0] = static_cast<int64>(nearest);
    }
}

#endif

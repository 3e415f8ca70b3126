// The end of an operation: sums become real numbers, in float64, rounded once (axsim/engines/epilogue.py). And
// conversions between float types, which the array library flushes subnormal numbers in.
//
//     out = REAL( (VALUE - zero[c] * row[r] - column[b, c]) * left_scale * right_scale[c] + bias[c] )
//
// Element i = (line * channels + c) * inner + p; r = (line * groups + c's group) * inner + p; b = line / lines. What
// an operation has not is one neutral element with step 0: a zero, a scale of 1, a bias of -0.0. Floats have no sums
// of rows and columns.
//
// Bound by memory bandwidth: 8 bytes an element from int32 to float32, and 8 for a sum of a row where `inner` is more
// than 1; 0.5 ms for the 2e8 outputs of a ResNet's first layer (batch 256) at 3.35 TB/s. Four divisions for the indices
// take about 80 instructions in 32 bits, 0.6 ms at 28e12 instructions/s, and so about as long. An estimate until
// measured.
//
// Compile with VALUE: int32, int64, float or double; REAL: float or double; BIAS: float or double;
// INDEX: uint32 for fewer than 2^31 elements, or int64.

#include "common.cuh"

constexpr int threads = 256;

__device__ __forceinline__ double corrected(int64 value, int64 zero, int64 row, int64 column)
{
    return static_cast<double>(value - zero * row - column);
}
__device__ __forceinline__ double corrected(int32 value, int64 zero, int64 row, int64 column)
{
    return corrected(static_cast<int64>(value), zero, row, column);
}
__device__ __forceinline__ double corrected(float value, int64, int64, int64) { return value; }
__device__ __forceinline__ double corrected(double value, int64, int64, int64) { return value; }

extern "C" __global__ void __launch_bounds__(threads, 4)
scale(const VALUE* __restrict__ values, REAL* __restrict__ out, int64 count, int64 inner, int64 channels,
      int64 group_channels, int64 lines, const int64* __restrict__ rows, int32 row_step,
      const int64* __restrict__ columns, int32 column_step, const int64* __restrict__ zeros, int32 zero_step,
      const double* __restrict__ left_scale, const double* __restrict__ right_scale, int32 scale_step,
      const BIAS* __restrict__ bias, int32 bias_step)
{
    const INDEX step = static_cast<INDEX>(gridDim.x) * threads, size = static_cast<INDEX>(count);
    const INDEX width = static_cast<INDEX>(inner), across = static_cast<INDEX>(channels);
    const INDEX of_group = static_cast<INDEX>(group_channels), of_matrix = static_cast<INDEX>(lines);
    const INDEX groups = across / of_group;
    const double left = *left_scale;
    for (INDEX i = static_cast<INDEX>(blockIdx.x) * threads + threadIdx.x; i < size; i += step) {
        const INDEX plane = i / width, line = plane / across, channel = plane - line * across;
        const INDEX row = (line * groups + channel / of_group) * width + (i - plane * width);
        const INDEX column = line / of_matrix * across + channel;
        const double total =
            corrected(values[i], zeros[zero_step * channel], rows[row_step * row], columns[column_step * column]);
        // One scale after the other: their product could overflow.
        const double real = total * left * right_scale[scale_step * channel] + static_cast<double>(bias[bias_step * channel]);
        out[i] = static_cast<REAL>(real);
    }
}

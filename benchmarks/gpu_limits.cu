// What a GPU can do at most, each kernel one thing: its own limits, for the figures of axsim's kernels.
#include "common.cuh"

constexpr int kThreads = 256;
constexpr int kChains = 8;     // fused multiply-adds of a thread that do not wait for each other
constexpr int kVectors = 1024; // of 16 bytes in shared memory

// kChains * steps fused multiply-adds of a thread.
extern "C" __global__ void __launch_bounds__(kThreads) double_rate(double* __restrict__ out, int32 steps)
{
    double x[kChains];
#pragma unroll
    for (int i = 0; i < kChains; ++i) x[i] = threadIdx.x + i;
    for (int32 step = 0; step < steps; ++step)
#pragma unroll
        for (int i = 0; i < kChains; ++i) x[i] = fma(x[i], 0.5, 1.0);
    double sum = 0;
#pragma unroll
    for (int i = 0; i < kChains; ++i) sum += x[i];
    out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

// 8 * steps loads of 16 bytes of a thread; neighbours read neighbouring vectors, so no two meet in a bank.
extern "C" __global__ void __launch_bounds__(kThreads) shared_rate(uint4* __restrict__ out, int32 steps)
{
    AXSIM_SHARED(uint4, vectors, kVectors);
    for (int i = threadIdx.x; i < kVectors; i += kThreads) vectors[i] = make_uint4(i, i + 1, i + 2, i + 3);
    __syncthreads();
    uint4 sum = make_uint4(0, 0, 0, 0);
    int at = threadIdx.x;
    for (int32 step = 0; step < steps; ++step, at += 8)
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const uint4 read = vectors[(at + i * 128) % kVectors];
            sum.x ^= read.x;
            sum.y ^= read.y;
            sum.z ^= read.z;
            sum.w ^= read.w;
        }
    out[blockIdx.x * kThreads + threadIdx.x] = sum;
}

// Keeps one thread busy for a number of cycles; out[0] is how many they were.
extern "C" __global__ void __launch_bounds__(1) spin(int64* __restrict__ out, int64 cycles)
{
#ifdef AXSIM_EMULATED
    out[0] = cycles;
#else
    const int64 begin = clock64();
    while (clock64() - begin < cycles) {}
    out[0] = clock64() - begin;
#endif
}

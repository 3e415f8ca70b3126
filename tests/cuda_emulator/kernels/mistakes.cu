// Kernels with a mistake each, which the emulator must see. One thread writes or reads what it must not.
#include "common.cuh"

// Every thread hands its number to the next one, without or with a barrier between.
template <bool barrier>
__device__ __forceinline__ void hand_on(int32* out)
{
    AXSIM_SHARED(int32, box, 64);
    const uint32 x = threadIdx.x;
    box[x] = static_cast<int32>(x);
    if (barrier) __syncthreads();
    out[x] = box[(x + 1) % 64];
}

extern "C" __global__ void __launch_bounds__(64) race(int32* out) { hand_on<false>(out); }
extern "C" __global__ void __launch_bounds__(64) no_race(int32* out) { hand_on<true>(out); }

extern "C" __global__ void __launch_bounds__(64) reused_too_early(int32* out)
{
    AXSIM_SHARED(int32, box, 64);
    const uint32 x = threadIdx.x;
    for (uint32 i = 0; i < 2; ++i) {
        box[x] = static_cast<int32>(x + i);
        __syncthreads();
        out[x] = box[(x + 1) % 64];
    }
}

extern "C" __global__ void __launch_bounds__(64) same_dynamic_word(int32* out)
{
    AXSIM_DYNAMIC_SHARED(int32, box);
    box[threadIdx.x / 2] = 7;
    __syncthreads();
    out[threadIdx.x] = box[threadIdx.x / 2];
}

extern "C" __global__ void __launch_bounds__(64) within_warp(int32* out)
{
    AXSIM_SHARED(int32, box, 64);
    const uint32 x = threadIdx.x, warp = x / 32 * 32;
    box[x] = static_cast<int32>(x);
    __syncwarp();
    out[x] = box[warp + (x + 1) % 32];
}

extern "C" __global__ void __launch_bounds__(64) between_warps(int32* out)
{
    AXSIM_SHARED(int32, box, 64);
    const uint32 x = threadIdx.x;
    box[x] = static_cast<int32>(x);
    __syncwarp();
    out[x] = box[(x + 1) % 64];
}

extern "C" __global__ void __launch_bounds__(64) counts(int32* out)
{
    AXSIM_SHARED(int32, count, 1);
    if (threadIdx.x == 0) count[0] = 0;
    __syncthreads();
    atomicAdd(&count[0], static_cast<int32>(threadIdx.x));
    __syncthreads();
    out[threadIdx.x] = count[0];
}

extern "C" __global__ void __launch_bounds__(64) divergent(int32* out)
{
    if (threadIdx.x != 5) __syncthreads();
    out[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64) two_barriers(int32* out)
{
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
    out[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64) access(int32* out, int32 write, int64 at)
{
    if (threadIdx.x == 3) {
        if (write) out[at] = 1;
        else out[0] = out[at];
    }
}

extern "C" __global__ void __launch_bounds__(64) read_only(const int32* in, int32* out)
{
    out[threadIdx.x] = in[threadIdx.x];
    const_cast<int32*>(in)[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64) vector(const int32* in, uint4* out, int32 at)
{
    if (threadIdx.x == 0) out[0] = *reinterpret_cast<const uint4*>(in + at);
}

extern "C" __global__ void __launch_bounds__(64) shared_index(int32* out, int32 at)
{
    AXSIM_SHARED(int32, box, 64);
    box[threadIdx.x + static_cast<uint32>(at)] = 1;
    out[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64) dynamic_index(int32* out, int32 at)
{
    AXSIM_DYNAMIC_SHARED(int32, box);
    box[static_cast<int32>(threadIdx.x) + at] = 1;
    out[threadIdx.x] = 0;
}

extern "C" __global__ void __launch_bounds__(64) static_shared(int32* out)
{
    AXSIM_SHARED(int32, box, WORDS);
    box[threadIdx.x] = 1;
    out[threadIdx.x] = box[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64) unset_shared(int32* out)
{
    AXSIM_SHARED(int32, box, 64);
    out[threadIdx.x] = box[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(64) arithmetic(int32* out, int32 x, int32 y, int32 what)
{
    out[threadIdx.x] = what == 0 ? x + y : what == 1 ? x << y : x / y;
}

extern "C" __global__ void __launch_bounds__(64) shuffles(int32* out, int32* votes)
{
    const int32 lane = static_cast<int32>(threadIdx.x % 32);
    int32 sum = static_cast<int32>(threadIdx.x);
    for (int32 step = 16; step; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    out[threadIdx.x] = sum + 1000 * __shfl_sync(0xffffffffu, lane, 7) + 100000 * __shfl_up_sync(0xffffffffu, lane, 1);
    const uint32 odd = __ballot_sync(0xffffffffu, lane & 1);
    votes[threadIdx.x] = static_cast<int32>(odd >> 1) + __shfl_down_sync(0xffffffffu, lane, 3);
}

extern "C" __global__ void __launch_bounds__(64) half_a_warp(int32* out)
{
    out[threadIdx.x] = 0;
    if (threadIdx.x % 32 < 16) out[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
}

extern "C" __global__ void __launch_bounds__(64) every_type(
    const uint8* bytes, const float* floats, int32 i, uint32 u, int64 l, float f, double d, uint8 b, double* out)
{
    if (threadIdx.x == 0) out[0] = bytes[0] + floats[0] + i + u + static_cast<double>(l) + f + d + b;
}

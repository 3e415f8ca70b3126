// Keeps one thread busy, so that what was asked of a stream behind it has not happened yet.
#include "common.cuh"

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

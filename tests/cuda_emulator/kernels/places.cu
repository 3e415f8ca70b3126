// Which pieces of columns the threads of gather_columns.cu read, and which vectors of a row they write and look into.
#include "gather_columns.cu"

extern "C" __global__ void __launch_bounds__(kThreads) places(int32* __restrict__ pieces, int32* __restrict__ vectors)
{
    constexpr int kTurns = kSide / (kColumns / 2) * kGroups / kThreads;
    for (int i = 0; i < kTurns; ++i) pieces[i * kThreads + threadIdx.x] = piece_of(i);
    for (int i = 0; i < kCopies; ++i) vectors[i * kThreads + threadIdx.x] = vector_of(i);
}

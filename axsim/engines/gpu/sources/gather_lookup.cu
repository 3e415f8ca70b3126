// Products element by element: out[i] = table[a[i], b[i]].
//
// Bound by memory: two bytes come in and four go out, so 0.5e12 products/s at 3.3 TB/s; the look-ups themselves would
// allow 2.1e12/s out of shared memory (gather_table.cu). For few elements copying the table costs more than it saves,
// and it is read through the caches. Estimated, not yet measured.
//
// Registers: few. Shared memory: the table (TABLE_SHARED) or none.
#include "gather.cuh"

constexpr int kThreads = 1024;
constexpr int kTableVectors = kSide * kSide * sizeof(Entry) / 16;

extern "C" __global__ void __launch_bounds__(kThreads)
    gather_lookup(const uint4* __restrict__ table, const uint8* __restrict__ a, const uint8* __restrict__ b,
                  int32* __restrict__ out, int64 count, int64 offset)
{
#if TABLE_SHARED
    AXSIM_DYNAMIC_SHARED(uint4, shared);
    for (int i = threadIdx.x; i < kTableVectors; i += kThreads) shared[i] = __ldg(table + i);
    __syncthreads();
    const Entry* const entries = reinterpret_cast<const Entry*>(shared);
#else
    const Entry* const entries = reinterpret_cast<const Entry*>(table);
#endif
    const auto product = [&](uint32 left, uint32 right) {
        const uint32 place = left * kSide + right;
#if TABLE_SHARED
        return static_cast<int32>(static_cast<uint32>(offset) + entries[place]);
#else
        return static_cast<int32>(static_cast<uint32>(offset) + __ldg(entries + place));
#endif
    };
    const int64 thread = static_cast<int64>(blockIdx.x) * kThreads + threadIdx.x;
    const int64 threads = static_cast<int64>(gridDim.x) * kThreads;
    // Four at a time where all three arrays allow it: operands may begin anywhere.
    const uint64 addresses = reinterpret_cast<uint64>(a) | reinterpret_cast<uint64>(b) | reinterpret_cast<uint64>(out) / 4;
    const int64 fours = addresses % 4 == 0 ? count / 4 : 0;
    for (int64 i = thread; i < fours; i += threads) {
        const uchar4 left = __ldg(reinterpret_cast<const uchar4*>(a) + i);
        const uchar4 right = __ldg(reinterpret_cast<const uchar4*>(b) + i);
        reinterpret_cast<int4*>(out)[i] = make_int4(product(left.x, right.x), product(left.y, right.y),
                                                    product(left.z, right.z), product(left.w, right.w));
    }
    for (int64 i = fours * 4 + thread; i < count; i += threads) out[i] = product(__ldg(a + i), __ldg(b + i));
}

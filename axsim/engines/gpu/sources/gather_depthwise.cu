// Convolution with one channel to a group: every output is a sum over the kernel's taps alone.
//
// A block has one filter. The entries of its taps, 256 for each, are copied to shared memory, kTaps taps at a time;
// a thread sums kOwn windows, so that as many look-ups are under way. Estimated, not yet measured: as in
// gather_table.cu, 32 random look-ups into 128 words take 3.5 cycles of the shared memory's banks, so 9 look-ups a
// cycle and multiprocessor, 2.1e12/s on 132 multiprocessors at 1.75 GHz; a pixel costs about ten instructions (two
// bounds, address, load, look-up, sum), which allow 13. Writing the outputs, 4 bytes for kernel_height * kernel_width
// look-ups, stays below the memory's bandwidth from 3 x 3 kernels on.
//
// Registers: kOwn sums, and the corners of as many windows. Shared memory: 8 KiB (16-bit entries) or 16 KiB.
#include "gather.cuh"

constexpr int kThreads = 256, kOwn = 8, kTaps = 16;
constexpr int kColumnVectors = kSide * sizeof(Entry) / 16;

extern "C" __global__ void __launch_bounds__(kThreads)
    gather_depthwise(const uint4* __restrict__ table, const uint8* __restrict__ x, const uint8* __restrict__ w,
                     Out* __restrict__ out, int64 images, int64 filters, int64 offset AXSIM_PATCH_PARAMETERS)
{
    AXSIM_SHARED(uint4, shared, kTaps * kColumnVectors);
    const Entry* const columns = reinterpret_cast<const Entry*>(shared);
    const Windows windows = AXSIM_WINDOWS(x);
    const uint32 pad_byte = __ldg(pad);
    const int taps = kernel_height * kernel_width;
    const int64 rows = images * windows.out_size, row_tiles = divide_up<int64>(rows, kThreads * kOwn);
    for (int64 tile = blockIdx.x; tile < row_tiles * filters; tile += gridDim.x) {
        const int64 filter = tile / row_tiles, first_row = tile % row_tiles * (kThreads * kOwn) + threadIdx.x;
        Tap tap(windows, filter / (filters / channels), 0);
        Corner corner[kOwn];
        Out sums[kOwn] = {};
#pragma unroll
        for (int i = 0; i < kOwn; ++i) corner[i] = windows.corner(min(first_row + i * kThreads, rows - 1));
        for (int first = 0; first < taps; first += kTaps) {
            const int count = min(kTaps, taps - first);
            __syncthreads();
            for (int i = threadIdx.x; i < count * kColumnVectors; i += kThreads)
                shared[i] = __ldg(table + __ldg(w + filter * taps + first + i / kColumnVectors) * kColumnVectors +
                                  i % kColumnVectors);
            __syncthreads();
            for (int t = 0; t < count; ++t, tap.next(windows))
#pragma unroll
                for (int i = 0; i < kOwn; ++i)
                    sums[i] += columns[t * kSide + pixel(windows, corner[i], tap, pad_byte)];
        }
        const Out correction = static_cast<Out>(offset * taps);
#pragma unroll
        for (int i = 0; i < kOwn; ++i) {
            const int64 row = first_row + i * kThreads;
            if (row < rows)
                out[(row / windows.out_size * filters + filter) * windows.out_size + row % windows.out_size] =
                    sums[i] + correction;
        }
    }
}

// What the kernels that look products up share: table entries, the operand that streams, and where sums go.
#pragma once
#include "common.cuh"

constexpr int kSide = 256;  // operands are bytes

// Compile-time choices of a kernel that sums, as -D options:
//   ENTRY_BYTES  2: entries are uint16 above an offset, 4: uint32 above an offset
//   OUT_BYTES    4: sums are int32 (modulo 2^32), 8: int64
//   PATCHES      0: the stream is a packed operand (gather_pack.cu), 1: windows of images, addressed on the fly
#if ENTRY_BYTES == 2
using Entry = uint16;
#else
using Entry = uint32;
#endif
#if OUT_BYTES == 4
using Out = uint32;
#else
using Out = uint64;
#endif

// Where the rows of one side lie in the output: i is at (i / inner) * outer + (i % inner) * stride.
struct Axis {
    int64 size, inner, outer, stride;

    __device__ __forceinline__ int64 offset(int64 i) const { return i / inner * outer + i % inner * stride; }
};

// Walks along an axis one by one, with no division.
struct AxisWalk {
    const Axis& axis;
    int64 offset, left;  // of the current one; how many more follow before the next outer step

    __device__ __forceinline__ AxisWalk(const Axis& a, int64 i)
        : axis(a), offset(a.offset(i)), left(a.inner - 1 - i % a.inner)
    {
    }
    __device__ __forceinline__ void next()
    {
        offset += axis.stride;
        if (--left >= 0) return;
        left += axis.inner;
        offset += axis.outer - axis.inner * axis.stride;
    }
};

__device__ __forceinline__ void put(Out* at, Out sum, bool shared_with_others)
{
    if (shared_with_others) atomicAdd(at, sum);
    else *at = sum;
}

// A convolution's input, seen as one matrix for each group of channels: row = (image, oy, ox), term = (channel, ky, kx).
struct Windows {
    const uint8* pixels;
    int64 image_size, plane_size;  // elements of an image, and of a channel
    int height, width, out_width;
    int64 out_size;                // windows in an image
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;

    // Where a window begins: at pixel (y, x), perhaps outside the image, of the image that starts at `image`.
    struct Row {
        int64 image;
        int y, x;
    };
    __device__ __forceinline__ Row row(int64 i) const
    {
        const int64 window = i % out_size;
        const int oy = static_cast<int>(window / out_width), ox = static_cast<int>(window % out_width);
        return {i / out_size * image_size, oy * stride_y - top, ox * stride_x - left};
    }
};

// A term of a window: the same for all rows.
struct Tap {
    int64 plane;  // where its channel starts in an image
    int y, x;     // its distance from the window's first pixel
    int kx, ky;

    __device__ __forceinline__ Tap(const Windows& w, int64 first_channel, int64 term)
    {
        kx = static_cast<int>(term % w.kernel_width);
        ky = static_cast<int>(term / w.kernel_width % w.kernel_height);
        plane = (first_channel + term / w.kernel_width / w.kernel_height) * w.plane_size;
        y = ky * w.dilation_y;
        x = kx * w.dilation_x;
    }
    __device__ __forceinline__ void next(const Windows& w)
    {
        x += w.dilation_x;
        if (++kx < w.kernel_width) return;
        kx = x = 0;
        y += w.dilation_y;
        if (++ky < w.kernel_height) return;
        ky = y = 0;
        plane += w.plane_size;
    }
};

// The operand at a tap of a row's window; outside the image it is `pad`.
__device__ __forceinline__ uint32 pixel(const Windows& w, const Windows::Row& row, const Tap& tap, uint32 pad)
{
    const int y = row.y + tap.y, x = row.x + tap.x;
    const bool inside = static_cast<uint32>(y) < static_cast<uint32>(w.height) &&
                        static_cast<uint32>(x) < static_cast<uint32>(w.width);
    return inside ? __ldg(w.pixels + row.image + tap.plane + static_cast<int64>(y) * w.width + x) : pad;
}

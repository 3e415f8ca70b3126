// What the kernels that look products up share: table entries, the operand that streams, and where sums go.
#pragma once
#include "common.cuh"

constexpr int kSide = 256;  // operands are bytes

// Compile-time choices of a kernel that sums, as -D options:
//   ENTRY_BYTES  2: entries are uint16 above an offset, 4: uint32 above an offset
//   OUT_BYTES    4: sums are int32 (modulo 2^32), 8: int64
//   PATCHES      0: the stream is a packed operand (gather_pack.cu), 1: windows of images, addressed on the fly
//   INDEX_BYTES  where PATCHES: 4: fewer than 2^31 pixels, none further than 2^15 from its image's corner; 8: any
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

// Walks along an axis in equal steps, dividing only at the start.
class AxisWalk {
public:
    int64 offset;

    __device__ __forceinline__ AxisWalk(const Axis& axis, int64 start, int64 step)
        : offset(axis.offset(start)), inner_(axis.inner), place_(start % axis.inner), step_(step % axis.inner),
          step_offset_(axis.offset(step)), carry_(axis.outer - axis.inner * axis.stride)
    {
    }
    __device__ __forceinline__ void next()
    {
        place_ += step_;
        offset += step_offset_;
        if (place_ < inner_) return;
        place_ -= inner_;
        offset += carry_;
    }

private:
    int64 inner_, place_, step_, step_offset_, carry_;
};

__device__ __forceinline__ void put(Out* at, Out sum, bool shared_with_others)
{
    if (shared_with_others) atomicAdd(at, sum);
    else *at = sum;
}

// Sums over a whole output: tiles of rows (of the stream) and lanes (fixed operands), for each matrix of a batch and
// each of the pieces that the terms may be split into.
struct Problem {
    Axis row_axis, lane_axis;
    int64 batch_stride, depth, offset;
    int piece;
    uint32 splits, row_tiles, lane_tiles;
};

// A tile, and its terms.
struct Tile {
    uint32 lane, row, batch;
    int64 first;
    int terms;

    __device__ __forceinline__ Tile(uint32 i, const Problem& p)
        : lane(i % p.lane_tiles), row(i / p.lane_tiles % p.row_tiles),
          batch(i / p.lane_tiles / p.row_tiles / p.splits)
    {
        first = static_cast<int64>(i / p.lane_tiles / p.row_tiles % p.splits) * p.piece;
        terms = static_cast<int>(min(p.depth - first, static_cast<int64>(p.piece)));
    }
};

#if PATCHES
// A convolution's input, seen as one matrix for each group of channels: row = (image, oy, ox), term = (channel, ky, kx).
#if INDEX_BYTES == 4
using Index = int32;

// Where a window begins: at pixel (y, x), perhaps outside its image, and so at element `start`.
class Corner {
public:
    Corner() = default;
    __device__ __forceinline__ Corner(int y, int x, Index s) : start(s), yx_(y * 65536 + (x & 65535)) {}
    __device__ __forceinline__ int y() const { return yx_ >> 16; }
    __device__ __forceinline__ int x() const { return static_cast<int16>(yx_); }
    Index start;

private:
    int yx_;
};
#else
using Index = int64;

class Corner {
public:
    Corner() = default;
    __device__ __forceinline__ Corner(int y, int x, Index s) : start(s), y_(y), x_(x) {}
    __device__ __forceinline__ int y() const { return y_; }
    __device__ __forceinline__ int x() const { return x_; }
    Index start;

private:
    int y_, x_;
};
#endif

struct Windows {
    const uint8* pixels;
    int64 group_channels;
    Index image_size, plane_size;  // elements of an image, and of a channel
    int height, width, out_width;
    int64 out_size;                // windows in an image
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;

    __device__ __forceinline__ Corner corner(int64 row) const
    {
        const int64 window = row % out_size;
        const int y = static_cast<int>(window / out_width) * stride_y - top;
        const int x = static_cast<int>(window % out_width) * stride_x - left;
        return {y, x, static_cast<Index>(row / out_size) * image_size + static_cast<Index>(y) * width + x};
    }
};

// A term of a window: the same for all rows.
struct Tap {
    int y, x;     // its distance from the window's corner
    int ky, kx;
    Index plane;  // where its channel starts in an image

    __device__ __forceinline__ Tap(const Windows& w, int64 group, int64 term)
    {
        kx = static_cast<int>(term % w.kernel_width);
        ky = static_cast<int>(term / w.kernel_width % w.kernel_height);
        plane = static_cast<Index>(group * w.group_channels + term / w.kernel_width / w.kernel_height) * w.plane_size;
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

// The operand at a tap of a window; outside the image it is `pad`.
__device__ __forceinline__ uint32 pixel(const Windows& w, const Corner& corner, const Tap& tap, uint32 pad)
{
    const bool inside = static_cast<uint32>(corner.y() + tap.y) < static_cast<uint32>(w.height) &&
                        static_cast<uint32>(corner.x() + tap.x) < static_cast<uint32>(w.width);
    return inside ? __ldg(w.pixels + (corner.start + (tap.plane + static_cast<Index>(tap.y) * w.width + tap.x))) : pad;
}

// Parameters of the kernels that sum, after their operands; AXSIM_PROBLEM and AXSIM_WINDOWS gather them up.
#define AXSIM_PATCH_PARAMETERS                                                                                   \
    , const uint8 *__restrict__ pad, int64 channels, int64 group_channels, int height, int width, int out_height, \
        int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x, int top, int left,       \
        int dilation_y, int dilation_x
#define AXSIM_WINDOWS(pixels)                                                                                     \
    {                                                                                                             \
        pixels, group_channels, static_cast<Index>(channels) * height * width, static_cast<Index>(height) * width, \
            height, width, out_width, static_cast<int64>(out_height) * out_width, kernel_height, kernel_width,    \
            stride_y, stride_x, top, left, dilation_y, dilation_x                                                 \
    }
#else
#define AXSIM_PATCH_PARAMETERS
#endif

#define AXSIM_PROBLEM_PARAMETERS                                                                                  \
    uint32 tiles, int64 batch_stride, int64 depth, int piece, uint32 splits, int64 offset, int64 rows,            \
        int64 row_inner, int64 row_outer, int64 row_stride, int64 lanes, int64 lane_inner, int64 lane_outer,      \
        int64 lane_stride AXSIM_PATCH_PARAMETERS
#define AXSIM_PROBLEM(tile_rows, tile_lanes)                                                                      \
    {                                                                                                             \
        {rows, row_inner, row_outer, row_stride}, {lanes, lane_inner, lane_outer, lane_stride}, batch_stride,     \
            depth, offset, piece, splits, static_cast<uint32>(divide_up<int64>(rows, tile_rows)),                 \
            static_cast<uint32>(divide_up<int64>(lanes, tile_lanes))                                              \
    }

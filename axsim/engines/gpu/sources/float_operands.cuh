// Where the operands of float GEMMs and convolutions lie. Both are one problem: rows of patches times columns of
// filters, for a number of batches (convolutions: groups).
//
// A patch is the pixels under a window: row = (image, oy, ox), depth = (channel, ky, kx). A matrix is an image one pixel
// high without padding: row = ox, depth = channel. A pixel outside the image is 0.0 and multiplied like any other.
#pragma once
#include "common.cuh"

// Strides and offsets count elements.
struct Problem {
    const float* patches;
    const float* filters;
    void* out;  // float, or double where not `rounded`
    int64 rows;
    int32 columns, depth;
    int64 batches;
    int32 inner;  // batch = outer * inner + i
    int64 patch_outer, patch_inner, filter_outer, filter_inner, out_batch;
    int64 image_stride, channel_stride, y_stride, x_stride;
    int32 height, width, out_height, out_width, kernel_height, kernel_width;
    int32 stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;
    int64 column_stride, depth_stride;           // of filters
    int64 out_image, out_pixel, out_column;      // strides of out
    int32 patches_by_depth, filters_by_depth;    // whether neighbours in depth lie side by side
    int32 rounded;
};

#define AXSIM_PROBLEM_PARAMETERS                                                                                    \
    const float *__restrict__ patches, const float *__restrict__ filters, void *__restrict__ out, int64 rows,       \
        int32 columns, int32 depth, int64 batches, int32 inner, int64 patch_outer, int64 patch_inner,               \
        int64 filter_outer, int64 filter_inner, int64 out_batch, int64 image_stride, int64 channel_stride,          \
        int64 y_stride, int64 x_stride, int32 height, int32 width, int32 out_height, int32 out_width,               \
        int32 kernel_height, int32 kernel_width, int32 stride_y, int32 stride_x, int32 pad_top, int32 pad_left,     \
        int32 dilation_y, int32 dilation_x, int64 column_stride, int64 depth_stride, int64 out_image,               \
        int64 out_pixel, int64 out_column, int32 patches_by_depth, int32 filters_by_depth, int32 rounded
#define AXSIM_PROBLEM                                                                                               \
    {patches, filters, out, rows, columns, depth, batches, inner, patch_outer, patch_inner, filter_outer,           \
     filter_inner, out_batch, image_stride, channel_stride, y_stride, x_stride, height, width, out_height,          \
     out_width, kernel_height, kernel_width, stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x,         \
     column_stride, depth_stride, out_image, out_pixel, out_column, patches_by_depth, filters_by_depth, rounded}

constexpr int32 kNowhere = -(1 << 30);  // a coordinate outside every image, the sum of two of them too

// The first pixel of a row's window, or one step in depth from there.
struct alignas(16) Place {
    int64 offset;
    int32 y, x;
};

// A row of patches.
__device__ __forceinline__ Place window_of(const Problem& p, int64 row)
{
    if (row >= p.rows) return {0, kNowhere, kNowhere};
    const int64 line = row / p.out_width, image = line / p.out_height;
    const auto oy = static_cast<int32>(line - image * p.out_height);
    const auto ox = static_cast<int32>(row - line * p.out_width);
    const int32 y = oy * p.stride_y - p.pad_top, x = ox * p.stride_x - p.pad_left;
    return {image * p.image_stride + y * p.y_stride + x * p.x_stride, y, x};
}

__device__ __forceinline__ int64 output_of(const Problem& p, int64 row)
{
    const int64 pixels = static_cast<int64>(p.out_height) * p.out_width, image = row / pixels;
    return image * p.out_image + (row - image * pixels) * p.out_pixel;
}

__device__ __forceinline__ Place step_of(const Problem& p, int32 k)
{
    if (k >= p.depth) return {0, kNowhere, kNowhere};
    const int32 line = k / p.kernel_width, channel = line / p.kernel_height;
    const int32 y = (line - channel * p.kernel_height) * p.dilation_y, x = (k - line * p.kernel_width) * p.dilation_x;
    return {channel * p.channel_stride + y * p.y_stride + x * p.x_stride, y, x};
}

__device__ __forceinline__ float load_pixel(const Problem& p, const float* patches, const Place& window,
                                            const Place& step)
{
    const bool inside = static_cast<uint32>(window.y + step.y) < static_cast<uint32>(p.height) &&
                        static_cast<uint32>(window.x + step.x) < static_cast<uint32>(p.width);
    return inside ? __ldg(patches + (window.offset + step.offset)) : 0.0f;
}

__device__ __forceinline__ float load_filter(const Problem& p, const float* filters, int32 column, int32 k)
{
    const bool inside = column < p.columns && k < p.depth;
    return inside ? __ldg(filters + (column * p.column_stride + k * p.depth_stride)) : 0.0f;
}

__device__ __forceinline__ const float* patches_of(const Problem& p, int64 batch)
{
    return p.patches + (batch / p.inner * p.patch_outer + batch % p.inner * p.patch_inner);
}

__device__ __forceinline__ const float* filters_of(const Problem& p, int64 batch)
{
    return p.filters + (batch / p.inner * p.filter_outer + batch % p.inner * p.filter_inner);
}

// A part of the output: all of these rows and columns. Parts are numbered column by column.
struct Part {
    int64 batch, row;
    int32 column;
};

__device__ __forceinline__ Part part_of(const Problem& p, int64 number, int32 rows, int32 columns)
{
    const int64 across = divide_up(p.columns, columns), down = divide_up(p.rows, static_cast<int64>(rows));
    const int64 line = number / across;
    return {line / down, line % down * rows, static_cast<int32>(number % across) * columns};
}

__device__ __forceinline__ int64 parts_of(const Problem& p, int32 rows, int32 columns)
{
    return p.batches * divide_up(p.rows, static_cast<int64>(rows)) * divide_up(p.columns, columns);
}

__device__ __forceinline__ void store_sum(const Problem& p, int64 offset, double sum)
{
    if (p.rounded) static_cast<float*>(p.out)[offset] = __double2float_rn(sum);
    else static_cast<double*>(p.out)[offset] = sum;
}

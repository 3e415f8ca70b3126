// Where elements lie, and how the work on them is shared out.
#pragma once
#include <cstddef>

namespace axsim {

// Where the rows of one side lie in the output: element i is at (i / inner) * outer_stride + (i % inner) * stride.
struct Axis {
    std::size_t size, inner, outer_stride, stride;

    std::size_t offset(std::size_t i) const { return i / inner * outer_stride + i % inner * stride; }
};

struct ConvShape {
    std::size_t images, channels, height, width;              // x
    std::size_t group_channels, kernel_height, kernel_width;  // w, without its first axis
    std::size_t out_height, out_width;
    std::size_t stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;

    std::size_t taps() const { return kernel_height * kernel_width; }
    std::size_t depth() const { return group_channels * taps(); }
    std::size_t pixels() const { return out_height * out_width; }
};

struct Schedule {
    std::size_t tiles = 0;
    int workers = 0;
};

}  // namespace axsim

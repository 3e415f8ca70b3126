#include "float_operand.h"

#include <algorithm>
#include <cstring>

namespace axsim::floating {

void MatrixOperand::pack(const Block &block, float *panel) const {
    const float *matrix = data_ + static_cast<std::size_t>(index_[block.batch]) * size_;
    const float *from = matrix + block.row * row_stride_ + block.k * k_stride_;
    if (block.rows < block.width) std::fill(panel, panel + block.depth * block.width, 0.0F);
    if (row_stride_ == 1) {
        for (std::size_t j = 0; j < block.depth; ++j)
            std::memcpy(panel + j * block.width, from + j * k_stride_, block.rows * sizeof(float));
        return;
    }
    for (std::size_t i = 0; i < block.rows; ++i)
        for (std::size_t j = 0; j < block.depth; ++j) panel[j * block.width + i] = from[i * row_stride_ + j * k_stride_];
}

void PatchOperand::pack(const Block &block, float *panel) const {
    const ConvShape &s = shape_;
    const std::size_t window = s.kernel_height * s.kernel_width, pixels = s.out_height * s.out_width;
    std::fill(panel, panel + block.depth * block.width, 0.0F);
    for (std::size_t i = 0; i < block.rows; ++i) {
        const std::size_t image = (block.row + i) / pixels, pixel = (block.row + i) % pixels;
        const std::size_t y0 = pixel / s.out_width * s.stride_y, x0 = pixel % s.out_width * s.stride_x;
        const float *channels = x_ + (image * s.channels + block.batch * s.group_channels) * s.height * s.width;
        std::size_t channel = block.k / window, ky = block.k % window / s.kernel_width, kx = block.k % s.kernel_width;
        for (std::size_t j = 0; j < block.depth; ++j) {
            // Coordinates below 0 wrap around to large ones, outside the image too.
            const std::size_t y = y0 + ky * s.dilation_y - s.pad_top, x = x0 + kx * s.dilation_x - s.pad_left;
            if (y < s.height && x < s.width)
                panel[j * block.width + i] = channels[(channel * s.height + y) * s.width + x];
            if (++kx == s.kernel_width) {
                kx = 0;
                if (++ky == s.kernel_height) {
                    ky = 0;
                    ++channel;
                }
            }
        }
    }
}

}  // namespace axsim::floating

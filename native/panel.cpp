#include "panel.h"

#include <algorithm>
#include <cstring>

namespace axsim {
namespace {

constexpr std::size_t kGroup = Panel::kGroup;

// The bytes of one k, which lie kGroup apart.
std::uint8_t *term(std::uint8_t *panel, std::size_t rows, std::size_t k) {
    return panel + k / kGroup * rows * kGroup + k % kGroup;
}

}  // namespace

void MatrixOperand::pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
                         std::uint8_t *panel) const {
    const std::uint8_t *source =
        data_ + static_cast<std::size_t>(index_[batch]) * matrix_size_ + row * row_stride_ + k * k_stride_;
    std::size_t done = 0;
    if (k_stride_ == 1) {
        for (; done + kGroup <= depth; done += kGroup)
            for (std::size_t r = 0; r < rows; ++r)
                std::memcpy(panel + done * rows + r * kGroup, source + r * row_stride_ + done, kGroup);
    } else if (row_stride_ == 1) {
        for (; done + kGroup <= depth; done += kGroup) {
            const std::uint8_t *s0 = source + done * k_stride_, *s1 = s0 + k_stride_, *s2 = s1 + k_stride_,
                               *s3 = s2 + k_stride_;
            std::uint8_t *to = panel + done * rows;
            for (std::size_t r = 0; r < rows; ++r) {
                to[4 * r] = s0[r];
                to[4 * r + 1] = s1[r];
                to[4 * r + 2] = s2[r];
                to[4 * r + 3] = s3[r];
            }
        }
    }
    for (; done < depth; ++done) {
        std::uint8_t *to = term(panel, rows, done);
        for (std::size_t r = 0; r < rows; ++r) to[r * kGroup] = source[r * row_stride_ + done * k_stride_];
    }
}

void PatchOperand::pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
                        std::uint8_t *panel) const {
    const ConvShape &s = shape_;
    const std::size_t plane = s.height * s.width, image_rows = s.out_height * s.out_width;
    for (std::size_t j = 0; j < depth; ++j) {
        const std::size_t kx = (k + j) % s.kernel_width, ky = (k + j) / s.kernel_width % s.kernel_height,
                          channel = (k + j) / (s.kernel_width * s.kernel_height);
        std::uint8_t *to = term(panel, rows, j);
        // Columns ox in [left, right) fall inside the image: 0 <= ox * stride_x + shift < width.
        const std::ptrdiff_t shift = static_cast<std::ptrdiff_t>(kx * s.dilation_x) -
                                     static_cast<std::ptrdiff_t>(s.pad_left);
        const auto first_at = [&](std::ptrdiff_t position) {  // the first ox at or beyond an image column
            const std::ptrdiff_t gap = position - shift, step = static_cast<std::ptrdiff_t>(s.stride_x);
            return gap <= 0 ? std::size_t{0} : static_cast<std::size_t>((gap + step - 1) / step);
        };
        const std::size_t left = first_at(0), right = first_at(static_cast<std::ptrdiff_t>(s.width));

        for (std::size_t r = 0; r < rows;) {  // one output row, or the part of it that is asked for, at a time
            const std::size_t image = (row + r) / image_rows, pixel = (row + r) % image_rows;
            const std::size_t oy = pixel / s.out_width, ox = pixel % s.out_width;
            const std::size_t end = std::min(s.out_width, ox + rows - r);
            const std::ptrdiff_t y = static_cast<std::ptrdiff_t>(oy * s.stride_y + ky * s.dilation_y) -
                                     static_cast<std::ptrdiff_t>(s.pad_top);
            const bool inside = y >= 0 && y < static_cast<std::ptrdiff_t>(s.height);
            const std::size_t from = inside ? std::clamp(left, ox, end) : end,
                              until = inside ? std::clamp(right, from, end) : end;
            std::uint8_t *write = to + r * kGroup;
            std::size_t column = ox;
            for (; column < from; ++column, write += kGroup) *write = s.pad_byte;
            if (from < until) {
                const std::size_t plane_index = (image * s.channels + batch * s.group_channels + channel);
                const std::uint8_t *read = x_ + plane_index * plane + static_cast<std::size_t>(y) * s.width +
                                           static_cast<std::size_t>(static_cast<std::ptrdiff_t>(column * s.stride_x) + shift);
                for (; column < until; ++column, write += kGroup, read += s.stride_x) *write = *read;
            }
            for (; column < end; ++column, write += kGroup) *write = s.pad_byte;
            r += end - ox;
        }
    }
}

}  // namespace axsim

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

// Four lines of bytes, `stride` apart, to [row][line].
void interleave(const std::uint8_t *lines, std::size_t stride, std::size_t rows, std::uint8_t *to) {
    const std::uint8_t *s0 = lines, *s1 = s0 + stride, *s2 = s1 + stride, *s3 = s2 + stride;
    for (std::size_t r = 0; r < rows; ++r) {
        to[4 * r] = s0[r];
        to[4 * r + 1] = s1[r];
        to[4 * r + 2] = s2[r];
        to[4 * r + 3] = s3[r];
    }
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
            interleave(source + done * k_stride_, k_stride_, rows, panel + done * rows);
        }
    }
    for (; done < depth; ++done) {
        std::uint8_t *to = term(panel, rows, done);
        for (std::size_t r = 0; r < rows; ++r) to[r * kGroup] = source[r * row_stride_ + done * k_stride_];
    }
}

void PatchOperand::pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
                        std::uint8_t *panel) const {
    // Pixels of one term are neighbours in the image but four bytes apart in the panel: first a line of each of
    // four terms, then the four at once.
    constexpr std::size_t kBlock = 1024;
    std::uint8_t lines[kGroup][kBlock] = {};
    for (std::size_t r = 0; r < rows; r += kBlock) {
        const std::size_t count = std::min(kBlock, rows - r);
        for (std::size_t j = 0; j < depth; j += kGroup) {
            for (std::size_t t = 0; t < std::min(kGroup, depth - j); ++t)
                copy_term(batch, row + r, count, k + j + t, lines[t]);
            interleave(lines[0], kBlock, count, panel + j * rows + r * kGroup);
        }
    }
}

void PatchOperand::copy_term(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k,
                             std::uint8_t *line) const {
    const ConvShape &s = shape_;
    const std::size_t kx = k % s.kernel_width, ky = k / s.kernel_width % s.kernel_height,
                      channel = k / (s.kernel_width * s.kernel_height);
    // Columns ox in [left, right) fall inside the image: 0 <= ox * stride_x + shift < width.
    const std::ptrdiff_t shift = static_cast<std::ptrdiff_t>(kx * s.dilation_x) -
                                 static_cast<std::ptrdiff_t>(s.pad_left);
    const auto first_at = [&](std::ptrdiff_t position) {  // the first ox at or beyond an image column
        const std::ptrdiff_t gap = position - shift, step = static_cast<std::ptrdiff_t>(s.stride_x);
        return gap <= 0 ? std::size_t{0} : static_cast<std::size_t>((gap + step - 1) / step);
    };
    const std::size_t left = first_at(0), right = first_at(static_cast<std::ptrdiff_t>(s.width));

    std::size_t oy = row / s.out_width % s.out_height, ox = row % s.out_width;
    std::size_t image = row / (s.out_height * s.out_width);
    for (std::size_t r = 0; r < rows;) {  // one output row, or the part of it that is asked for, at a time
        const std::size_t end = std::min(s.out_width, ox + rows - r);
        const std::ptrdiff_t y = static_cast<std::ptrdiff_t>(oy * s.stride_y + ky * s.dilation_y) -
                                 static_cast<std::ptrdiff_t>(s.pad_top);
        const bool inside = y >= 0 && y < static_cast<std::ptrdiff_t>(s.height);
        const std::size_t from = inside ? std::clamp(left, ox, end) : end,
                          until = inside ? std::clamp(right, from, end) : end;
        std::uint8_t *to = line + r - ox;  // output column 0
        std::fill(to + ox, to + from, s.pad_byte);
        if (from < until) {
            const std::size_t plane = image * s.channels + batch * s.group_channels + channel;
            const std::uint8_t *read = x_ + (plane * s.height + static_cast<std::size_t>(y)) * s.width +
                                       static_cast<std::size_t>(static_cast<std::ptrdiff_t>(from * s.stride_x) + shift);
            if (s.stride_x == 1)
                std::memcpy(to + from, read, until - from);
            else
                for (std::size_t column = from; column < until; ++column, read += s.stride_x) to[column] = *read;
        }
        std::fill(to + until, to + end, s.pad_byte);
        r += end - ox;
        ox = 0;
        if (++oy == s.out_height) {
            oy = 0;
            ++image;
        }
    }
}

}  // namespace axsim

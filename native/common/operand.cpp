#include "common/operand.h"

#include <algorithm>
#include <cstring>

#include "common/arithmetic.h"
#include "common/scratch.h"

namespace axsim {
namespace {

// A group's lines, `stride` elements apart, to [row][line].
template <class T>
void interleave(const T *lines, std::size_t stride, std::size_t rows, T *to) {
    if constexpr (kGroup<T> == 1) {
        std::memcpy(to, lines, rows * sizeof(T));
    } else {
        static_assert(kGroup<T> == 4, "four lines");
        const T *s0 = lines, *s1 = s0 + stride, *s2 = s1 + stride, *s3 = s2 + stride;
        for (std::size_t r = 0; r < rows; ++r) {
            to[4 * r] = s0[r];
            to[4 * r + 1] = s1[r];
            to[4 * r + 2] = s2[r];
            to[4 * r + 3] = s3[r];
        }
    }
}

// What a short run is copied in: a call of memcpy takes longer than the run itself.
template <class T>
constexpr std::size_t kPiece = 16 / sizeof(T);

// Copies `count` elements of memory that ends at `end`; up to a piece more are written.
template <class T>
void copy(const T *from, std::size_t count, const T *end, T *to) {
    if (round_up(count, kPiece<T>) > static_cast<std::size_t>(end - from) || count > 4 * kPiece<T>) {
        std::memcpy(to, from, count * sizeof(T));
        return;
    }
    for (std::size_t i = 0; i < count; i += kPiece<T>) std::memcpy(to + i, from + i, 16);
}

// Elements that lie `stride` apart.
template <class T>
void copy_every(const T *__restrict from, std::size_t stride, std::size_t count, T *__restrict to) {
    if (stride == 2)  // as most are that are not 1: compilers make vectors of a stride that they know
        for (std::size_t i = 0; i < count; ++i) to[i] = from[2 * i];
    else
        for (std::size_t i = 0; i < count; ++i) to[i] = from[i * stride];
}

template <class T>
void clear(const Block &block, T *panel) {
    if (block.rows < block.width) std::fill(panel, panel + round_up(block.depth, kGroup<T>) * block.width, T{});
}

}  // namespace

template <class T>
void MatrixOperand<T>::pack(const Block &block, T *panel) const {
    constexpr std::size_t group = kGroup<T>;
    const T *from =
        data_ + static_cast<std::size_t>(index_[block.batch]) * size_ + block.row * row_stride_ + block.k * k_stride_;
    clear(block, panel);
    std::size_t done = 0;
    if (k_stride_ == 1) {
        for (; done + group <= block.depth; done += group)
            for (std::size_t r = 0; r < block.rows; ++r)
                std::memcpy(panel + done * block.width + r * group, from + r * row_stride_ + done, group * sizeof(T));
    } else if (row_stride_ == 1) {
        for (; done + group <= block.depth; done += group)
            interleave(from + done * k_stride_, k_stride_, block.rows, panel + done * block.width);
    }
    for (; done < block.depth; ++done) {
        T *to = panel + done / group * group * block.width + done % group;
        for (std::size_t r = 0; r < block.rows; ++r) to[r * group] = from[r * row_stride_ + done * k_stride_];
    }
}

template <class T>
PackedOperand<T>::PackedOperand(const Operand<T> &from, std::size_t batch, std::size_t rows, std::size_t depth)
    : rows_(rows), size_(rows * round_up(depth, kGroup<T>)), elements_(batch * size_) {
    if (size_ == 0) return;
    for (std::size_t i = 0; i < batch; ++i) from.pack({i, 0, rows, 0, depth, rows}, elements_.data() + i * size_);
}

template <class T>
const T *PackedOperand<T>::at(const Block &block) const {
    return elements_.data() + block.batch * size_ + block.k * rows_ + block.row * kGroup<T>;
}

template <class T>
void PackedOperand<T>::pack(const Block &block, T *panel) const {
    constexpr std::size_t group = kGroup<T>;
    clear(block, panel);
    const T *from = at(block);
    for (std::size_t k = 0; k < block.depth; k += group, from += rows_ * group, panel += block.width * group)
        std::memcpy(panel, from, block.rows * group * sizeof(T));
}

template <class T>
PanelOf<T> PackedOperand<T>::resident(const Block &block) const {
    return {at(block), block.rows, block.depth, rows_};
}

void Widened::pack(const Block &block, std::uint16_t *panel) const {
    thread_local Scratch<std::uint8_t> scratch;  // asking for memory would take longer than small blocks
    const std::size_t size = Panel::size(block.width, block.depth);
    std::uint8_t *const bytes = scratch.of(size);
    bytes_.pack(block, bytes);
    std::copy(bytes, bytes + size, panel);
}

template <class T>
struct PatchOperand<T>::Place {
    std::size_t image, oy, ox;

    Place(const ConvShape &s, std::size_t row)
        : image(row / s.pixels()), oy(row % s.pixels() / s.out_width), ox(row % s.out_width) {}
};

template <class T>
struct PatchOperand<T>::Term {
    std::size_t channel, ky, kx;

    Term(const ConvShape &s, std::size_t k)
        : channel(k / s.taps()), ky(k % s.taps() / s.kernel_width), kx(k % s.kernel_width) {}
    void advance(const ConvShape &s) {
        if (++kx < s.kernel_width) return;
        kx = 0;
        if (++ky < s.kernel_height) return;
        ky = 0;
        ++channel;
    }
};

template <class T>
void PatchOperand<T>::pack(const Block &block, T *panel) const {
    // Pixels of one term are neighbours in the image but a group apart in the panel: first a line of each of a
    // group's terms, then all of them at once.
    constexpr std::size_t group = kGroup<T>, kLine = 1024;
    T lines[group][kLine + kPiece<T>] = {};
    clear(block, panel);
    for (std::size_t r = 0; r < block.rows; r += kLine) {
        const std::size_t count = std::min(kLine, block.rows - r);
        const Place place(shape_, block.row + r);
        Term term(shape_, block.k);
        for (std::size_t j = 0; j < block.depth; j += group) {
            for (std::size_t t = 0; t < std::min(group, block.depth - j); ++t, term.advance(shape_))
                copy_term(block.batch, place, count, term, lines[t]);
            interleave(lines[0], kLine + kPiece<T>, count, panel + j * block.width + r * group);
        }
    }
}

template <class T>
void PatchOperand<T>::copy_term(std::size_t group, const Place &place, std::size_t rows, const Term &term,
                                T *line) const {
    const ConvShape &s = shape_;
    // Columns ox in [left, right) fall inside the image: 0 <= ox * stride_x + shift < width.
    const std::ptrdiff_t shift =
        static_cast<std::ptrdiff_t>(term.kx * s.dilation_x) - static_cast<std::ptrdiff_t>(s.pad_left);
    const auto first_at = [&](std::ptrdiff_t position) {  // the first ox at or beyond an image column
        const std::ptrdiff_t gap = position - shift;
        if (gap <= 0) return std::size_t{0};
        return s.stride_x == 1 ? static_cast<std::size_t>(gap) : ceil_div(static_cast<std::size_t>(gap), s.stride_x);
    };
    const T outside = 2 * term.channel < s.group_channels ? outside_ : second_outside_;
    const std::size_t left = first_at(0), right = first_at(static_cast<std::ptrdiff_t>(s.width));

    const std::size_t area = s.height * s.width;
    const T *const end_of_x = x_ + s.images * s.channels * area;
    const T *plane = x_ + (place.image * s.channels + group * s.group_channels + term.channel) * area;
    T piece[kPiece<T>];
    std::fill(piece, piece + kPiece<T>, outside);
    const auto fill = [&](T *to, std::size_t count) {  // up to a piece more
        if (count == 0) return;
        if (count > kPiece<T>)
            std::fill(to, to + count, outside);
        else
            std::memcpy(to, piece, sizeof piece);
    };

    // Whole output rows that are short: a few pieces each, more than is needed, as what follows is written later.
    const std::size_t whole_from = std::min(left, s.out_width),
                      whole_until = std::clamp(right, whole_from, s.out_width);
    const std::size_t pieces = ceil_div(whole_until - whole_from, kPiece<T>);
    const bool is_short = s.stride_x == 1 && whole_from <= kPiece<T> && s.out_width - whole_until <= kPiece<T> &&
                          pieces > 0 && pieces <= 4;
    // Of the output rows from y on, how many lie inside the image and can be read in pieces.
    const auto whole_rows = [&](std::size_t oy, std::size_t y, std::size_t most) {
        if (y < s.pad_top || y - s.pad_top >= s.height) return std::size_t{0};
        std::size_t count = std::min({most, s.out_height - oy, ceil_div(s.pad_top + s.height - y, s.stride_y)});
        const auto last = [&] { return plane + (y - s.pad_top + (count - 1) * s.stride_y) * s.width; };
        const std::size_t reach =
            static_cast<std::size_t>(static_cast<std::ptrdiff_t>(whole_from) + shift) + pieces * kPiece<T>;
        while (count > 0 && static_cast<std::size_t>(end_of_x - last()) < reach) --count;
        return count;
    };

    std::size_t oy = place.oy, ox = place.ox, y = oy * s.stride_y + term.ky * s.dilation_y;  // counted from the padding
    for (std::size_t r = 0; r < rows;) {  // one output row, or the part of it that is asked for, at a time
        const std::size_t whole = is_short && ox == 0 ? whole_rows(oy, y, (rows - r) / s.out_width) : 0;
        if (whole > 0) {
            const T *read = plane + (y - s.pad_top) * s.width +
                            static_cast<std::size_t>(static_cast<std::ptrdiff_t>(whole_from) + shift);
            T *to = line + r;
            for (std::size_t i = 0; i < whole; ++i, read += s.stride_y * s.width, to += s.out_width) {
                if (whole_from > 0) std::memcpy(to, piece, sizeof piece);
                for (std::size_t p = 0; p < pieces; ++p)
                    std::memcpy(to + whole_from + p * kPiece<T>, read + p * kPiece<T>, sizeof piece);
                if (whole_until < s.out_width) std::memcpy(to + whole_until, piece, sizeof piece);
            }
            r += whole * s.out_width;
            y += whole * s.stride_y;
            oy += whole;
            if (oy == s.out_height) {
                oy = 0;
                y = term.ky * s.dilation_y;
                plane += s.channels * area;
            }
            continue;
        }
        const std::size_t end = std::min(s.out_width, ox + rows - r);
        const bool inside = y >= s.pad_top && y - s.pad_top < s.height;
        const std::size_t from = inside ? std::clamp(left, ox, end) : end,
                          until = inside ? std::clamp(right, from, end) : end;
        T *to = line + r - ox;  // output column 0
        fill(to + ox, from - ox);
        if (from < until) {
            const T *read = plane + (y - s.pad_top) * s.width +
                            static_cast<std::size_t>(static_cast<std::ptrdiff_t>(from * s.stride_x) + shift);
            if (s.stride_x == 1)
                copy(read, until - from, end_of_x, to + from);
            else
                copy_every(read, s.stride_x, until - from, to + from);
        }
        fill(to + until, end - until);
        r += end - ox;
        ox = 0;
        y += s.stride_y;
        if (++oy == s.out_height) {
            oy = 0;
            y = term.ky * s.dilation_y;
            plane += s.channels * area;
        }
    }
}

template class MatrixOperand<std::uint8_t>;
template class MatrixOperand<std::uint16_t>;
template class MatrixOperand<float>;
template class PatchOperand<std::uint8_t>;
template class PatchOperand<std::uint16_t>;
template class PatchOperand<float>;
template class PackedOperand<std::uint8_t>;
template class PackedOperand<std::uint16_t>;
template class PackedOperand<float>;

}  // namespace axsim

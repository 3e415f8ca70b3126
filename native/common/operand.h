// One side of a product: what a kernel's panels are packed from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/panel.h"
#include "common/shapes.h"

namespace axsim {

// How many consecutive k of a row lie side by side in a panel: bytes as Panel has them, floats one k after the other.
template <class T>
constexpr std::size_t kGroup = 1;
template <>
constexpr std::size_t kGroup<std::uint8_t> = Panel::kGroup;
template <>
constexpr std::size_t kGroup<std::uint16_t> = Panel::kGroup;

// Rows [row, row + rows) and terms [k, k + depth) of matrix `batch`, in a panel that has room for `width` rows.
struct Block {
    std::size_t batch, row, rows, k, depth, width;
};

// A stack of matrices (row, k) that can be packed piece by piece:
//
//     panel[k / kGroup][row][k % kGroup],  rows beyond `rows` being 0
template <class T>
class Operand {
  public:
    virtual ~Operand() = default;
    virtual void pack(const Block &block, T *panel) const = 0;
    // The rows and terms as they lie in memory, where they are packed already; elements is nullptr where they are not.
    // The block's k is a multiple of a group.
    virtual PanelOf<T> resident(const Block &) const { return {nullptr, 0, 0, 0}; }
};

// A stack of matrices that was packed before, whole: panels of all rows and terms, one after the other.
template <class T>
class PackedOperand : public Operand<T> {
  public:
    // Panels of matrices [0, batch), each of `rows` rows and `depth` terms.
    PackedOperand(const Operand<T> &from, std::size_t batch, std::size_t rows, std::size_t depth);
    void pack(const Block &block, T *panel) const override;
    PanelOf<T> resident(const Block &block) const override;

  private:
    const T *at(const Block &block) const;

    std::size_t rows_, size_;
    std::vector<T> elements_;
};

// Bytes as 16-bit numbers.
class Widened : public Operand<std::uint16_t> {
  public:
    explicit Widened(const Operand<std::uint8_t> &bytes) : bytes_(bytes) {}
    void pack(const Block &block, std::uint16_t *panel) const override;

  private:
    const Operand<std::uint8_t> &bytes_;
};

// Matrices in memory: element (row, k) of matrix i is data[index[i] * size + row * row_stride + k * k_stride].
template <class T>
class MatrixOperand : public Operand<T> {
  public:
    MatrixOperand(const T *data, const std::int64_t *index, std::size_t size, std::size_t row_stride,
                  std::size_t k_stride)
        : data_(data), index_(index), size_(size), row_stride_(row_stride), k_stride_(k_stride) {}
    void pack(const Block &block, T *panel) const override;

  private:
    const T *data_;
    const std::int64_t *index_;
    std::size_t size_, row_stride_, k_stride_;
};

// The patches of an image batch, unfolded on the fly: row = (image, oy, ox), k = (channel, ky, kx) within group
// `batch`. A pixel outside the image is `outside`. No unfolded copy larger than a panel ever exists.
template <class T>
class PatchOperand : public Operand<T> {
  public:
    PatchOperand(const T *x, const ConvShape &shape, T outside) : PatchOperand(x, shape, outside, outside) {}
    // The second half of a group's channels has an `outside` of its own.
    PatchOperand(const T *x, const ConvShape &shape, T outside, T second)
        : x_(x), shape_(shape), outside_(outside), second_outside_(second) {}
    void pack(const Block &block, T *panel) const override;

  private:
    struct Place;  // of a patch
    struct Term;   // of a patch's pixels

    // One term of rows [place, place + rows), side by side.
    void copy_term(std::size_t group, const Place &place, std::size_t rows, const Term &term, T *line) const;

    const T *x_;
    ConvShape shape_;
    T outside_, second_outside_;
};

// A product of two stacks of matrices:
//
//     out[batch * batch_stride + left_axis.offset(i) + right_axis.offset(j)] =
//         sum over k < depth of left element (batch, i, k) * right element (batch, j, k)
//
// where what takes the place of * is the family's.
template <class T>
struct Product {
    const Operand<T> &left, &right;
    Axis left_axis, right_axis;
    std::size_t batch, batch_stride, depth;

    bool empty() const { return batch == 0 || left_axis.size == 0 || right_axis.size == 0; }
    std::size_t size() const { return batch * left_axis.size * right_axis.size; }
};

}  // namespace axsim

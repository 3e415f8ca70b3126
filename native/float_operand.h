// Float operands in the order in which kernels read them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "panel.h"

namespace axsim::floating {

// Rows [row, row + rows) and terms [k, k + depth) of matrix `batch`, packed as panel[depth][width].
struct Block {
    std::size_t batch, row, rows, k, depth, width;
};

// One side of the product: a stack of matrices (row, k) that can be packed piece by piece.
class Operand {
  public:
    virtual ~Operand() = default;
    // panel[j * width + i] = element (row + i, k + j), for i < rows and j < depth; 0 for rows <= i < width, so that
    // what is not there does not look like a number out of range.
    virtual void pack(const Block &block, float *panel) const = 0;
};

// Matrices in memory: element (row, k) of matrix i is data[index[i] * size + row * row_stride + k * k_stride].
class MatrixOperand : public Operand {
  public:
    MatrixOperand(const float *data, const std::int64_t *index, std::size_t size, std::size_t row_stride,
                  std::size_t k_stride)
        : data_(data), index_(index), size_(size), row_stride_(row_stride), k_stride_(k_stride) {}
    void pack(const Block &block, float *panel) const override;

  private:
    const float *data_;
    const std::int64_t *index_;
    std::size_t size_, row_stride_, k_stride_;
};

// The patches of an image batch, unfolded on the fly: row = (image, oy, ox), k = (channel, ky, kx) within group
// `batch`. Pixels outside the image are 0.
class PatchOperand : public Operand {
  public:
    PatchOperand(const float *x, const ConvShape &shape) : x_(x), shape_(shape) {}
    void pack(const Block &block, float *panel) const override;

  private:
    const float *x_;
    ConvShape shape_;
};

}  // namespace axsim::floating

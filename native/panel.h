// Operand bytes in the order in which kernels read them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace axsim {

// `rows` x `depth` operand bytes, four consecutive k of a row side by side:
//
//     bytes[k / 4][row][k % 4]
//
// If depth is not a multiple of four, the last bytes of each row mean nothing and no kernel reads them: a
// table's T[0, 0] need not be 0, so there is no harmless padding.
struct Panel {
    static constexpr std::size_t kGroup = 4;

    const std::uint8_t *bytes;
    std::size_t rows;
    std::size_t depth;

    const std::uint8_t *at(std::size_t row, std::size_t k) const {
        return bytes + (k / kGroup * rows + row) * kGroup + k % kGroup;
    }
    static std::size_t size(std::size_t rows, std::size_t depth) {
        return (depth + kGroup - 1) / kGroup * rows * kGroup;
    }
};

// One side of the product: a stack of matrices (row, k) that can be packed piece by piece.
class Operand {
  public:
    virtual ~Operand() = default;
    // Packs rows [row, row + rows) and terms [k, k + depth) of matrix `batch`.
    virtual void pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
                      std::uint8_t *panel) const = 0;
};

// Matrices in memory: element (row, k) of matrix i is data[index[i] * rows * depth + row * row_stride + k * k_stride].
class MatrixOperand : public Operand {
  public:
    MatrixOperand(const std::uint8_t *data, const std::int64_t *index, std::size_t matrix_size,
                  std::size_t row_stride, std::size_t k_stride)
        : data_(data), index_(index), matrix_size_(matrix_size), row_stride_(row_stride), k_stride_(k_stride) {}
    void pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
              std::uint8_t *panel) const override;

  private:
    const std::uint8_t *data_;
    const std::int64_t *index_;
    std::size_t matrix_size_, row_stride_, k_stride_;
};

struct ConvShape {
    std::size_t images, channels, height, width;          // x
    std::size_t group_channels, kernel_height, kernel_width;  // w, without its first axis
    std::size_t out_height, out_width;
    std::size_t stride_y, stride_x, pad_top, pad_left, dilation_y, dilation_x;
    std::uint8_t pad_byte;  // the operand that stands for a pixel outside the image
};

// The patches of an image batch, unfolded on the fly: row = (image, oy, ox), k = (channel, ky, kx) within
// group `batch`. No unfolded copy larger than a panel ever exists.
class PatchOperand : public Operand {
  public:
    PatchOperand(const std::uint8_t *x, const ConvShape &shape) : x_(x), shape_(shape) {}
    void pack(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::size_t depth,
              std::uint8_t *panel) const override;

  private:
    // Operands of one term for rows [row, row + rows), side by side.
    void copy_term(std::size_t batch, std::size_t row, std::size_t rows, std::size_t k, std::uint8_t *line) const;

    const std::uint8_t *x_;
    ConvShape shape_;
};

}  // namespace axsim

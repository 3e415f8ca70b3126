#include "factored/expansion.h"

#include <cstdint>

namespace axsim {

Expansion::Expansion(const RightMatrices &right, const GemmFactors &factors, const GemmKernels &kernels,
                     bool in_vectors)
    : piece_(piece_of(factors, kernels, right.depth)), each_(ceil_div(right.depth, piece_)) {
    pieces_.resize(right.groups * each_);
    for (std::size_t group = 0; group < right.groups; ++group) {
        const auto index = static_cast<std::int64_t>(group);
        const MatrixOperand<std::uint16_t> operand(right.indices.data(), &index, right.size(), right.row_stride,
                                                   right.k_stride);
        for (std::size_t i = 0; i < each_; ++i) {
            const std::size_t k = i * piece_, depth = std::min(piece_, right.depth - k);
            Stretch &stretch = pieces_[group * each_ + i];
            stretch.take(operand, {0, 0, right.rows, k, depth, right.rows}, factors, false, kernels,
                         in_vectors ? kernels.columns : kernels.rows);
            stretch.settle();
        }
    }
}

std::size_t Expansion::bytes(const RightMatrices &right, const GemmFactors &factors, const GemmKernels &kernels,
                             bool in_vectors) {
    std::size_t all = 0;
    for (const GemmPart &part : factors.parts) all += steps(part, right.depth);
    return right.groups * all * round_up(right.rows, in_vectors ? kernels.columns : kernels.rows) *
           sizeof(std::uint32_t);
}

}  // namespace axsim

// Right operands that were expanded once, whole.
#pragma once
#include <cstddef>
#include <vector>

#include "common/right.h"
#include "factored/stretch.h"

namespace axsim {

// For one set of kernels, and one of the two ways in which they read a side.
class Expansion {
  public:
    Expansion(const RightMatrices &right, const GemmFactors &factors, const GemmKernels &kernels, bool in_vectors);
    // The bytes that it would take.
    static std::size_t bytes(const RightMatrices &right, const GemmFactors &factors, const GemmKernels &kernels,
                             bool in_vectors);

    // All rows of a matrix, from term k on, the beginning of a piece.
    const Stretch &at(std::size_t batch, std::size_t k) const { return pieces_[batch * each_ + k / piece_]; }

  private:
    std::size_t piece_, each_;
    std::vector<Stretch> pieces_;
};

// Who has them.
class Expansions {
  public:
    virtual ~Expansions() = default;
    // nullptr where they would take too much memory.
    virtual const Expansion *expansion(const GemmKernels &kernels, bool in_vectors) const = 0;
};

}  // namespace axsim

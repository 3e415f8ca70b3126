// A right operand that is prepared once: expanded as the kernels of exact products read it.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "factored/expansion.h"
#include "factored/factors.h"
#include "layers/weights.h"

namespace axsim {

// Weights for one table's factors, immutable, expanded when first asked for in a way.
class FactoredWeights : public Weights, private Expansions {
  public:
    // Throws std::invalid_argument unless the factors are of such right operands.
    FactoredWeights(const GemmFactors &factors, RightMatrices right);
    ~FactoredWeights() override;

    Schedule multiply(const LeftNumbers &a, std::size_t rows, const To &to, int threads) const override;
    Schedule convolve(const LeftNumbers &x, const ConvShape &shape, int outside, const To &to,
                      int threads) const override;

  private:
    struct Made;  // an expansion, and the one that was made before it

    const Expansion *expansion(const GemmKernels &kernels, bool in_vectors) const override;

    const GemmFactors &factors_;
    std::vector<std::uint8_t> bytes_;  // the operands, where they have no sign
    mutable std::atomic<const Made *> made_{nullptr};
};

}  // namespace axsim

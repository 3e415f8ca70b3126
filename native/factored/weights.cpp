#include "factored/weights.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <variant>

#include "factored/sums.h"

namespace axsim {
namespace {

// Larger ones are expanded in every call: reading them from memory would take as long.
constexpr std::size_t kMostExpanded = 48U << 20;

Schedule multiply_to(const FactoredProduct &product, const To &to, int threads) {
    return std::visit(
        [&](const auto &into) {
            if constexpr (std::is_same_v<std::decay_t<decltype(into)>, ScaledTo>)
                return multiply(product, into.scaling, into.out, threads);
            else
                return multiply(product, into, threads);
        },
        to);
}

std::vector<std::uint16_t> indices_of(const std::int16_t *numbers, std::size_t count) {
    require_operands(numbers, count);
    std::vector<std::uint16_t> indices(count);
    std::transform(numbers, numbers + count, indices.begin(), [](std::int16_t number) { return known_index(number); });
    return indices;
}

}  // namespace

struct FactoredWeights::Made {
    const GemmKernels &kernels;
    bool in_vectors;
    Expansion expansion;
    const Made *before;
};

FactoredWeights::FactoredWeights(const GemmFactors &factors, RightMatrices right)
    : Weights(std::move(right), factors.left_signed), factors_(factors) {
    const RightMatrices &w = this->right();
    if (factors.right_signed != w.is_signed)
        throw std::invalid_argument("w is int16 where the factors are of signed right operands, else uint8");
    if (!w.is_signed) {
        bytes_.resize(w.indices.size());
        std::transform(w.indices.begin(), w.indices.end(), bytes_.begin(),
                       [](std::uint16_t index) { return static_cast<std::uint8_t>(index); });
    }
}

FactoredWeights::~FactoredWeights() {
    for (const Made *made = made_.load(); made != nullptr;) delete std::exchange(made, made->before);
}

const Expansion *FactoredWeights::expansion(const GemmKernels &kernels, bool in_vectors) const {
    const Made *newest = made_.load(std::memory_order_acquire);
    for (const Made *made = newest; made != nullptr; made = made->before)
        if (&made->kernels == &kernels && made->in_vectors == in_vectors) return &made->expansion;
    if (right().depth == 0 || Expansion::bytes(right(), factors_, kernels, in_vectors) > kMostExpanded) return nullptr;
    // Another thread may make the same: then there are two, and both are right.
    auto mine =
        std::make_unique<Made>(Made{kernels, in_vectors, Expansion(right(), factors_, kernels, in_vectors), newest});
    while (!made_.compare_exchange_weak(mine->before, mine.get(), std::memory_order_acq_rel)) {
    }
    return &mine.release()->expansion;
}

// Calls use(the weights' side).
template <class Use>
static Schedule with_right(const RightMatrices &right, const std::vector<std::uint8_t> &bytes,
                           const Expansions &expanded, const Use &use) {
    std::vector<std::int64_t> each(right.groups);
    std::iota(each.begin(), each.end(), 0);
    const auto operand = [&](const auto *from) {
        using T = std::remove_cv_t<std::remove_pointer_t<decltype(from)>>;
        return MatrixOperand<T>(from, each.data(), right.size(), right.row_stride, right.k_stride);
    };
    if (right.is_signed) {
        const auto side = operand(right.indices.data());
        return use(FactorsSide{nullptr, &side, &expanded});
    }
    const auto side = operand(bytes.data());
    return use(FactorsSide{&side, nullptr, &expanded});
}

Schedule FactoredWeights::multiply(const LeftNumbers &a, std::size_t rows, const To &to, int threads) const {
    const std::size_t depth = right().depth, columns = right().rows;
    const std::int64_t only = 0;
    return with_right(right(), bytes_, *this, [&](const FactorsSide &w) {
        const auto product = [&](const FactorsSide &left) {
            const FactoredProduct all{factors_,
                                      left,
                                      w,
                                      Axis{rows, std::max<std::size_t>(rows, 1), 0, columns},
                                      Axis{columns, std::max<std::size_t>(columns, 1), 0, 1},
                                      1,
                                      rows * columns,
                                      depth};
            return multiply_to(all, to, threads);
        };
        if (takes_signed()) {
            const std::vector<std::uint16_t> indices = indices_of(a.numbers, rows * depth);
            const MatrixOperand<std::uint16_t> left(indices.data(), &only, 0, depth, 1);
            return product({nullptr, &left, nullptr});
        }
        const MatrixOperand<std::uint8_t> left(a.bytes, &only, 0, depth, 1);
        return product({&left, nullptr, nullptr});
    });
}

Schedule FactoredWeights::convolve(const LeftNumbers &x, const ConvShape &shape, int outside, const To &to,
                                   int threads) const {
    const std::size_t filters = right().rows, groups = right().groups, pixels = shape.pixels();
    return with_right(right(), bytes_, *this, [&](const FactorsSide &w) {
        const auto product = [&](const FactorsSide &left) {
            const FactoredProduct all{
                factors_,
                left,
                w,
                Axis{shape.images * pixels, std::max<std::size_t>(pixels, 1), groups * filters * pixels, 1},
                Axis{filters, std::max<std::size_t>(filters, 1), 0, pixels},
                groups,
                filters * pixels,
                shape.depth()};
            return multiply_to(all, to, threads);
        };
        if (takes_signed()) {
            const std::vector<std::uint16_t> indices =
                indices_of(x.numbers, shape.images * shape.channels * shape.height * shape.width);
            const PatchOperand<std::uint16_t> left(indices.data(), shape, index_of(static_cast<std::int16_t>(outside)));
            return product({nullptr, &left, nullptr});
        }
        const PatchOperand<std::uint8_t> left(x.bytes, shape, static_cast<std::uint8_t>(outside));
        return product({&left, nullptr, nullptr});
    });
}

}  // namespace axsim

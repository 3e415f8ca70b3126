// Products element by element.
#include <algorithm>
#include <array>
#include <vector>

#include "floating/plan.h"
#include "threads/parallel.h"

namespace axsim::floating {
namespace {

constexpr std::size_t kPiece = 1024;  // products at a time: a multiple of every set's columns

// Multiplies pieces; one for each worker.
class Pieces {
  public:
    Pieces(const Multiplier &multiplier, const Kernels &kernels)
        : multiplier_(multiplier), kernels_(kernels), values_(kPiece), weights_(kPiece), results_(kPiece) {
        for (std::size_t side = 0; side < 2; ++side) {
            operands_[side].resize(kPiece);
            streams_[side].resize(kPiece * static_cast<std::size_t>(multiplier.terms() + 1));
            segments_[side].resize(kPiece * static_cast<std::size_t>(multiplier.segments()));
        }
    }

    void multiply(const float *a, const float *b, std::size_t count, float *out) {
        const std::size_t padded = round_up(count, kernels_.columns);
        split(a, count, padded, true);
        split(b, count, padded, false);
        if (multiplier_.segments() > 0) {
            look_up(padded);
            kernels_.finish(multiplier_.rules(), values_.data(), weights_.data(), padded, results_.data());
        } else {
            kernels_.multiply_terms[multiplier_.terms() - 1](multiplier_.rules(), streams_[0].data(),
                                                             streams_[1].data(), padded / kernels_.columns,
                                                             results_.data());
        }
        std::copy_n(results_.begin(), count, out);
    }

  private:
    void split(const float *x, std::size_t count, std::size_t padded, bool left) {
        const std::size_t side = left ? 0 : 1;
        float *operand = operands_[side].data();
        std::fill(std::copy_n(x, count, operand), operand + padded, 0.0F);
        if (multiplier_.rounds_operands()) kernels_.round_operands(multiplier_.rules(), operand, padded);
        Range range;
        kernels_.split_columns(multiplier_.side(left), multiplier_.rules(), operand, kernels_.columns,
                               padded / kernels_.columns, streams_[side].data(), range);
        if (multiplier_.segments() > 0) extract_segments(multiplier_, operand, padded, kPiece, segments_[side].data());
    }

    // values_ and weights_ as Kernels::finish takes them.
    void look_up(std::size_t count) {
        const auto segments = static_cast<std::size_t>(multiplier_.segments());
        const std::int32_t *table = multiplier_.table(true);
        for (std::size_t i = 0; i < count; ++i) {
            std::uint64_t total = 0;
            for (std::size_t s = 0; s < segments; ++s)
                for (std::size_t t = 0; t < segments; ++t) {
                    const std::int32_t entry =
                        table[segments_[0][s * kPiece + i] * kEntries + segments_[1][t * kPiece + i]];
                    total += static_cast<std::uint64_t>(entry) << (8 * (s + t));
                }
            const double product = static_cast<double>(total), weight = streams_[0][i] * streams_[1][i];
            weights_[i] = weight;
            values_[i] = multiplier_.rules().published ? product : product * weight;
        }
    }

    const Multiplier &multiplier_;
    const Kernels &kernels_;
    std::array<std::vector<float>, 2> operands_;  // left, right
    std::array<std::vector<double>, 2> streams_;
    std::array<std::vector<std::uint8_t>, 2> segments_;
    std::vector<double> values_, weights_;
    std::vector<float> results_;
};

}  // namespace

void multiply(const Multiplier &multiplier, const float *a, const float *b, std::size_t count, float *out,
              int threads) {
    const Kernels &set = kernels();
    parallel_for(ceil_div(count, kPiece), worthwhile_workers(static_cast<double>(count), threads),
                 [&](const Next &next) {
                     Pieces pieces(multiplier, set);
                     for (std::size_t piece; next(piece);) {
                         const std::size_t first = piece * kPiece;
                         pieces.multiply(a + first, b + first, std::min(kPiece, count - first), out + first);
                     }
                 });
}

}  // namespace axsim::floating

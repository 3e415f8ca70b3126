#include "quantise/scaling.h"

#include <algorithm>
#include <type_traits>

#include "common/arithmetic.h"
#include "quantise/kernels.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kSumsPerWorker = 1U << 15;

// One sum, in whole numbers.
float scaled(std::int64_t sum, double left, const Scaling &s, std::size_t channel) {
    const auto whole = [](double x) { return static_cast<std::int64_t>(x); };
    const std::int64_t bracket = sum - whole(left) * whole(s.zero[channel]) + whole(s.extra[channel]);
    double y = static_cast<double>(bracket) * s.left_scale * s.right_scale[channel];
    if (s.bias != nullptr) y += s.bias[channel];
    return static_cast<float>(y);
}

// Sums of neighbours in the output: of `count` left rows with one right row, or of one left row with right rows.
void scale_run(const std::int32_t *sums, const Layout &layout, const Scaling &s, std::size_t batch, std::size_t left,
               std::size_t right, bool of_lefts, std::size_t count, float *out) {
    constexpr double no_correction = 0;
    const LineKernels &kernels = quantise_kernels().lines;
    const std::size_t channel = batch * layout.right.size + right;
    const Line line{sums,
                    s.left_scale,
                    s.right_scale + channel,
                    s.zero + channel,
                    s.extra + channel,
                    s.bias ? s.bias + channel : nullptr,
                    s.left == nullptr ? nullptr : s.left + batch * s.left_batch + s.left_axis.offset(left),
                    &no_correction};
    (of_lefts ? kernels.across : kernels.along)(
        line, count, out + batch * layout.batch_stride + layout.left.offset(left) + layout.right.offset(right));
}

}  // namespace

void scale_block(const SumsBlock &block, const Layout &layout, const Scaling &scaling, float *out) {
    constexpr std::size_t kMost = 256;
    const bool of_lefts = layout.left.stride == 1;
    const Axis &along = of_lefts ? layout.left : layout.right;
    const std::size_t lines = of_lefts ? block.rights : block.lefts, first = of_lefts ? block.left : block.right;
    const std::size_t length = of_lefts ? block.lefts : block.rights;
    const std::size_t step = of_lefts ? block.left_step : block.right_step;
    const std::size_t line_step = of_lefts ? block.right_step : block.left_step;
    for (std::size_t line = 0; line < lines; ++line)
        for (std::size_t i = 0, run; i < length; i += run) {
            run = std::min({length - i, along.inner - (first + i) % along.inner, step == 1 ? length : kMost});
            const std::int32_t *sums = block.sums + line * line_step + i * step;
            std::int32_t gathered[kMost];
            if (step != 1) {
                for (std::size_t j = 0; j < run; ++j) gathered[j] = sums[j * step];
                sums = gathered;
            }
            scale_run(sums, layout, scaling, block.batch, block.left + (of_lefts ? i : line),
                      block.right + (of_lefts ? line : i), of_lefts, run, out);
        }
}

template <class Sum>
void scale_sums(const Sum *sums, const Layout &layout, const Scaling &s, float *out, int threads) {
    const bool of_lefts = layout.left.stride == 1;
    const Axis &lines = of_lefts ? layout.right : layout.left;
    const Axis &along = of_lefts ? layout.left : layout.right;
    const auto line = [&](std::size_t batch, std::size_t row) {
        for (std::size_t i = 0, run; i < along.size; i += run) {
            run = std::min(along.size - i, along.inner - i % along.inner);
            const std::size_t left = of_lefts ? i : row, right = of_lefts ? row : i;
            const std::size_t at = batch * layout.batch_stride + lines.offset(row) + along.offset(i);
            if constexpr (std::is_same_v<Sum, std::int32_t>) {
                scale_run(sums + at, layout, s, batch, left, right, of_lefts, run, out);
            } else {
                const double *lefts =
                    s.left == nullptr ? nullptr : s.left + batch * s.left_batch + s.left_axis.offset(left);
                const std::size_t channel = batch * layout.right.size + right;
                for (std::size_t j = 0; j < run; ++j)
                    out[at + j] = scaled(sums[at + j], lefts == nullptr ? 0 : lefts[of_lefts ? j : 0], s,
                                         channel + (of_lefts ? 0 : j));
            }
        }
    };
    const std::size_t all = layout.batch * lines.size,
                      worth = std::max<std::size_t>(1, all * along.size / kSumsPerWorker);
    const std::size_t workers = std::min({worth, all, static_cast<std::size_t>(std::max(threads, 1))});
    parallel_for(all, static_cast<int>(workers), [&](const Next &next) {
        for (std::size_t task; next(task);) line(task / lines.size, task % lines.size);
    });
}

template void scale_sums(const std::int32_t *, const Layout &, const Scaling &, float *, int);
template void scale_sums(const std::int64_t *, const Layout &, const Scaling &, float *, int);

}  // namespace axsim

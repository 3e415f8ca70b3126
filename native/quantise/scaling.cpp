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

}  // namespace

template <class Sum>
void scale_sums(const Sum *sums, const Layout &layout, const Scaling &s, float *out, int threads) {
    const bool lefts_are_neighbours = layout.left.stride == 1;
    const Axis &lines = lefts_are_neighbours ? layout.right : layout.left;
    const Axis &along = lefts_are_neighbours ? layout.left : layout.right;
    const LineKernels &kernels = quantise_kernels().lines;
    constexpr double no_correction = 0;
    const auto line = [&](std::size_t batch, std::size_t row) {
        for (std::size_t i = 0, run; i < along.size; i += run) {
            run = std::min(along.size - i, along.inner - i % along.inner);
            const std::size_t left = lefts_are_neighbours ? i : row, right = lefts_are_neighbours ? row : i;
            const std::size_t at = batch * layout.batch_stride + lines.offset(row) + along.offset(i);
            const std::size_t channel = batch * layout.right.size + right;
            const double *lefts =
                s.left == nullptr ? nullptr : s.left + batch * s.left_batch + s.left_axis.offset(left);
            if constexpr (std::is_same_v<Sum, std::int32_t>) {
                const Line piece{sums + at,
                                 s.left_scale,
                                 s.right_scale + channel,
                                 s.zero + channel,
                                 s.extra + channel,
                                 s.bias ? s.bias + channel : nullptr,
                                 lefts,
                                 &no_correction};
                (lefts_are_neighbours ? kernels.across : kernels.along)(piece, run, out + at);
            } else {
                for (std::size_t j = 0; j < run; ++j)
                    out[at + j] = scaled(sums[at + j], lefts == nullptr ? 0 : lefts[lefts_are_neighbours ? j : 0], s,
                                         channel + (lefts_are_neighbours ? 0 : j));
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

#include "quantise/quantise.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "common/arithmetic.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

constexpr std::size_t kBlock = 1U << 14;  // elements to a task: ten microseconds or so
constexpr std::size_t kElementsPerWorker = 1U << 15;

// parallel_for over `tasks`, with as many workers as so many elements are worth.
template <class Task>
void for_each_task(std::size_t tasks, std::size_t elements, int threads, const Task &run) {
    const std::size_t worth = std::max<std::size_t>(1, elements / kElementsPerWorker);
    const std::size_t workers = std::min({worth, tasks, static_cast<std::size_t>(std::max(threads, 1))});
    parallel_for(tasks, static_cast<int>(workers), [&](const Next &next) {
        for (std::size_t task; next(task);) run(task);
    });
}

// Calls run(first, count) for blocks of `size` elements.
template <class Run>
void for_each_block(std::size_t size, int threads, const Run &run) {
    for_each_task(ceil_div(size, kBlock), size, threads,
                  [&](std::size_t task) { run(task * kBlock, std::min(kBlock, size - task * kBlock)); });
}

// Calls run(line, first, count) for pieces of `lines` lines of `length` elements.
template <class Run>
void for_each_piece(std::size_t lines, std::size_t length, int threads, const Run &run) {
    if (length == 0) return;
    const std::size_t pieces = ceil_div(length, kBlock), group = std::max<std::size_t>(1, kBlock / length);
    for_each_task(ceil_div(lines, group) * pieces, lines * length, threads, [&](std::size_t task) {
        const std::size_t first = task % pieces * kBlock, begin = task / pieces * group;
        for (std::size_t line = begin; line < std::min(lines, begin + group); ++line)
            run(line, first, std::min(kBlock, length - first));
    });
}

// Adds `count` lines of bytes, `length` apart, to the sums of `columns` columns.
template <class Byte, class Sum>
void add_lines(const Byte *lines, std::size_t count, std::size_t length, std::size_t columns, Sum *sums) {
    constexpr std::size_t kColumns = 64, kLines = 1U << 16;  // sums of so many lines fit 32 bits
    for (std::size_t c = 0; c < columns; c += kColumns) {
        const std::size_t width = std::min(kColumns, columns - c);
        for (std::size_t begin = 0; begin < count; begin += kLines) {
            std::int32_t partial[kColumns] = {};
            for (std::size_t l = begin; l < std::min(count, begin + kLines); ++l) {
                const Byte *line = lines + l * length + c;
                if (width == kColumns)
                    for (std::size_t j = 0; j < kColumns; ++j) partial[j] += line[j];
                else
                    for (std::size_t j = 0; j < width; ++j) partial[j] += line[j];
            }
            for (std::size_t j = 0; j < width; ++j) sums[c + j] += partial[j];
        }
    }
}

template <class Byte>
double line_sum(const Byte *line, std::size_t count) {
    constexpr std::size_t kPiece = 1U << 16;
    double sum = 0;
    for (std::size_t begin = 0; begin < count; begin += kPiece) {
        std::int32_t partial = 0;
        for (std::size_t i = begin; i < std::min(count, begin + kPiece); ++i) partial += line[i];
        sum += partial;
    }
    return sum;
}

template <class Byte>
void sum_bytes(const Byte *q, std::size_t outer, std::size_t count, std::size_t inner, double *sums, int threads) {
    if (inner == 1) {
        const std::size_t group = std::max<std::size_t>(1, kBlock / std::max<std::size_t>(count, 1));
        for_each_task(ceil_div(outer, group), outer * count, threads, [&](std::size_t task) {
            for (std::size_t o = task * group; o < std::min(outer, (task + 1) * group); ++o)
                sums[o] = line_sum(q + o * count, count);
        });
        return;
    }
    constexpr std::size_t kColumns = 256;
    std::fill(sums, sums + outer * inner, 0.0);
    const std::size_t pieces = ceil_div(inner, kColumns);
    for_each_task(outer * pieces, outer * count * inner, threads, [&](std::size_t task) {
        const std::size_t o = task / pieces, first = task % pieces * kColumns;
        add_lines(q + o * count * inner + first, count, inner, std::min(kColumns, inner - first),
                  sums + o * inner + first);
    });
}

// Adds numbers that lie `step` apart.
template <class Sum>
void add_line(const Sum *from, std::size_t step, std::size_t count, Sum *to) {
    if (step == 1)
        for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
    else
        for (std::size_t i = 0; i < count; ++i) to[i] += from[i * step];
}

// The sums of a plane's pixels under each window: of its columns first, and of those columns then. `columns` is memory
// for them, the padded image's.
template <class Sum>
void add_windows(const ConvShape &s, const Sum *plane, Sum outside, std::vector<Sum> &columns, std::vector<Sum> &line,
                 double *sums) {
    const std::size_t needed =
        s.out_width == 0 ? 0 : (s.out_width - 1) * s.stride_x + (s.kernel_width - 1) * s.dilation_x + 1;
    const std::size_t left = std::min(s.pad_left, needed), inside = std::min(s.width, needed - left);
    columns.resize(needed);
    line.resize(s.out_width);
    for (std::size_t oy = 0; oy < s.out_height; ++oy, sums += s.out_width) {
        std::fill(columns.begin(), columns.end(), static_cast<Sum>(s.kernel_height) * outside);
        std::fill_n(columns.data() + left, inside, Sum{0});
        for (std::size_t ky = 0; ky < s.kernel_height; ++ky) {
            const std::size_t y = oy * s.stride_y + ky * s.dilation_y;  // of the padded image
            if (y >= s.pad_top && y < s.pad_top + s.height)
                add_line(plane + (y - s.pad_top) * s.width, 1, inside, columns.data() + left);
            else
                for (std::size_t x = 0; x < inside; ++x) columns[left + x] += outside;
        }
        std::fill(line.begin(), line.end(), Sum{0});
        for (std::size_t kx = 0; kx < s.kernel_width; ++kx)
            add_line(columns.data() + kx * s.dilation_x, s.stride_x, s.out_width, line.data());
        for (std::size_t ox = 0; ox < s.out_width; ++ox) sums[ox] = static_cast<double>(line[ox]);
    }
}

template <class Sum, class Byte>
void sum_windows(const Byte *x, const ConvShape &s, std::size_t groups, Byte pixel_outside, double *sums, int threads) {
    const std::size_t pixels = s.height * s.width, windows = s.out_height * s.out_width;
    const std::size_t planes = s.images * groups,
                      group = std::max<std::size_t>(1, kBlock / std::max<std::size_t>(windows, 1));
    const Sum outside = static_cast<Sum>(s.group_channels) * pixel_outside;
    if (s.taps() == 0 || windows == 0) {
        std::fill(sums, sums + planes * windows, 0.0);
        return;
    }
    for_each_task(ceil_div(planes, group), planes * (s.group_channels * pixels + windows), threads,
                  [&](std::size_t task) {
                      std::vector<Sum> plane(pixels), columns, line;
                      for (std::size_t p = task * group; p < std::min(planes, (task + 1) * group); ++p) {
                          std::fill(plane.begin(), plane.end(), Sum{0});
                          add_lines(x + p * s.group_channels * pixels, s.group_channels, pixels, pixels, plane.data());
                          add_windows(s, plane.data(), outside, columns, line, sums + p * windows);
                      }
                  });
}

// In 32 bits where those hold the sums.
template <class Byte>
void sum_windows(const Byte *x, const ConvShape &s, std::size_t groups, Byte outside, double *sums, int threads) {
    if (s.depth() < (std::size_t{1} << 23))
        sum_windows<std::int32_t>(x, s, groups, outside, sums, threads);
    else
        sum_windows<std::int64_t>(x, s, groups, outside, sums, threads);
}

}  // namespace

template <class Real>
Extremes<Real> extremes(const Real *x, std::size_t count, int threads) {
    std::vector<Extremes<Real>> blocks(ceil_div(count, kBlock));
    for_each_block(count, threads, [&](std::size_t first, std::size_t size) {
        blocks[first / kBlock] = quantise_kernels().of<Real>().extremes(x + first, size);
    });
    Extremes<Real> all = blocks[0];
    for (const Extremes<Real> &block : blocks) {
        all.low = std::min(all.low, block.low);
        all.high = std::max(all.high, block.high);
        all.finite = all.finite && block.finite;
    }
    return all;
}

template <class Real>
bool quantise(const Real *x, std::size_t outer, const Channels &by, std::size_t inner, int low, int high,
              std::uint8_t *q, int threads) {
    std::atomic<bool> finite{true};
    const auto note = [&](bool all_finite) {
        if (!all_finite) finite.store(false, std::memory_order_relaxed);
    };
    if (inner == 1)  // the channels are neighbours
        for_each_piece(outer, by.channels, threads, [&](std::size_t line, std::size_t first, std::size_t count) {
            const std::size_t at = line * by.channels + first;
            note(quantise_kernels().of<Real>().quantise_each(x + at, count, by.scale + first, by.zero + first, low,
                                                             high, q + at));
        });
    else
        for_each_piece(outer * by.channels, inner, threads,
                       [&](std::size_t line, std::size_t first, std::size_t count) {
                           const std::size_t channel = line % by.channels, at = line * inner + first;
                           note(quantise_kernels().of<Real>().quantise(x + at, count, by.scale + channel,
                                                                       by.zero + channel, low, high, q + at));
                       });
    return finite;
}

void sum_bytes(const std::uint8_t *q, bool is_signed, std::size_t outer, std::size_t count, std::size_t inner,
               double *sums, int threads) {
    if (is_signed)
        sum_bytes(reinterpret_cast<const std::int8_t *>(q), outer, count, inner, sums, threads);
    else
        sum_bytes(q, outer, count, inner, sums, threads);
}

void sum_windows(const std::uint8_t *x, bool is_signed, const ConvShape &shape, std::size_t groups,
                 std::uint8_t outside, double *sums, int threads) {
    if (is_signed)
        sum_windows(reinterpret_cast<const std::int8_t *>(x), shape, groups, static_cast<std::int8_t>(outside), sums,
                    threads);
    else
        sum_windows(x, shape, groups, outside, sums, threads);
}

template <class Sum, class Real>
void scale_planes(const Sum *sums, const double *left, const Epilogue &e, std::size_t images, std::size_t groups,
                  std::size_t channels, std::size_t pixels, Real *out, int threads) {
    const std::size_t group_channels = channels / std::max<std::size_t>(groups, 1);
    const auto &kernels = quantise_kernels().scaling<Sum, Real>();
    for_each_piece(images * channels, pixels, threads, [&](std::size_t line, std::size_t first, std::size_t count) {
        const std::size_t c = line % channels, group = line / channels * groups + c / group_channels;
        const Channel channel{e.left_scale, e.right_scale[c],         e.zero[c],
                              e.extra[c],   e.bias ? e.bias[c] : 0.0, e.bias != nullptr};
        const std::size_t at = line * pixels + first;
        kernels.plane(sums + at, left + group * pixels + first, channel, count, out + at);
    });
}

template <class Sum, class Real>
void scale_rows(const Sum *sums, const double *left, const Epilogue &e, std::size_t matrices, std::size_t rows,
                std::size_t channels, Real *out, int threads) {
    const auto &kernels = quantise_kernels().scaling<Sum, Real>();
    for_each_piece(matrices * rows, channels, threads, [&](std::size_t line, std::size_t first, std::size_t count) {
        const std::size_t at = line * channels + first;
        kernels.row(sums + at, left[line], e.zero + first, e.extra + line / rows * channels + first, e.left_scale,
                    e.right_scale + first, count, out + at);
    });
}

template Extremes<float> extremes(const float *, std::size_t, int);
template Extremes<double> extremes(const double *, std::size_t, int);
template bool quantise(const float *, std::size_t, const Channels &, std::size_t, int, int, std::uint8_t *, int);
template bool quantise(const double *, std::size_t, const Channels &, std::size_t, int, int, std::uint8_t *, int);
#define AXSIM_SCALE(Sum, Real)                                                                                       \
    template void scale_planes(const Sum *, const double *, const Epilogue &, std::size_t, std::size_t, std::size_t, \
                               std::size_t, Real *, int);                                                            \
    template void scale_rows(const Sum *, const double *, const Epilogue &, std::size_t, std::size_t, std::size_t,   \
                             Real *, int);
AXSIM_SCALE(std::int32_t, float)
AXSIM_SCALE(std::int32_t, double)
AXSIM_SCALE(std::int64_t, float)
AXSIM_SCALE(std::int64_t, double)
#undef AXSIM_SCALE

}  // namespace axsim

#include "lookup/depthwise.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "common/arithmetic.h"
#include "lookup/plan.h"
#include "threads/parallel.h"

namespace axsim {
namespace {

// Three neighbouring columns of the kernel share a 64-bit number, in fields of 21 bits:
//
//     word[ky][x] = T[x, w[ky, 0]] + T[x, w[ky, 1]] << 21 + T[x, w[ky, 2]] << 42
//
// Along an output row, running = (running << 21) + sum over ky of word[ky][next pixel]: after the third pixel of a
// window its sum is in the upper field. So one load looks up three products. The chain of shift and sum takes two
// cycles a pixel; with three rows of words, the four instructions a row and pixel take as long.
constexpr std::size_t kColumns = 3, kField = 21, kFieldTerms = 32;
static_assert(kFieldTerms * 65535 < (1U << kField), "a field holds its sums");

constexpr double kLookup = 0.2;                    // nanoseconds, on a 3 GHz core
constexpr std::size_t kLookupsPerTask = 1U << 16;  // some ten microseconds
constexpr std::size_t kTasksPerWorker = 4;         // a few times what it costs to wake a helper

// The words of one filter, [column group][ky][256].
void fill_words(const std::uint16_t *columns, const ConvShape &s, const std::uint16_t *filter, std::uint64_t *words) {
    for (std::size_t first = 0; first < s.kernel_width; first += kColumns)
        for (std::size_t ky = 0; ky < s.kernel_height; ++ky, words += kSide) {
            std::fill(words, words + kSide, std::uint64_t{0});
            for (std::size_t c = 0; c < std::min(kColumns, s.kernel_width - first); ++c) {
                const std::uint16_t *column = columns + std::size_t{filter[ky * s.kernel_width + first + c]} * kSide;
                for (std::size_t i = 0; i < kSide; ++i) words[i] |= std::uint64_t{column[i]} << (c * kField);
            }
        }
}

// Adds one output row's sums over one group of columns. `line` is the first row of pixels under the window, the
// next one `step` bytes further. Height 0 stands for `height`.
template <std::size_t Height, class Out>
void add_row(const std::uint64_t *words, const std::uint8_t *line, std::size_t step, std::size_t height,
             std::size_t stride, std::size_t width, Out *out) {
    if constexpr (Height != 0) height = Height;
    std::uint64_t running = 0;
    const auto take = [&] {
        running <<= kField;
        for (std::size_t ky = 0; ky < height; ++ky) running += words[ky * kSide + line[ky * step]];
        ++line;
    };
    for (std::size_t i = 0; i + 1 < kColumns; ++i) take();
    for (std::size_t ox = 0; ox < width; ++ox) {
        take();
        // Bit 63 has come from the sum that was complete one pixel earlier.
        out[ox] = static_cast<Out>(out[ox] + static_cast<Out>(running << 1 >> (kField * (kColumns - 1) + 1)));
        for (std::size_t skip = 1; skip < stride && ox + 1 < width; ++skip) take();
    }
}

// The part of an image channel that output rows [top, top + rows) see, with its padding.
struct Window {
    std::size_t width, height;
    std::vector<std::uint8_t> pixels;

    void copy(const ConvShape &s, const std::uint8_t *plane, std::uint8_t outside, std::size_t top, std::size_t rows) {
        const std::size_t columns = ceil_div(s.kernel_width, kColumns) * kColumns;
        width = (s.out_width - 1) * s.stride_x + columns;
        height = (rows - 1) * s.stride_y + (s.kernel_height - 1) * s.dilation_y + 1;
        pixels.assign(width * height, outside);
        if (s.pad_left >= width) return;
        const std::size_t count = std::min(s.width, width - s.pad_left);
        for (std::size_t y = 0; y < height; ++y) {
            const std::size_t from = top * s.stride_y + y;
            if (from < s.pad_top || from - s.pad_top >= s.height) continue;
            std::memcpy(pixels.data() + y * width + s.pad_left, plane + (from - s.pad_top) * s.width, count);
        }
    }
};

template <class Out>
void compute_rows(const ConvShape &s, const std::uint64_t *words, const Window &window, std::size_t rows,
                  std::int64_t correction, Out *out) {
    for (std::size_t y = 0; y < rows; ++y, out += s.out_width) {
        std::fill(out, out + s.out_width, static_cast<Out>(correction));
        for (std::size_t first = 0; first < s.kernel_width; first += kColumns) {
            const auto add = s.kernel_height == 3 ? add_row<3, Out> : add_row<0, Out>;
            add(words + first / kColumns * s.kernel_height * kSide,
                window.pixels.data() + y * s.stride_y * window.width + first, s.dilation_y * window.width,
                s.kernel_height, s.stride_x, s.out_width, out);
        }
    }
}

}  // namespace

bool fits_depthwise(const Table &table, const ConvShape &shape, std::size_t filters) {
    const Columns &columns = table.columns(false);
    if (!columns.narrow() || columns.passes() > 1 || shape.group_channels != 1 || shape.dilation_x != 1 ||
        shape.taps() == 0 || shape.kernel_height * kColumns > kFieldTerms)
        return false;
    // Filters that share a channel share its unfolded patches.
    const std::size_t rows = std::clamp<std::size_t>(shape.images * shape.pixels(), 1, 4096);
    const std::size_t lanes = filters / std::max<std::size_t>(shape.channels, 1);
    return kLookup * static_cast<double>(rows * lanes) < lookup_time(columns, rows, lanes, shape.taps());
}

template <class Out>
Schedule compute_depthwise(const Table &table, const ConvShape &s, const std::uint8_t *x, const std::uint16_t *w,
                           std::size_t filters, std::uint8_t outside, Out *out, int threads) {
    const std::size_t taps = s.kernel_height * s.kernel_width, pixels = s.out_height * s.out_width;
    if (s.images * filters * pixels == 0) return {};
    // Bands of output rows, where an image is worth more than one task.
    const std::size_t wanted = std::clamp<std::size_t>(pixels * taps / kLookupsPerTask, 1, s.out_height);
    const std::size_t band = ceil_div(s.out_height, wanted), bands = ceil_div(s.out_height, band);
    const std::size_t tasks = filters * s.images * bands;
    const std::size_t lookups = s.images * filters * pixels * taps;
    const std::size_t worth = std::max<std::size_t>(1, lookups / (kLookupsPerTask * kTasksPerWorker));
    const int workers = static_cast<int>(std::min({worth, tasks, static_cast<std::size_t>(std::max(threads, 1))}));
    const Columns &columns = table.columns(false);

    parallel_for(tasks, workers, [&](const Next &next) {
        std::vector<std::uint64_t> words(ceil_div(s.kernel_width, kColumns) * s.kernel_height * kSide);
        std::size_t filled = std::numeric_limits<std::size_t>::max();
        Window window;
        for (std::size_t task; next(task);) {  // consecutive tasks share a filter
            const std::size_t filter = task / (s.images * bands), image = task / bands % s.images;
            const std::size_t top = task % bands * band, rows = std::min(band, s.out_height - top);
            if (filled != filter) fill_words(columns.entries<std::uint16_t>(), s, w + filter * taps, words.data());
            filled = filter;
            const std::size_t channel = filter / (filters / s.channels);
            std::int64_t correction = 0;
            for (std::size_t i = 0; i < taps; ++i) correction += columns.offsets()[w[filter * taps + i]];
            window.copy(s, x + (image * s.channels + channel) * s.height * s.width, outside, top, rows);
            compute_rows(s, words.data(), window, rows, correction,
                         out + (image * filters + filter) * pixels + top * s.out_width);
        }
    });
    return {tasks, workers};
}

template Schedule compute_depthwise(const Table &, const ConvShape &, const std::uint8_t *, const std::uint16_t *,
                                    std::size_t, std::uint8_t, std::int32_t *, int);
template Schedule compute_depthwise(const Table &, const ConvShape &, const std::uint8_t *, const std::uint16_t *,
                                    std::size_t, std::uint8_t, std::int64_t *, int);

}  // namespace axsim

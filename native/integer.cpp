// Python bindings of the integer engines: look-up sums of operand bytes through a folded table.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bindings.h"
#include "depthwise.h"
#include "isa.h"
#include "kernels.h"
#include "panel.h"
#include "parallel.h"
#include "table.h"
#include "tiles.h"

namespace nb = nanobind;

namespace {

using axsim::Axis;
using axsim::Problem;
using axsim::Schedule;
using axsim::Table;

using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Entries = nb::ndarray<const std::int32_t, nb::shape<256, 256>, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Used = std::pair<std::size_t, int>;  // tiles, workers

void require(bool condition, const char *message) {
    if (!condition) throw std::invalid_argument(message);
}

// Calls run with out's data as the type it has, the interpreter lock released.
template <class Run>
Used into(Out &out, const Run &run) {
    Schedule used;
    void *data = out.data();
    const bool wide = out.dtype() == nb::dtype<std::int64_t>();
    require(wide || out.dtype() == nb::dtype<std::int32_t>(), "out must be int32 or int64");
    {
        nb::gil_scoped_release release;
        used = wide ? run(static_cast<std::int64_t *>(data)) : run(static_cast<std::int32_t *>(data));
    }
    return {used.tiles, used.workers};
}

Used compute(const Problem &problem, Out &out, int threads) {
    return into(out, [&](auto *data) { return axsim::compute(problem, data, threads); });
}

void require_indices(const Indices &indices, std::size_t matrices) {
    for (std::size_t i = 0; i < indices.shape(0); ++i)
        require(indices(i) >= 0 && static_cast<std::size_t>(indices(i)) < matrices, "batch index out of range");
}

// out[i] = a[a_index[i]] @ b[b_index[i]]
Used gemm(const Table &table, const Bytes &a, const Bytes &b, const Indices &a_index, const Indices &b_index, Out out,
          int threads) {
    require(a.ndim() == 3 && b.ndim() == 3 && out.ndim() == 3, "a, b and out must have three axes");
    const std::size_t m = a.shape(1), depth = a.shape(2), n = b.shape(2), batch = out.shape(0);
    require(b.shape(1) == depth && out.shape(1) == m && out.shape(2) == n, "shapes do not fit");
    require(a_index.shape(0) == batch && b_index.shape(0) == batch, "one index for each matrix of out");
    require_indices(a_index, a.shape(0));
    require_indices(b_index, b.shape(0));

    const axsim::MatrixOperand left(a.data(), a_index.data(), m * depth, depth, 1);
    const axsim::MatrixOperand right(b.data(), b_index.data(), depth * n, 1, n);
    const Problem problem{table, left, right, Axis{m, std::max<std::size_t>(m, 1), 0, n},
                          Axis{n, std::max<std::size_t>(n, 1), 0, 1}, batch, m * n, depth};
    return compute(problem, out, threads);
}

using Pair = std::array<std::size_t, 2>;  // vertical, horizontal

Used conv2d(const Table &table, const Bytes &x, const Bytes &w, Out out, Pair stride, Pair pad, Pair dilation,
            std::size_t groups, std::uint8_t pad_byte, int threads) {
    require(x.ndim() == 4 && w.ndim() == 4 && out.ndim() == 4, "x, w and out must have four axes");
    require(groups > 0 && stride[0] > 0 && stride[1] > 0, "groups and stride must be positive");
    const std::size_t images = x.shape(0), channels = x.shape(1), filters = w.shape(0);
    const std::size_t pixels = out.shape(2) * out.shape(3);
    require(channels == groups * w.shape(1) && filters % groups == 0, "channels do not fit groups");
    require(out.shape(0) == images && out.shape(1) == filters, "out does not fit x and w");

    const axsim::ConvShape shape{images,       channels,     x.shape(2),   x.shape(3), w.shape(1),
                                 w.shape(2),   w.shape(3),   out.shape(2), out.shape(3), stride[0],
                                 stride[1],    pad[0],       pad[1],       dilation[0], dilation[1],
                                 pad_byte};
    axsim::kernels();  // whichever kernel runs, a wrong AXSIM_ISA is an error
    if (axsim::fits_depthwise(table, shape))
        return into(out, [&](auto *data) {
            return axsim::compute_depthwise(table, shape, x.data(), w.data(), filters, data, threads);
        });
    const std::size_t depth = w.shape(1) * w.shape(2) * w.shape(3), group_filters = filters / groups;
    std::vector<std::int64_t> each_group(groups);
    std::iota(each_group.begin(), each_group.end(), 0);
    const axsim::PatchOperand patches(x.data(), shape);
    const axsim::MatrixOperand weights(w.data(), each_group.data(), group_filters * depth, depth, 1);
    const Problem problem{table,
                          patches,
                          weights,
                          Axis{images * pixels, std::max<std::size_t>(pixels, 1), filters * pixels, 1},
                          Axis{group_filters, std::max<std::size_t>(group_filters, 1), 0, pixels},
                          groups,
                          group_filters * pixels,
                          depth};
    return compute(problem, out, threads);
}

// out[i] = values[a[i], b[i]]
void lookup(const Entries &values, const Bytes &a, const Bytes &b,
            nb::ndarray<std::int32_t, nb::c_contig, nb::device::cpu> out, int threads) {
    constexpr std::size_t kBlock = 1U << 16;
    require(a.size() == out.size() && b.size() == out.size(), "a, b and out must have one size");
    const std::int32_t *table = values.data();
    const std::uint8_t *left = a.data(), *right = b.data();
    std::int32_t *to = out.data();
    const std::size_t size = out.size(), blocks = (size + kBlock - 1) / kBlock;
    nb::gil_scoped_release release;
    const int workers = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)),
                                                               1 + size / (8 * kBlock)));
    axsim::parallel_for(blocks, workers, [&](const auto &next) {
        for (std::size_t block; next(block);)
            for (std::size_t i = block * kBlock, end = std::min(size, i + kBlock); i < end; ++i)
                to[i] = table[left[i] * axsim::kSide + right[i]];
    });
}

}  // namespace

void bind_integer(nb::module_ &m) {
    nb::class_<Table>(m, "Table", "A folded product table, laid out for the kernels.")
        .def(
            "__init__", [](Table *self, const Entries &values) { new (self) Table(values.data()); },
            nb::arg("values"));
    m.def("gemm", &gemm, nb::arg("table"), nb::arg("a"), nb::arg("b"), nb::arg("a_index"), nb::arg("b_index"),
          nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i] = a[a_index[i]] @ b[b_index[i]] through the table; returns (tiles, workers) used.");
    m.def("conv2d", &conv2d, nb::arg("table"), nb::arg("x"), nb::arg("w"), nb::arg("out").noconvert(), nb::arg("stride"),
          nb::arg("pad"), nb::arg("dilation"), nb::arg("groups"), nb::arg("pad_byte"), nb::arg("threads"),
          "2-D cross-correlation through the table into out; returns (tiles, workers) used.");
    m.def("lookup", &lookup, nb::arg("values"), nb::arg("a"), nb::arg("b"), nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i] = values[a[i], b[i]].");
    m.def("isa", [] { return axsim::kernels().name; }, "The instruction set whose kernels run.");
    m.def("runnable_isas", &axsim::runnable_isas, "The instruction sets that this processor runs, best first.");
}

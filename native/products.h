// What Python hands over, as products of operands: shapes are checked here, for all engines.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "panel.h"
#include "tiles.h"

namespace axsim {

namespace nb = nanobind;

using Bytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<nb::c_contig, nb::device::cpu>;
using Used = std::pair<std::size_t, int>;  // tiles, workers
using Pair = std::array<std::size_t, 2>;   // vertical, horizontal

inline void require(bool condition, const char *message) {
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

inline void require_indices(const Indices &indices, std::size_t matrices) {
    for (std::size_t i = 0; i < indices.shape(0); ++i)
        require(indices(i) >= 0 && static_cast<std::size_t>(indices(i)) < matrices, "batch index out of range");
}

// out[i] = a[a_index[i]] @ b[b_index[i]]: run gets the product and out's data.
template <class Run>
Used matrices(const Bytes &a, const Bytes &b, const Indices &a_index, const Indices &b_index, Out &out,
              const Run &run) {
    require(a.ndim() == 3 && b.ndim() == 3 && out.ndim() == 3, "a, b and out must have three axes");
    const std::size_t m = a.shape(1), depth = a.shape(2), n = b.shape(2), batch = out.shape(0);
    require(b.shape(1) == depth && out.shape(1) == m && out.shape(2) == n, "shapes do not fit");
    require(a_index.shape(0) == batch && b_index.shape(0) == batch, "one index for each matrix of out");
    require_indices(a_index, a.shape(0));
    require_indices(b_index, b.shape(0));

    const MatrixOperand left(a.data(), a_index.data(), m * depth, depth, 1);
    const MatrixOperand right(b.data(), b_index.data(), depth * n, 1, n);
    const Product product{left, right, Axis{m, std::max<std::size_t>(m, 1), 0, n},
                          Axis{n, std::max<std::size_t>(n, 1), 0, 1}, batch, m * n, depth};
    return into(out, [&](auto *data) { return run(product, data); });
}

// 2-D cross-correlation of x with w into out, both operands whole.
struct Convolution {
    ConvShape shape;
    const std::uint8_t *x, *w;
    std::size_t filters, groups;

    Convolution(const Bytes &x, const Bytes &w, const Out &out, Pair stride, Pair pad, Pair dilation,
                std::size_t groups, std::uint8_t pad_byte)
        : x(x.data()), w(w.data()), filters(0), groups(groups) {
        require(x.ndim() == 4 && w.ndim() == 4 && out.ndim() == 4, "x, w and out must have four axes");
        require(groups > 0 && stride[0] > 0 && stride[1] > 0, "groups and stride must be positive");
        filters = w.shape(0);
        require(x.shape(1) == groups * w.shape(1) && filters % groups == 0, "channels do not fit groups");
        require(out.shape(0) == x.shape(0) && out.shape(1) == filters, "out does not fit x and w");
        shape = {x.shape(0),   x.shape(1),   x.shape(2), x.shape(3), w.shape(1),  w.shape(2),  w.shape(3), out.shape(2),
                 out.shape(3), stride[0],    stride[1],  pad[0],     pad[1],      dilation[0], dilation[1], pad_byte};
    }

    // As the product of its unfolded patches, for each group: run gets the product and out's data.
    template <class Run>
    Used unfolded(Out &out, const Run &run) const {
        const std::size_t depth = shape.group_channels * shape.kernel_height * shape.kernel_width;
        const std::size_t pixels = shape.out_height * shape.out_width, group_filters = filters / groups;
        std::vector<std::int64_t> each_group(groups);
        std::iota(each_group.begin(), each_group.end(), 0);
        const PatchOperand patches(x, shape);
        const MatrixOperand weights(w, each_group.data(), group_filters * depth, depth, 1);
        const Product product{patches,
                              weights,
                              Axis{shape.images * pixels, std::max<std::size_t>(pixels, 1), filters * pixels, 1},
                              Axis{group_filters, std::max<std::size_t>(group_filters, 1), 0, pixels},
                              groups,
                              group_filters * pixels,
                              depth};
        return into(out, [&](auto *data) { return run(product, data); });
    }
};

}  // namespace axsim

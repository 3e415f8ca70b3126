// What Python hands over, as products of operands of type T: shapes are checked here, for all families.
#pragma once
#include <nanobind/stl/pair.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "bindings/arrays.h"
#include "common/operand.h"
#include "common/right.h"

namespace axsim {

using Used = std::pair<std::size_t, int>;  // tiles, workers

// Calls run with the data of integer sums as the type they have, the interpreter lock released.
template <class Run>
Used into(AnyOut &out, const Run &run) {
    const Schedule used = with_type<std::int32_t, std::int64_t>(out, "out must be int32 or int64", [&](auto *data) {
        const InterpreterReleased released;
        return run(data);
    });
    return {used.tiles, used.workers};
}

inline void require_indices(const Indices &indices, std::size_t batch, std::size_t matrices) {
    require(indices.shape(0) == batch, "one index for each matrix of out");
    for (std::size_t i = 0; i < batch; ++i)
        require(indices(i) >= 0 && static_cast<std::size_t>(indices(i)) < matrices, "batch index out of range");
}

// The shape of prepared weights w: (K, N), or (O, C / groups, kh, kw) of a convolution.
template <class Array>
RightShape right_shape(const Array &w, std::size_t groups) {
    require(w.ndim() == 2 || w.ndim() == 4, "w must have two axes, or four");
    const bool matrix = w.ndim() == 2;
    require(groups > 0 && (matrix ? groups == 1 : w.shape(0) % groups == 0), "groups do not fit w");
    if (matrix) return {1, w.shape(1), w.shape(0), 1, w.shape(1)};
    const std::size_t depth = w.shape(1) * w.shape(2) * w.shape(3);
    return {groups, w.shape(0) / groups, depth, depth, 1};
}

// The shapes of a convolution whose weights are w, of which only the kernel's size is not known to them.
template <class Array, class Out>
ConvShape shape_of(const RightShape &w, const Array &x, const Out &out, Pair kernel, Pair stride, Pair pad,
                   Pair dilation) {
    require(x.ndim() == 4 && out.ndim() == 4, "x and out must have four axes");
    require(stride[0] > 0 && stride[1] > 0, "stride must be positive");
    require(x.shape(1) % w.groups == 0, "channels do not fit groups");
    const ConvShape shape{x.shape(0), x.shape(1), x.shape(2),   x.shape(3),   x.shape(1) / w.groups,
                          kernel[0],  kernel[1],  out.shape(2), out.shape(3), stride[0],
                          stride[1],  pad[0],     pad[1],       dilation[0],  dilation[1]};
    require(shape.depth() == w.depth, "the kernel does not fit the weights");
    require(out.shape(0) == x.shape(0) && out.shape(1) == w.groups * w.rows, "out does not fit x and w");
    return shape;
}

template <class Array, class Out>
std::size_t rows_of(const RightShape &w, const Array &a, const Out &out) {
    require(a.ndim() == 2 && out.ndim() == 2, "a and out must have two axes");
    require(w.groups == 1 && a.shape(1) == w.depth && out.shape(1) == w.rows && out.shape(0) == a.shape(0),
            "shapes do not fit");
    return a.shape(0);
}

// out[i] = a[a_index[i]] @ b[b_index[i]], as the product that it is. `out` has the dtype that it likes.
template <class T>
struct Matrices {
    MatrixOperand<T> left, right;
    std::size_t batch, m, n, depth;

    template <class Out>
    Matrices(const In<T> &a, const In<T> &b, const Indices &a_index, const Indices &b_index, const Out &out)
        : left(a.data(), a_index.data(), elements(a), axis(a, 2), 1),
          right(b.data(), b_index.data(), elements(b), 1, axis(b, 2)),
          batch(axis(out, 0)),
          m(axis(a, 1)),
          n(axis(b, 2)),
          depth(axis(a, 2)) {
        require(b.shape(1) == depth && out.shape(1) == m && out.shape(2) == n, "shapes do not fit");
        require_indices(a_index, batch, a.shape(0));
        require_indices(b_index, batch, b.shape(0));
    }

    Product<T> product() const {
        return {
            left,  right, Axis{m, std::max<std::size_t>(m, 1), 0, n}, Axis{n, std::max<std::size_t>(n, 1), 0, 1}, batch,
            m * n, depth};
    }

  private:
    template <class Array>
    static std::size_t axis(const Array &array, std::size_t i) {
        require(array.ndim() == 3, "a, b and out must have three axes");
        return array.shape(i);
    }
    static std::size_t elements(const In<T> &stack) { return axis(stack, 1) * axis(stack, 2); }
};

// 2-D cross-correlation of x with w into out, all of them whole arrays.
template <class T>
struct Convolution {
    ConvShape shape;
    const T *x, *w;
    std::size_t filters, groups;

    template <class Out>
    Convolution(const In<T> &x, const In<T> &w, const Out &out, Pair stride, Pair pad, Pair dilation,
                std::size_t groups)
        : x(x.data()), w(w.data()), filters(0), groups(groups) {
        require(x.ndim() == 4 && w.ndim() == 4 && out.ndim() == 4, "x, w and out must have four axes");
        require(groups > 0 && stride[0] > 0 && stride[1] > 0, "groups and stride must be positive");
        filters = w.shape(0);
        require(x.shape(1) == groups * w.shape(1) && filters % groups == 0, "channels do not fit groups");
        require(out.shape(0) == x.shape(0) && out.shape(1) == filters, "out does not fit x and w");
        shape = {x.shape(0),   x.shape(1), x.shape(2), x.shape(3), w.shape(1), w.shape(2),  w.shape(3), out.shape(2),
                 out.shape(3), stride[0],  stride[1],  pad[0],     pad[1],     dilation[0], dilation[1]};
    }

    Convolution(const T *x, const T *w, const ConvShape &shape, const RightShape &right)
        : shape(shape), x(x), w(w), filters(right.channels()), groups(right.groups) {}

    // Calls run with the product of the unfolded patches, for each group. A pixel outside the image is `outside`.
    template <class Run>
    auto unfolded(T outside, const Run &run) const {
        const std::size_t depth = shape.depth(), pixels = shape.pixels(), group_filters = filters / groups;
        std::vector<std::int64_t> each_group(groups);
        std::iota(each_group.begin(), each_group.end(), 0);
        const PatchOperand<T> patches(x, shape, outside);
        const MatrixOperand<T> weights(w, each_group.data(), group_filters * depth, depth, 1);
        return run(Product<T>{patches, weights,
                              Axis{shape.images * pixels, std::max<std::size_t>(pixels, 1), filters * pixels, 1},
                              Axis{group_filters, std::max<std::size_t>(group_filters, 1), 0, pixels}, groups,
                              group_filters * pixels, depth});
    }
};

}  // namespace axsim

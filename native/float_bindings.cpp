// Python bindings of the floating-point engine.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bindings.h"
#include "float_sums.h"

namespace nb = nanobind;

namespace {

using axsim::Axis;
using axsim::floating::FormTerm;
using axsim::floating::MatrixOperand;
using axsim::floating::Multiplier;
using axsim::floating::PatchOperand;
using axsim::floating::Problem;
using axsim::floating::Rules;
using axsim::floating::Underflow;

using Floats = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Products = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Sums = nb::ndarray<double, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Entries = nb::ndarray<const std::uint32_t, nb::shape<256, 256>, nb::c_contig, nb::device::cpu>;
using Terms = std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>>;
using Pair = std::array<std::size_t, 2>;  // vertical, horizontal

void require(bool condition, const char *message) {
    if (!condition) throw std::invalid_argument(message);
}

Rules make_rules(int fraction_bits, bool published, bool truncate, bool positive_zero, int underflow, double zero_below,
                 double smallest_normal, double largest, double low, double high) {
    require(fraction_bits >= 1 && fraction_bits <= 23, "fraction_bits must be 1 to 23");
    require(underflow >= 0 && underflow <= 2, "underflow must be 0 (gradual), 1 (flush) or 2 (fraction)");
    require(high < 0x1p53, "significand products must be below 2**53");
    return {fraction_bits, published,       truncate, positive_zero, static_cast<Underflow>(underflow),
            zero_below,    smallest_normal, largest,  low,           high};
}

void make_from_terms(Multiplier *self, const Rules &rules, const Terms &terms) {
    std::vector<FormTerm> form;
    for (const auto &[weight, left, right] : terms) form.push_back({weight, left, right});
    new (self) Multiplier(rules, form);
}

// out[i] = a[a_index[i]] @ b[b_index[i]]
void gemm(const Multiplier &multiplier, const Floats &a, const Floats &b, const Indices &a_index,
          const Indices &b_index, Sums out, int threads) {
    require(a.ndim() == 3 && b.ndim() == 3 && out.ndim() == 3, "a, b and out must have three axes");
    const std::size_t m = a.shape(1), depth = a.shape(2), n = b.shape(2), batch = out.shape(0);
    require(b.shape(1) == depth && out.shape(1) == m && out.shape(2) == n, "shapes do not fit");
    require(a_index.shape(0) == batch && b_index.shape(0) == batch, "one index for each matrix of out");
    for (std::size_t i = 0; i < batch; ++i) {
        const auto within = [](std::int64_t index, std::size_t size) {
            return index >= 0 && static_cast<std::size_t>(index) < size;
        };
        require(within(a_index(i), a.shape(0)) && within(b_index(i), b.shape(0)), "batch index out of range");
    }
    const MatrixOperand left(a.data(), a_index.data(), m * depth, depth, 1);
    const MatrixOperand right(b.data(), b_index.data(), depth * n, 1, n);
    const Problem problem{multiplier, left, right, Axis{m, std::max<std::size_t>(m, 1), 0, n},
                          Axis{n, std::max<std::size_t>(n, 1), 0, 1}, batch, m * n, depth};
    double *to = out.data();
    nb::gil_scoped_release release;
    axsim::floating::compute(problem, to, threads);
}

void conv2d(const Multiplier &multiplier, const Floats &x, const Floats &w, Sums out, Pair stride, Pair pad,
            Pair dilation, std::size_t groups, int threads) {
    require(x.ndim() == 4 && w.ndim() == 4 && out.ndim() == 4, "x, w and out must have four axes");
    require(groups > 0 && stride[0] > 0 && stride[1] > 0, "groups and stride must be positive");
    const std::size_t images = x.shape(0), channels = x.shape(1), filters = w.shape(0);
    const std::size_t pixels = out.shape(2) * out.shape(3);
    require(channels == groups * w.shape(1) && filters % groups == 0, "channels do not fit groups");
    require(out.shape(0) == images && out.shape(1) == filters, "out does not fit x and w");

    const axsim::ConvShape shape{images,       channels,     x.shape(2),   x.shape(3),  w.shape(1),  w.shape(2),
                                 w.shape(3),   out.shape(2), out.shape(3), stride[0],   stride[1],   pad[0],
                                 pad[1],       dilation[0],  dilation[1],  0};
    const std::size_t depth = w.shape(1) * w.shape(2) * w.shape(3), group_filters = filters / groups;
    std::vector<std::int64_t> each_group(groups);
    std::iota(each_group.begin(), each_group.end(), 0);
    const PatchOperand patches(x.data(), shape);
    const MatrixOperand weights(w.data(), each_group.data(), group_filters * depth, depth, 1);
    const Problem problem{multiplier,
                          patches,
                          weights,
                          Axis{images * pixels, std::max<std::size_t>(pixels, 1), filters * pixels, 1},
                          Axis{group_filters, std::max<std::size_t>(group_filters, 1), 0, pixels},
                          groups,
                          group_filters * pixels,
                          depth};
    double *to = out.data();
    nb::gil_scoped_release release;
    axsim::floating::compute(problem, to, threads);
}

void multiply(const Multiplier &multiplier, const Floats &a, const Floats &b, Products out, int threads) {
    require(a.size() == out.size() && b.size() == out.size(), "a, b and out must have one size");
    const float *left = a.data(), *right = b.data();
    float *to = out.data();
    const std::size_t count = out.size();
    nb::gil_scoped_release release;
    axsim::floating::multiply(multiplier, left, right, count, to, threads);
}

}  // namespace

void bind_floating(nb::module_ &m) {
    nb::class_<Rules>(m, "FloatRules", "Format, normaliser, rounding and special values of a float multiplier.")
        .def(
            "__init__",
            [](Rules *self, int fraction_bits, bool published, bool truncate, bool positive_zero, int underflow,
               double zero_below, double smallest_normal, double largest, double low, double high) {
                new (self) Rules(make_rules(fraction_bits, published, truncate, positive_zero, underflow, zero_below,
                                            smallest_normal, largest, low, high));
            },
            nb::kw_only(), nb::arg("fraction_bits"), nb::arg("published"), nb::arg("truncate"),
            nb::arg("positive_zero"), nb::arg("underflow"), nb::arg("zero_below"), nb::arg("smallest_normal"),
            nb::arg("largest"), nb::arg("low"), nb::arg("high"));
    nb::class_<Multiplier>(m, "FloatMultiplier", "A float multiplier, laid out for the kernels.")
        .def("__init__", &make_from_terms, nb::arg("rules"), nb::arg("terms"))
        .def(
            "__init__",
            [](Multiplier *self, const Rules &rules, const Entries &table) { new (self) Multiplier(rules, table.data()); },
            nb::arg("rules"), nb::arg("table"));
    m.def("float_gemm", &gemm, nb::arg("multiplier"), nb::arg("a"), nb::arg("b"), nb::arg("a_index"), nb::arg("b_index"),
          nb::arg("out").noconvert(), nb::arg("threads"), "out[i] = a[a_index[i]] @ b[b_index[i]], sums not rounded.");
    m.def("float_conv2d", &conv2d, nb::arg("multiplier"), nb::arg("x"), nb::arg("w"), nb::arg("out").noconvert(),
          nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"), nb::arg("groups"), nb::arg("threads"),
          "2-D cross-correlation into out, sums not rounded.");
    m.def("float_multiply", &multiply, nb::arg("multiplier"), nb::arg("a"), nb::arg("b"), nb::arg("out").noconvert(),
          nb::arg("threads"), "out[i] = a[i] * b[i].");
}

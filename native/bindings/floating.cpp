// Python bindings of the floating-point engine.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/products.h"
#include "floating/sums.h"
#include "floating/weights.h"

namespace axsim::bindings::floating {
namespace {

using axsim::AnyOut;
using axsim::Indices;
using axsim::Pair;
using axsim::require;
using axsim::floating::FormTerm;
using axsim::floating::Multiplier;
using axsim::floating::Problem;
using axsim::floating::Result;
using axsim::floating::Rules;
using axsim::floating::Underflow;
using axsim::floating::Weights;

using Floats = axsim::In<float>;
using Sums = axsim::InOut<double>;
using Bias = axsim::In<double>;
using Entries = nb::ndarray<const std::uint32_t, nb::shape<256, 256>, nb::c_contig, nb::device::cpu>;
using Terms = std::vector<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>>;

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
    const axsim::Matrices<float> matrices(a, b, a_index, b_index, out);
    const Result result{out.data(), nullptr, nullptr};
    const axsim::InterpreterReleased released;
    axsim::floating::compute(Problem{matrices.product(), multiplier, nullptr}, result, threads);
}

void conv2d(const Multiplier &multiplier, const Floats &x, const Floats &w, Sums out, Pair stride, Pair pad,
            Pair dilation, std::size_t groups, int threads) {
    const axsim::Convolution<float> convolution(x, w, out, stride, pad, dilation, groups);
    const Result result{out.data(), nullptr, nullptr};
    const axsim::InterpreterReleased released;
    convolution.unfolded(0.0F, [&](const auto &product) {
        axsim::floating::compute(Problem{product, multiplier, nullptr}, result, threads);
    });
}

// out = a @ w, or of the patches of x; out is float32, or float64 for sums that are not rounded.
template <class Run>
void into(const Weights &w, AnyOut &out, const std::optional<Bias> &bias, const Run &run) {
    require(!bias || bias->size() == w.right().channels(), "bias holds one number for each output channel");
    const double *const added = bias ? bias->data() : nullptr;
    axsim::with_type<float, double>(out, "out must be float32 or float64", [&](auto *data) {
        const axsim::InterpreterReleased released;
        if constexpr (sizeof(*data) == sizeof(float))
            run(Result{nullptr, data, added});
        else
            run(Result{data, nullptr, added});
    });
}

void weights_gemm(const Weights &w, const Floats &a, AnyOut out, const std::optional<Bias> &bias, int threads) {
    const axsim::RightShape &right = w.right();
    const std::size_t rows = axsim::rows_of(right, a, out), columns = right.rows;
    into(w, out, bias, [&](const Result &result) {
        const std::int64_t only = 0;
        const axsim::MatrixOperand<float> left(a.data(), &only, 0, right.depth, 1),
            weights(w.values(), &only, 0, right.row_stride, right.k_stride);
        const axsim::Axis down{rows, std::max<std::size_t>(rows, 1), 0, columns},
            across{columns, std::max<std::size_t>(columns, 1), 0, 1};
        axsim::floating::compute(
            Problem{{left, weights, down, across, 1, rows * columns, right.depth}, w.multiplier(), &w}, result,
            threads);
    });
}

void weights_conv2d(const Weights &w, const Floats &x, AnyOut out, const std::optional<Bias> &bias, Pair kernel,
                    Pair stride, Pair pad, Pair dilation, int threads) {
    const axsim::ConvShape shape = axsim::shape_of(w.right(), x, out, kernel, stride, pad, dilation);
    const axsim::Convolution<float> convolution(x.data(), w.values(), shape, w.right());
    into(w, out, bias, [&](const Result &result) {
        convolution.unfolded(0.0F, [&](const auto &product) {
            axsim::floating::compute(Problem{product, w.multiplier(), &w}, result, threads);
        });
    });
}

void multiply(const Multiplier &multiplier, const Floats &a, const Floats &b, axsim::InOut<float> out, int threads) {
    require(a.size() == out.size() && b.size() == out.size(), "a, b and out must have one size");
    const float *left = a.data(), *right = b.data();
    float *to = out.data();
    const std::size_t count = out.size();
    const axsim::InterpreterReleased released;
    axsim::floating::multiply(multiplier, left, right, count, to, threads);
}

}  // namespace

void add(nb::module_ &m) {
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
            [](Multiplier *self, const Rules &rules, const Entries &table) {
                new (self) Multiplier(rules, table.data());
            },
            nb::arg("rules"), nb::arg("table"));
    nb::class_<Weights>(m, "FloatWeights", "A right operand, split once as the kernels read it.")
        .def(
            "__init__",
            [](Weights *self, const Multiplier &multiplier, const Floats &w, std::size_t groups) {
                new (self) Weights(multiplier, {w.data(), w.data() + w.size()}, axsim::right_shape(w, groups));
            },
            nb::arg("multiplier"), nb::arg("w"), nb::arg("groups") = 1, nb::keep_alive<1, 2>())
        .def("gemm", &weights_gemm, nb::arg("a"), nb::arg("out").noconvert(), nb::arg("bias").none(),
             nb::arg("threads"), "out = a @ w + bias, rounded to float32 if out is float32.")
        .def("conv2d", &weights_conv2d, nb::arg("x"), nb::arg("out").noconvert(), nb::arg("bias").none(),
             nb::arg("kernel"), nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"), nb::arg("threads"),
             "The same of a 2-D cross-correlation.");
    m.def("float_gemm", &gemm, nb::arg("multiplier"), nb::arg("a"), nb::arg("b"), nb::arg("a_index"),
          nb::arg("b_index"), nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i] = a[a_index[i]] @ b[b_index[i]], sums not rounded.");
    m.def("float_conv2d", &conv2d, nb::arg("multiplier"), nb::arg("x"), nb::arg("w"), nb::arg("out").noconvert(),
          nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"), nb::arg("groups"), nb::arg("threads"),
          "2-D cross-correlation into out, sums not rounded.");
    m.def("float_multiply", &multiply, nb::arg("multiplier"), nb::arg("a"), nb::arg("b"), nb::arg("out").noconvert(),
          nb::arg("threads"), "out[i] = a[i] * b[i].");
}

}  // namespace axsim::bindings::floating

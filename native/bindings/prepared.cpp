// Python bindings of prepared weights.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <tuple>

#include "bindings/bindings.h"
#include "bindings/products.h"
#include "factored/weights.h"
#include "layers/layer.h"
#include "lookup/weights.h"
#include "quantise/quantise.h"

namespace axsim::bindings::prepared {
namespace {

using Doubles = In<double>;

constexpr const char *kOperands = "operands must be uint8 or int16";

RightMatrices right_matrices(const AnyIn &w, std::size_t groups) {
    RightMatrices right{right_shape(w, groups), {}, false};
    with_type<std::uint8_t, std::int16_t>(w, kOperands, [&](auto *data) {
        right.is_signed = sizeof(*data) == 2;
        right.indices.resize(w.size());
        for (std::size_t i = 0; i < w.size(); ++i) right.indices[i] = index_of(data[i]);
    });
    return right;
}

// Left operands as the weights take them.
LeftNumbers left_of(const Weights &w, const AnyIn &a) {
    LeftNumbers left{};
    with_type<std::uint8_t, std::int16_t>(a, kOperands, [&](auto *data) {
        if constexpr (sizeof(*data) == 1)
            left.bytes = data;
        else
            left.numbers = data;
    });
    require(w.takes_signed() == (left.numbers != nullptr),
            "left operands are int16 where the weights take signed ones, else bytes");
    return left;
}

Used gemm(const Weights &w, const AnyIn &a, AnyOut out, int threads) {
    const std::size_t rows = rows_of(w.right(), a, out);
    const LeftNumbers left = left_of(w, a);
    return into(out, [&](auto *to) { return w.multiply(left, rows, to, threads); });
}

Used conv2d(const Weights &w, const AnyIn &x, AnyOut out, Pair kernel, Pair stride, Pair pad, Pair dilation,
            int pad_value, int threads) {
    const ConvShape shape = shape_of(w.right(), x, out, kernel, stride, pad, dilation);
    const LeftNumbers left = left_of(w, x);
    return into(out, [&](auto *to) { return w.convolve(left, shape, pad_value, to, threads); });
}

std::vector<double> numbers(const Doubles &from, std::size_t size, const char *message) {
    require(from.ndim() == 1 && from.size() == size, message);
    return {from.data(), from.data() + size};
}

void make_layer(Layer *self, const Weights &w, bool bytes_are_signed, const Doubles &scale, const Doubles &zero,
                const std::optional<Doubles> &bias) {
    const std::size_t channels = w.right().channels();
    constexpr const char *message = "scale, zero and bias hold one number for each output channel";
    new (self) Layer(w, bytes_are_signed, numbers(scale, channels, message), numbers(zero, channels, message),
                     bias ? numbers(*bias, channels, message) : std::vector<double>{});
}

Quantisation quantisation(const Layer &layer, double scale, int zero, int low, int high) {
    const int least = layer.weights().takes_signed() ? -255 : low < 0 ? -128 : 0;
    require(least <= low && low <= 0 && 0 < high && high <= (least == -128 ? 127 : 255), "no range of these operands");
    require(scale > 0 && low <= zero && zero <= high, "scale must be positive, and zero in the range");
    return {scale, static_cast<double>(zero), low, high};
}

bool multiply(const Layer &layer, const In<float> &x, double scale, int zero, int low, int high, InOut<float> out,
              int threads) {
    const std::size_t rows = rows_of(layer.weights().right(), x, out);
    const Quantisation by = quantisation(layer, scale, zero, low, high);
    const InterpreterReleased released;
    return layer.multiply(x.data(), rows, by, out.data(), threads);
}

bool convolve(const Layer &layer, const In<float> &x, double scale, int zero, int low, int high, InOut<float> out,
              Pair kernel, Pair stride, Pair pad, Pair dilation, int threads) {
    const ConvShape shape = shape_of(layer.weights().right(), x, out, kernel, stride, pad, dilation);
    const Quantisation by = quantisation(layer, scale, zero, low, high);
    const InterpreterReleased released;
    return layer.convolve(x.data(), shape, by, out.data(), threads);
}

// None where a number is not finite.
std::optional<std::tuple<double, int>> range_params(const In<float> &x, bool centred, int low, int high, int threads) {
    require(high > 0 && low <= 0, "low and high enclose 0");
    Extremes<float> ends{0, 0, true};
    if (x.size() > 0) {
        const InterpreterReleased released;
        ends = extremes(x.data(), x.size(), threads);
    }
    if (!ends.finite) return std::nullopt;
    const Quantisation by = quantisation_of(ends.low, ends.high, centred, low, high);
    return std::tuple{by.scale, static_cast<int>(by.zero)};
}

}  // namespace

void add(nb::module_ &m) {
    nb::class_<Weights>(m, "Weights", "A right operand, prepared once for the kernels of one engine.")
        .def("gemm", &gemm, nb::arg("a"), nb::arg("out").noconvert(), nb::arg("threads"),
             "out = a @ w; returns (tiles, workers) used.")
        .def("conv2d", &conv2d, nb::arg("x"), nb::arg("out").noconvert(), nb::arg("kernel"), nb::arg("stride"),
             nb::arg("pad"), nb::arg("dilation"), nb::arg("pad_value"), nb::arg("threads"),
             "2-D cross-correlation into out; returns (tiles, workers) used.");
    nb::class_<LookupWeights, Weights>(m, "LookupWeights", "Packed for the kernels that look products up.")
        .def(
            "__init__",
            [](LookupWeights *self, const Table &table, const AnyIn &w, std::size_t groups) {
                new (self) LookupWeights(table, right_matrices(w, groups));
            },
            nb::arg("table"), nb::arg("w"), nb::arg("groups") = 1, nb::keep_alive<1, 2>());
    nb::class_<FactoredWeights, Weights>(m, "FactoredWeights", "Expanded for the kernels of exact products.")
        .def(
            "__init__",
            [](FactoredWeights *self, const GemmFactors &factors, const AnyIn &w, std::size_t groups) {
                new (self) FactoredWeights(factors, right_matrices(w, groups));
            },
            nb::arg("factors"), nb::arg("w"), nb::arg("groups") = 1, nb::keep_alive<1, 2>());
    nb::class_<Layer>(m, "Layer", "Prepared weights with what their integers stand for.")
        .def("__init__", &make_layer, nb::arg("weights"), nb::arg("bytes_are_signed"), nb::arg("scale"),
             nb::arg("zero"), nb::arg("bias").none(), nb::keep_alive<1, 2>())
        .def("gemm", &multiply, nb::arg("x"), nb::arg("scale"), nb::arg("zero"), nb::arg("low"), nb::arg("high"),
             nb::arg("out").noconvert(), nb::arg("threads"),
             "out = x @ w in real numbers; False, and out means nothing, if a number is not finite.")
        .def("conv2d", &convolve, nb::arg("x"), nb::arg("scale"), nb::arg("zero"), nb::arg("low"), nb::arg("high"),
             nb::arg("out").noconvert(), nb::arg("kernel"), nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"),
             nb::arg("threads"), "The same of a 2-D cross-correlation.");
    m.def("range_params", &range_params, nb::arg("x"), nb::arg("centred"), nb::arg("low"), nb::arg("high"),
          nb::arg("threads"), "(scale, zero point) for the numbers of x; None if one is not finite.");
}

}  // namespace axsim::bindings::prepared

// Python bindings of quantisation: real numbers to bytes, and sums back to real numbers.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <tuple>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "quantise/quantise.h"

namespace axsim::bindings::quantise {
namespace {

using axsim::Pair;
using axsim::require;
using axsim::with_type;
using Bytes = axsim::In<std::uint8_t>;
using Array = axsim::AnyIn;
using Out = axsim::AnyOut;
using Doubles = axsim::In<double>;
using Sums = axsim::InOut<double>;

constexpr const char *kReal = "real numbers must be float32 or float64", *kWhole = "sums must be int32 or int64";

// The smallest and the greatest, and whether all are finite.
std::tuple<double, double, bool> extremes(const Array &x, int threads) {
    const std::size_t count = x.size();
    require(count > 0, "x is empty");
    return with_type<float, double>(x, kReal, [&](auto *data) {
        const axsim::InterpreterReleased released;
        const auto found = axsim::extremes(data, count, threads);
        return std::tuple<double, double, bool>(found.low, found.high, found.finite);
    });
}

bool quantise(const Array &x, const Doubles &scale, const Doubles &zero, int low, int high,
              axsim::InOut<std::uint8_t> out, int threads) {
    require(x.ndim() == 3 && out.size() == x.size(), "x must have three axes, and out its size");
    require(scale.size() == x.shape(1) && zero.size() == x.shape(1), "one scale and zero point for each channel");
    const axsim::Channels by{scale.data(), zero.data(), x.shape(1)};
    const std::size_t outer = x.shape(0), inner = x.shape(2);
    std::uint8_t *to = out.data();
    return with_type<float, double>(x, kReal, [&](auto *data) {
        const axsim::InterpreterReleased released;
        return axsim::quantise(data, outer, by, inner, low, high, to, threads);
    });
}

void sum_bytes(const Bytes &q, bool is_signed, Sums out, int threads) {
    require(q.ndim() == 3 && out.ndim() == 2, "q must have three axes, and out two");
    const std::size_t outer = q.shape(0), count = q.shape(1), inner = q.shape(2);
    require(out.shape(0) == outer && out.shape(1) == inner, "out does not fit q");
    const std::uint8_t *from = q.data();
    double *to = out.data();
    const axsim::InterpreterReleased released;
    axsim::sum_bytes(from, is_signed, outer, count, inner, to, threads);
}

void sum_windows(const Bytes &x, bool is_signed, Pair kernel, Pair stride, Pair pad, Pair dilation,
                 std::uint8_t pad_byte, Sums out, int threads) {
    require(x.ndim() == 4 && out.ndim() == 4, "x and out must have four axes");
    const std::size_t groups = out.shape(1);
    require(out.shape(0) == x.shape(0) && groups > 0 && x.shape(1) % groups == 0, "out does not fit x");
    const axsim::ConvShape shape{x.shape(0), x.shape(1), x.shape(2),   x.shape(3),   x.shape(1) / groups,
                                 kernel[0],  kernel[1],  out.shape(2), out.shape(3), stride[0],
                                 stride[1],  pad[0],     pad[1],       dilation[0],  dilation[1]};
    const std::uint8_t *from = x.data();
    double *to = out.data();
    const axsim::InterpreterReleased released;
    axsim::sum_windows(from, is_signed, shape, groups, pad_byte, to, threads);
}

// Calls run with the data of sums and out as the types that they have.
template <class Run>
void with_types(const Array &sums, Out &out, const Run &run) {
    require(out.size() == sums.size(), "out does not fit sums");
    with_type<std::int32_t, std::int64_t>(sums, kWhole, [&](auto *from) {
        with_type<float, double>(out, kReal, [&](auto *to) {
            const axsim::InterpreterReleased released;
            run(from, to);
        });
    });
}

void scale_planes(const Array &sums, const Doubles &left, double left_scale, const Doubles &right_scale,
                  const Doubles &zero, const Doubles &extra, const std::optional<Doubles> &bias, Out out, int threads) {
    require(sums.ndim() == 3 && left.ndim() == 3, "sums and left must have three axes");
    const std::size_t images = sums.shape(0), channels = sums.shape(1), pixels = sums.shape(2), groups = left.shape(1);
    require(left.shape(0) == images && left.shape(2) == pixels && groups > 0 && channels % groups == 0,
            "left does not fit sums");
    require(extra.size() == channels && right_scale.size() == channels && zero.size() == channels &&
                (!bias || bias->size() == channels),
            "one number for each channel");
    const axsim::Epilogue epilogue{left_scale, right_scale.data(), zero.data(), extra.data(),
                                   bias ? bias->data() : nullptr};
    const double *lefts = left.data();
    with_types(sums, out, [&](auto *from, auto *to) {
        axsim::scale_planes(from, lefts, epilogue, images, groups, channels, pixels, to, threads);
    });
}

void scale_rows(const Array &sums, const Doubles &left, double left_scale, const Doubles &right_scale,
                const Doubles &zero, const Doubles &extra, Out out, int threads) {
    require(sums.ndim() == 3 && left.ndim() == 2 && extra.ndim() == 2, "sums must have three axes, left and extra two");
    const std::size_t matrices = sums.shape(0), rows = sums.shape(1), channels = sums.shape(2);
    require(left.shape(0) == matrices && left.shape(1) == rows, "left does not fit sums");
    require(extra.shape(0) == matrices && extra.shape(1) == channels, "extra does not fit sums");
    require(right_scale.size() == channels && zero.size() == channels, "one number for each channel");
    const axsim::Epilogue epilogue{left_scale, right_scale.data(), zero.data(), extra.data(), nullptr};
    const double *lefts = left.data();
    with_types(sums, out, [&](auto *from, auto *to) {
        axsim::scale_rows(from, lefts, epilogue, matrices, rows, channels, to, threads);
    });
}

}  // namespace

void add(nb::module_ &m) {
    m.def("extremes", &extremes, nb::arg("x"), nb::arg("threads"),
          "The least and the greatest number, and whether all are finite (if not, the others mean nothing).");
    m.def("quantise", &quantise, nb::arg("x"), nb::arg("scale"), nb::arg("zero"), nb::arg("low"), nb::arg("high"),
          nb::arg("out").noconvert(), nb::arg("threads"),
          "x (outer, channels, inner) as bytes; False, and out means nothing, if a number is not finite.");
    m.def("sum_bytes", &sum_bytes, nb::arg("q"), nb::arg("is_signed"), nb::arg("out").noconvert(), nb::arg("threads"),
          "Sums over the middle one of three axes.");
    m.def("sum_windows", &sum_windows, nb::arg("x"), nb::arg("is_signed"), nb::arg("kernel"), nb::arg("stride"),
          nb::arg("pad"), nb::arg("dilation"), nb::arg("pad_byte"), nb::arg("out").noconvert(), nb::arg("threads"),
          "The sum of each window's operands, for each group.");
    m.def("scale_planes", &scale_planes, nb::arg("sums"), nb::arg("left"), nb::arg("left_scale"),
          nb::arg("right_scale"), nb::arg("zero"), nb::arg("extra"), nb::arg("bias").none(), nb::arg("out").noconvert(),
          nb::arg("threads"), "A convolution's sums as real numbers.");
    m.def("scale_rows", &scale_rows, nb::arg("sums"), nb::arg("left"), nb::arg("left_scale"), nb::arg("right_scale"),
          nb::arg("zero"), nb::arg("extra"), nb::arg("out").noconvert(), nb::arg("threads"),
          "A matrix product's sums as real numbers.");
}

}  // namespace axsim::bindings::quantise

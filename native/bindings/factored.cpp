// Python bindings of the integer matrix product: sums of table entries from a table's factors.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "bindings/bindings.h"
#include "bindings/products.h"
#include "factored/kernels.h"
#include "factored/sums.h"

namespace axsim::bindings::factored {
namespace {

using axsim::AnyOut;
using axsim::GemmFactors;
using axsim::GemmPart;
using axsim::Indices;
using axsim::kIndices;
using axsim::Pair;
using axsim::require;
using axsim::Used;
using Bytes = axsim::In<std::uint8_t>;

using Components = nb::ndarray<const std::int16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Sums = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// One number for each byte, or for each index of operands with a sign.
void require_indices_of_operands(std::size_t count) {
    require(count == 256 || count == kIndices, "components have 256 numbers, or 512 for operands with a sign");
}

GemmPart make_part(const Components &left, const Components &right, unsigned shift, std::size_t depth, bool bytes) {
    require(left.shape(0) == right.shape(0) && left.shape(0) > 0, "left and right must have the same terms");
    require_indices_of_operands(left.shape(1));
    require_indices_of_operands(right.shape(1));
    require(shift < 32, "shift must be less than 32");
    require(depth >= (bytes ? 2 : 1), "depth must be positive, and 2 for bytes");
    GemmPart part{bytes, shift, depth, {}, {}};
    for (std::size_t term = 0; term < left.shape(0); ++term) {
        part.left.emplace_back(left.data() + term * left.shape(1), left.shape(1), bytes, true);
        part.right.emplace_back(right.data() + term * right.shape(1), right.shape(1), bytes, false);
    }
    return part;
}

std::vector<std::int64_t> unless_zero(const Sums &sums) {
    const std::int64_t *const first = sums.data(), *const last = first + sums.size();
    return std::all_of(first, last, [](std::int64_t sum) { return sum == 0; }) ? std::vector<std::int64_t>{}
                                                                               : std::vector<std::int64_t>(first, last);
}

void require_bytes(const GemmFactors &factors) {
    require(!factors.left_signed && !factors.right_signed, "factors of signed operands take FactoredWeights");
}

Used gemm(const GemmFactors &factors, const Bytes &a, const Bytes &b, const Indices &a_index, const Indices &b_index,
          AnyOut out, int threads) {
    require_bytes(factors);
    const axsim::Matrices<std::uint8_t> matrices(a, b, a_index, b_index, out);
    return axsim::into(out, [&](auto *data) { return axsim::multiply(matrices.product(), factors, data, threads); });
}

Used conv2d(const GemmFactors &factors, const Bytes &x, const Bytes &w, AnyOut out, Pair stride, Pair pad,
            Pair dilation, std::size_t groups, std::uint8_t pad_byte, int threads) {
    require_bytes(factors);
    const axsim::Convolution<std::uint8_t> convolution(x, w, out, stride, pad, dilation, groups);
    return convolution.unfolded(pad_byte, [&](const auto &product) {
        return axsim::into(out, [&](auto *data) { return axsim::multiply(product, factors, data, threads); });
    });
}

}  // namespace

void add(nb::module_ &m) {
    nb::class_<GemmPart>(m, "FactorsPart", "Terms whose exact products are added up together.")
        .def(
            "__init__",
            [](GemmPart *self, const Components &left, const Components &right, unsigned shift, std::size_t depth,
               bool bytes) { new (self) GemmPart(make_part(left, right, shift, depth, bytes)); },
            nb::arg("left"), nb::arg("right"), nb::arg("shift"), nb::arg("depth"), nb::arg("bytes"));
    nb::class_<GemmFactors>(m, "Factors", "A folded product table's factors, laid out for the kernels.")
        .def(
            "__init__",
            [](GemmFactors *self, const std::vector<const GemmPart *> &parts, const Sums &left_sums,
               const Sums &right_sums, std::int32_t byte_sums, std::int64_t largest) {
                require_indices_of_operands(left_sums.size());
                require_indices_of_operands(right_sums.size());
                GemmFactors factors{byte_sums, unless_zero(left_sums),       unless_zero(right_sums),
                                    {},        left_sums.size() == kIndices, right_sums.size() == kIndices,
                                    largest};
                for (const GemmPart *part : parts) factors.parts.push_back(*part);
                new (self) GemmFactors(std::move(factors));
            },
            nb::arg("parts"), nb::arg("left_sums"), nb::arg("right_sums"), nb::arg("byte_sums"), nb::arg("largest"));
    m.def("factored_gemm", &gemm, nb::arg("factors"), nb::arg("a"), nb::arg("b"), nb::arg("a_index"),
          nb::arg("b_index"), nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i] = a[a_index[i]] @ b[b_index[i]] from the factors; returns (tiles, workers) used.");
    m.def("factored_conv2d", &conv2d, nb::arg("factors"), nb::arg("x"), nb::arg("w"), nb::arg("out").noconvert(),
          nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"), nb::arg("groups"), nb::arg("pad_byte"),
          nb::arg("threads"), "2-D cross-correlation from the factors into out; returns (tiles, workers) used.");
    m.def(
        "byte_sums", [] { return axsim::gemm_kernels().byte_sums; },
        "The largest magnitude that sums of byte products may reach; 0: products are of 16-bit words only.");
    m.def("gemm_isa", [] { return axsim::gemm_kernels().name; }, "The instruction set that multiplies matrices.");
}

}  // namespace axsim::bindings::factored

// Python bindings of the look-up kernels: sums of table entries of operand bytes through a folded table.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "bindings/bindings.h"
#include "bindings/products.h"
#include "common/arithmetic.h"
#include "common/isa.h"
#include "lookup/depthwise.h"
#include "lookup/kernels.h"
#include "lookup/sums.h"
#include "lookup/table.h"
#include "threads/parallel.h"
#include "threads/team.h"

namespace axsim::bindings::lookup {
namespace {

using axsim::AnyOut;
using axsim::Indices;
using axsim::Pair;
using axsim::require;
using axsim::Table;
using axsim::Used;
using Bytes = axsim::In<std::uint8_t>;

using Entries = nb::ndarray<const std::int32_t, nb::shape<256, 256>, nb::c_contig, nb::device::cpu>;

void require_bytes(const Table &table) {
    require(!table.is_signed(true) && !table.is_signed(false), "a table of signed operands takes LookupWeights");
}

Used gemm(const Table &table, const Bytes &a, const Bytes &b, const Indices &a_index, const Indices &b_index,
          AnyOut out, int threads) {
    require_bytes(table);
    const axsim::Matrices<std::uint8_t> matrices(a, b, a_index, b_index, out);
    return axsim::into(out, [&](auto *data) { return axsim::compute(matrices.product(), table, data, threads); });
}

Used conv2d(const Table &table, const Bytes &x, const Bytes &w, AnyOut out, Pair stride, Pair pad, Pair dilation,
            std::size_t groups, std::uint8_t pad_byte, int threads) {
    require_bytes(table);
    const axsim::Convolution<std::uint8_t> convolution(x, w, out, stride, pad, dilation, groups);
    axsim::kernels();  // whichever kernel runs, a wrong AXSIM_ISA is an error
    if (axsim::fits_depthwise(table, convolution.shape, convolution.filters)) {
        const std::vector<std::uint16_t> columns(w.data(), w.data() + w.size());
        return axsim::into(out, [&](auto *data) {
            return axsim::compute_depthwise(table, convolution.shape, x.data(), columns.data(), convolution.filters,
                                            pad_byte, data, threads);
        });
    }
    return convolution.unfolded(pad_byte, [&](const auto &product) {
        return axsim::into(out, [&](auto *data) { return axsim::compute(product, table, data, threads); });
    });
}

// out[i] = values[a[i], b[i]]
void lookup(const Entries &values, const Bytes &a, const Bytes &b, axsim::InOut<std::int32_t> out, int threads) {
    constexpr std::size_t kBlock = 1U << 16;
    require(a.size() == out.size() && b.size() == out.size(), "a, b and out must have one size");
    const std::int32_t *table = values.data();
    const std::uint8_t *left = a.data(), *right = b.data();
    std::int32_t *to = out.data();
    const std::size_t size = out.size(), blocks = axsim::ceil_div(size, kBlock);
    const axsim::InterpreterReleased released;
    const int workers = static_cast<int>(
        std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), 1 + size / (8 * kBlock)));
    axsim::parallel_for(blocks, workers, [&](const axsim::Next &next) {
        for (std::size_t block; next(block);)
            for (std::size_t i = block * kBlock, end = std::min(size, i + kBlock); i < end; ++i)
                to[i] = table[left[i] * axsim::kSide + right[i]];
    });
}

}  // namespace

void add(nb::module_ &m) {
    nb::class_<Table>(m, "Table", "A folded product table, laid out for the kernels.")
        .def(
            "__init__",
            [](Table *self, const Entries &values, bool left_signed, bool right_signed) {
                new (self) Table(values.data(), left_signed, right_signed);
            },
            nb::arg("values"), nb::arg("left_signed") = false, nb::arg("right_signed") = false);
    m.def("gemm", &gemm, nb::arg("table"), nb::arg("a"), nb::arg("b"), nb::arg("a_index"), nb::arg("b_index"),
          nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i] = a[a_index[i]] @ b[b_index[i]] through the table; returns (tiles, workers) used.");
    m.def("conv2d", &conv2d, nb::arg("table"), nb::arg("x"), nb::arg("w"), nb::arg("out").noconvert(),
          nb::arg("stride"), nb::arg("pad"), nb::arg("dilation"), nb::arg("groups"), nb::arg("pad_byte"),
          nb::arg("threads"), "2-D cross-correlation through the table into out; returns (tiles, workers) used.");
    m.def("lookup", &lookup, nb::arg("values"), nb::arg("a"), nb::arg("b"), nb::arg("out").noconvert(),
          nb::arg("threads"), "out[i] = values[a[i], b[i]].");
    m.def("isa", [] { return axsim::kernels().name; }, "The instruction set whose kernels run.");
    m.def("runnable_isas", &axsim::runnable_isas, "The instruction sets that this processor runs, best first.");
    m.def("helps", &axsim::helps, "How often helper threads have begun to work in this process.");
    m.def("helpers", &axsim::helpers_source, "Whose threads help: \"own\", or \"OpenMP\" where a runtime is loaded.");
}

}  // namespace axsim::bindings::lookup

// Python bindings of sums of table entries times floats.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.h"
#include "bindings/bindings.h"
#include "weighted/sums.h"

namespace axsim::bindings::weighted {
namespace {

using axsim::In;
using axsim::Indices;
using axsim::require;
using axsim::weighted::Problem;
using Floats = In<float>;
using Operands = In<std::uint16_t>;

std::int64_t least(const Indices &x) { return *std::min_element(x.data(), x.data() + x.size()); }
std::int64_t most(const Indices &x) { return *std::max_element(x.data(), x.data() + x.size()); }

void require_below(const Operands &operands, std::size_t limit) {
    std::uint16_t largest = 0;  // a maximum vectorises
    for (const std::uint16_t *at = operands.data(), *end = at + operands.size(); at != end; ++at)
        largest = std::max(largest, *at);
    require(operands.size() == 0 || largest < limit, "an operand is beyond the table");
}

Problem problem(const Floats &table, const Floats &g, const Operands &a, const Indices &origins, const Indices &rows,
                const Indices &terms, const Operands &b, const std::optional<Floats> &zero, std::size_t together,
                std::size_t joint) {
    require(table.ndim() == 2 && g.ndim() == 3 && b.ndim() == 3, "table has two axes, g and b have three");
    require(together > 0 && joint > 0, "groups must not be empty");
    const Problem made{table.data(),
                       table.shape(0),
                       table.shape(1),
                       {a.data(), origins.data(), rows.data(), terms.data(), together, joint},
                       b.data(),
                       g.data(),
                       zero ? zero->data() : nullptr,
                       b.shape(0),
                       g.shape(1),
                       b.shape(1),
                       b.shape(2)};
    require(g.shape(0) == made.batch && g.shape(2) == made.width(), "g does not fit b");
    require(origins.size() == made.batch && rows.size() == made.rows && terms.size() == made.terms,
            "offsets do not fit g and b");
    require(!zero || zero->size() == made.batch * made.columns, "zero does not fit b");
    require_below(a, made.values);
    require_below(b, made.right_values);
    if (made.batch > 0 && made.rows > 0 && made.terms > 0) {
        require(least(origins) + least(rows) + least(terms) >= 0 &&
                    most(origins) + most(rows) + most(terms) < static_cast<std::int64_t>(a.size()),
                "an offset is beyond a");
    }
    return made;
}

void left(const Floats &table, const Floats &g, const Operands &a, const Indices &origins, const Indices &rows,
          const Indices &terms, const Operands &b, const std::optional<Floats> &zero, std::size_t together,
          std::size_t joint, axsim::InOut<float> out, int threads) {
    require(out.size() == a.size(), "out does not fit a");
    const Problem made = problem(table, g, a, origins, rows, terms, b, zero, together, joint);
    float *to = out.data();
    const axsim::InterpreterReleased released;
    axsim::weighted::sum_left(made, to, threads);
}

void right(const Floats &table, const Floats &g, const Operands &a, const Indices &origins, const Indices &rows,
           const Indices &terms, const Operands &b, axsim::InOut<float> out, int threads) {
    require(out.size() == b.size(), "out does not fit b");
    const Problem made = problem(table, g, a, origins, rows, terms, b, std::nullopt, 1, 1);
    float *to = out.data();
    const axsim::InterpreterReleased released;
    axsim::weighted::sum_right(made, to, threads);
}

}  // namespace

void add(nb::module_ &m) {
    m.def("weighted_left", &left, nb::arg("table"), nb::arg("g"), nb::arg("a"), nb::arg("origins"), nb::arg("rows"),
          nb::arg("terms"), nb::arg("b"), nb::arg("zero").none(), nb::arg("together"), nb::arg("joint"),
          nb::arg("out").noconvert(), nb::arg("threads"),
          "out[o + r + t] += sum over n of g[i, r, n] * (table[a[o + r + t], b[i, t, n]] - zero[i, n]).");
    m.def("weighted_right", &right, nb::arg("table"), nb::arg("g"), nb::arg("a"), nb::arg("origins"), nb::arg("rows"),
          nb::arg("terms"), nb::arg("b"), nb::arg("out").noconvert(), nb::arg("threads"),
          "out[i, t, n] = sum over r of g[i, r, n] * table[a[o + r + t], b[i, t, n]].");
}

}  // namespace axsim::bindings::weighted

// Sums of table entries times floats: gradients of products whose derivatives are tables.
//
// Rows m and terms k have an operand of the left side each, terms and columns n one of the right side; every column of
// a row has a weight g, and table D an entry for each pair of operands:
//
//     left:   out(m, k) = sum over n of g[m, n] * (D[a(m, k), b[k, n]] - zero[n])
//     right:  out[k, n] = sum over m of g[m, n] * D[a(m, k), b[k, n]]
//
// What makes them fast: for one k, a line of D[a, b[k, n]] over n is gathered once for each value a that occurs, and
// then it is a vector for all rows that have this value.
#pragma once
#include <cstddef>
#include <cstdint>

namespace axsim::weighted {

// The left operands: a(m, k) of a batch is at origins[batch] + rows[m] + terms[k]. So they are a matrix, or an image
// whose pixels belong to several rows. Terms of one group of `together` may meet the same operands, of two groups they
// do not; and so it is with rows in groups of `joint`.
struct Left {
    const std::uint16_t *operands;
    const std::int64_t *origins, *rows, *terms;
    std::size_t together, joint;
};

// Everything is in C order. Operands are indices into the table, and inside it.
struct Problem {
    const float *table;  // [values][right_values]
    std::size_t values, right_values;
    Left left;
    const std::uint16_t *right;  // [batch][terms][columns]
    const float *g;              // [batch][rows][width]
    const float *zero;           // [batch][columns], or nullptr
    std::size_t batch, rows, terms, columns;

    // Weights are padded with zeros to whole vectors, but for a single column.
    std::size_t width() const;
};

// Adds to out, which lies as the left operands do.
void sum_left(const Problem &problem, float *out, int threads);

// out: [batch][terms][columns]. Sums of kBlock rows are added up in float64.
void sum_right(const Problem &problem, float *out, int threads);

}  // namespace axsim::weighted

// What the kernels of floating-point multipliers know, and which of them this processor gets.
//
// An operand x with significand A of m + 1 bits (leading 1 in place) and weight w = +-2**e is |x| = A / 2**m * |w|.
// Kernels work in float64, where all that follows is exact: a significand product has at most 53 bits.
#pragma once
#include <cstddef>
#include <cstdint>

namespace axsim::floating {

enum class Underflow { gradual, flush, fraction };

struct Rules {
    int fraction_bits;   // m
    bool published;      // the product's top bit counts as bit 2m + 1 wherever it is (then products are cut off)
    bool truncate;       // else round to nearest even
    bool positive_zero;  // a zero operand makes +0 instead of a signed zero
    Underflow underflow;
    double zero_below;  // operands of smaller magnitude are zeros; at least the smallest subnormal number
    double smallest_normal, largest;
    // A product of operands of weights w and v lies between low * |w v| and high * |w v| before rounding, and
    // high is a power of two.
    double low, high;
};

// How operands of one side become streams of doubles: for each term of a masked form
//     (significand & mask) / 2**m * weight [* w], or 0 for zeros, and anything for infinities and NaN
// and last the weight w itself: 0 with the sign of a zero, an infinity or NaN for infinities and NaN.
constexpr int kMaxTerms = 3;

struct Term {
    std::uint64_t mask;
    double weight;
};

struct Side {
    int terms;
    Term term[kMaxTerms];
    bool with_exponent;   // whether terms are multiplied by w
    double weight_scale;  // w is multiplied by this
};

// The smallest and largest |w| of some operands, zeros apart. Infinities and NaN count as infinite.
struct Range {
    double low = 0x1p1000, high = 0;

    void include(const Range &other) {
        if (other.low < low) low = other.low;
        if (other.high > high) high = other.high;
    }
};

// Whether no product of such operands can leave the range of normal numbers. An infinite w says no.
inline bool always_normal(const Rules &rules, const Range &a, const Range &b) {
    return a.low * b.low * rules.low >= rules.smallest_normal && a.high * b.high * rules.high < rules.largest;
}

// The ways in which products of masked forms are made.
enum class Kind {
    published,  // published rule, products known to be normal
    truncated,  // leading-one rule, products known to be normal
    nearest,    // the same, rounded to nearest even
    checked,    // either rule, any products
};
constexpr int kKinds = 4;

// A block of products: `rows` operands of one side times `columns` of the other over `depth` terms.
//     rows:    [depth][terms + 1][rows]      columns: [depth][terms + 1][columns]
//     sums:    [rows][columns], added to in ascending order of depth
using Tile = void (*)(const Rules &rules, const double *row_streams, const double *column_streams, std::size_t depth,
                      double *sums);

// Streams of x, [depth][width], `stride` numbers from one depth to the next: out is [depth][terms + 1][width]. Widens
// range.
using Split = void (*)(const Side &side, const Rules &rules, const float *x, std::size_t stride, std::size_t depth,
                       double *out, Range &range);

// sums[i] += rounded(P_i * weights[i] * weight), P_i = sum over s of entries[segments[s * stride + i]] * 256**s
using Gather = void (*)(const Rules &rules, const double *entries, const std::uint8_t *segments, std::size_t stride,
                        const double *weights, double weight, std::size_t count, double *sums);

constexpr int kRows = 4;       // rows of a tall tile
constexpr int kSegments = 3;   // segments of a significand, at most
constexpr int kEntries = 256;  // values of a segment

// The kernels of one instruction set.
struct Kernels {
    std::size_t columns;                         // columns of a tile
    Tile tall[kKinds][kMaxTerms];                // kRows rows; by kind and number of terms - 1
    Tile flat[kKinds][kMaxTerms];                // one row
    Split split_columns, split_rows, split_row;  // width: columns, kRows, 1
    // By number of segments - 1. With one segment, entries are normalised products already where `fast`.
    Gather fast[kSegments], checked[kSegments];
    // entries[v] = sum over s < segments of table[segment[s] * kEntries + v] * 256**s, for all v
    void (*combine)(const std::int32_t *table, const std::uint8_t *segment, int segments, double *entries);
    // Products of two panels of streams, [depth][terms + 1][columns]; by number of terms - 1.
    void (*multiply_terms[kMaxTerms])(const Rules &rules, const double *a, const double *b, std::size_t depth,
                                      float *out);
    // out[i] = the product of exact magnitude |v[i]| (by the published rule, of significand v[i]) whose weights'
    // product is w[i]
    void (*finish)(const Rules &rules, const double *v, const double *w, std::size_t count, float *out);
    // Rounds x to the format, to nearest even.
    void (*round_operands)(const Rules &rules, float *x, std::size_t count);
};

// One function per instruction-set file; see common/dispatch.h.
const Kernels *portable_kernels();
const Kernels *avx2_kernels();
const Kernels *avx512_kernels();

// Those of axsim::isa(), which throws where the environment names none that runs.
const Kernels &kernels();

}  // namespace axsim::floating

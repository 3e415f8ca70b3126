// The kernels of floating-point multipliers, written once for vectors of L doubles. Included by one file for each
// instruction set, and by no other: everything is in an unnamed namespace, so that the linker never takes code
// of one instruction set for another. For the same reason nothing here calls the standard library.
//
// Products of significands, powers of two and roundings are exact in double, so it does not matter whether
// the compiler fuses a product with the sum that takes it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "common/attributes.h"
#include "floating/kernels.h"

namespace axsim::floating {
namespace {

constexpr std::uint64_t kSign = 0x8000000000000000U;
constexpr std::uint64_t kExponent = 0x7FF0000000000000U;
constexpr std::uint64_t kFraction = 0x000FFFFFFFFFFFFFU;
constexpr std::uint64_t kOne = 0x3FF0000000000000U;  // 1.0
constexpr int kFractionBits = 52;
constexpr double kSpecial = 0x1p900;  // weights from here on are infinite

// Vectors of L elements. Written out for each L, as GCC does not take a vector size that is a template parameter for
// a vector everywhere.
template <int L>
struct Types;
#define AXSIM_TYPES(L)                                                 \
    template <>                                                        \
    struct Types<L> {                                                  \
        typedef double Double __attribute__((vector_size(8 * L)));     \
        typedef std::int64_t Bits __attribute__((vector_size(8 * L))); \
        typedef float Float __attribute__((vector_size(4 * L)));       \
        typedef std::int32_t Int __attribute__((vector_size(4 * L)));  \
    }
AXSIM_TYPES(1);
AXSIM_TYPES(2);
AXSIM_TYPES(4);
AXSIM_TYPES(8);
#undef AXSIM_TYPES

template <int L>
struct Vector {
    using Double = typename Types<L>::Double;
    using Bits = typename Types<L>::Bits;
    using Float = typename Types<L>::Float;
    using Int = typename Types<L>::Int;

    template <class V, class T>
    static AXSIM_INLINE V load(const T *from) {
        V v;
        __builtin_memcpy(&v, from, sizeof v);
        return v;
    }
    template <class V, class T>
    static AXSIM_INLINE void store(T *to, V v) {
        __builtin_memcpy(to, &v, sizeof v);
    }
    static AXSIM_INLINE Double splat(double x) {
        Double v;
        for (int i = 0; i < L; ++i) v[i] = x;
        return v;
    }
    static AXSIM_INLINE Bits splat_bits(std::uint64_t x) {
        Bits v;
        for (int i = 0; i < L; ++i) v[i] = static_cast<std::int64_t>(x);
        return v;
    }
    static AXSIM_INLINE Double keep(Double v, Bits mask) {
        return reinterpret_cast<Double>(reinterpret_cast<Bits>(v) & mask);
    }
    static AXSIM_INLINE Double join(Double v, Double w) {
        return reinterpret_cast<Double>(reinterpret_cast<Bits>(v) | reinterpret_cast<Bits>(w));
    }
    static AXSIM_INLINE Double choose(Bits condition, Double yes, Double no) {
        const Bits y = reinterpret_cast<Bits>(yes), n = reinterpret_cast<Bits>(no);
        return reinterpret_cast<Double>((condition & y) | (~condition & n));
    }
    static AXSIM_INLINE Double magnitude(Double v) { return keep(v, splat_bits(~kSign)); }
};

inline std::uint64_t bits_of(double x) {
    std::uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

// 2**e, for normal e.
inline double power_of_two(int e) {
    const std::uint64_t bits = static_cast<std::uint64_t>(e + 1023) << kFractionBits;
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

// The part of a double's fraction that a significand of m + 1 bits has.
inline std::uint64_t kept_fraction(int m) { return kFraction & ~(kFraction >> m); }

// --- How one product is made and added to a sum. ---------------------------------------------------------------
// a: scalars of one row's streams, `stride` apart; b: vectors of the columns' streams. kStreams of b are read.

template <int L, int T, int Stride>
struct Form {
    using V = Vector<L>;
    using D = typename V::Double;

    static AXSIM_INLINE D sum(const double *a, const D *b) {
        D total = a[(T - 1) * Stride] * b[T - 1];
        for (int t = T - 2; t >= 0; --t) total = a[t * Stride] * b[t] + total;
        return total;
    }
};

// The fraction field of the product between the weight's sign and exponent: whatever the product's top bit is,
// it is worth the weight.
template <int L, int T, int Stride>
struct Published {
    static constexpr int kStreams = T + 1;
    using V = Vector<L>;
    using D = typename V::Double;
    typename V::Bits fraction;

    explicit AXSIM_INLINE Published(const Rules &rules) : fraction(V::splat_bits(kept_fraction(rules.fraction_bits))) {}
    AXSIM_INLINE D add(D acc, const double *a, const D *b) const {
        const D significand = V::join(V::keep(Form<L, T, Stride>::sum(a, b), fraction), b[T]);
        return significand * a[T * Stride] + acc;
    }
};

// Streams with exponents: the sum of terms is the product's value, cut off behind m + 1 bits.
template <int L, int T, int Stride>
struct Truncated {
    static constexpr int kStreams = T;
    using V = Vector<L>;
    using D = typename V::Double;
    typename V::Bits kept;

    explicit AXSIM_INLINE Truncated(const Rules &rules)
        : kept(V::splat_bits(kSign | kExponent | kept_fraction(rules.fraction_bits))) {}
    AXSIM_INLINE D add(D acc, const double *a, const D *b) const {
        return acc + V::keep(Form<L, T, Stride>::sum(a, b), kept);
    }
};

// Rounds to m + 1 bits, ties to even: beside 1.5 * 2**52 units in the last place, the processor's rounding of a
// sum is just that.
template <int L>
struct Nearest {
    using V = Vector<L>;
    using D = typename V::Double;
    typename V::Bits sign_and_exponent;
    D scale;

    explicit AXSIM_INLINE Nearest(const Rules &rules)
        : sign_and_exponent(V::splat_bits(kSign | kExponent)),
          scale(V::splat(1.5 * power_of_two(kFractionBits - rules.fraction_bits))) {}
    AXSIM_INLINE D round(D v) const {
        const D large = V::keep(v, sign_and_exponent) * scale;
        return (v + large) - large;
    }
};

template <int L, int T, int Stride>
struct Rounded {
    static constexpr int kStreams = T;
    using D = typename Vector<L>::Double;
    Nearest<L> nearest;

    explicit AXSIM_INLINE Rounded(const Rules &rules) : nearest(rules) {}
    AXSIM_INLINE D add(D acc, const double *a, const D *b) const {
        return acc + nearest.round(Form<L, T, Stride>::sum(a, b));
    }
};

// The numbers of a format among the numbers that are not negative.
template <int L>
struct Grid {
    using V = Vector<L>;
    using D = typename V::Double;
    D to_integers, unit, smallest, largest;

    explicit AXSIM_INLINE Grid(const Rules &rules)
        : to_integers(V::splat(1.5 * power_of_two(kFractionBits - rules.fraction_bits))),
          unit(V::splat(power_of_two(-rules.fraction_bits))),
          smallest(V::splat(rules.smallest_normal)),
          largest(V::splat(rules.largest)) {}
    // Rounds to m + 1 bits, or less below the smallest normal number if `gradual`.
    AXSIM_INLINE D round(D v, bool truncate, bool gradual) const {
        D power = V::keep(v, V::splat_bits(kExponent));
        if (gradual) power = V::choose(power < smallest, smallest, power);
        const D large = power * to_integers, r = (v + large) - large;
        return truncate ? V::choose(r > v, r - power * unit, r) : r;
    }
    AXSIM_INLINE D limit(D v) const { return V::choose(v > largest, V::splat(__builtin_inf()), v); }
};

// Any product at all: v is its exact value or, by the published rule, its significand; w the product of the
// weights, which tells zeros, infinities and NaN (v then may be anything).
template <int L>
struct Checked {
    using V = Vector<L>;
    using D = typename V::Double;
    const Rules &rules;
    Grid<L> grid;

    explicit AXSIM_INLINE Checked(const Rules &r) : rules(r), grid(r) {}

    // The exact value of a product, from the sum of its terms.
    AXSIM_INLINE D value(D v, D w) const {
        if (!rules.published) return v;
        return V::join(V::keep(v, V::splat_bits(kept_fraction(rules.fraction_bits))), V::splat(1.0)) * w;
    }
    AXSIM_INLINE D result(D v, D w) const {
        const D weight = V::magnitude(w), zero = V::splat(0);
        D r = grid.round(V::magnitude(v), rules.truncate, rules.underflow == Underflow::gradual);
        if (rules.underflow == Underflow::flush) r = V::choose(r < grid.smallest, zero, r);
        if (rules.underflow == Underflow::fraction) {
            const D below = r - 0.5 * grid.smallest;
            r = V::choose(r < grid.smallest, V::choose(below > 0.0, below + below, zero), r);
        }
        r = V::choose(weight < kSpecial, grid.limit(r), weight);
        return V::join(r, V::keep(w, V::splat_bits(kSign)));
    }
};

template <int L, int T, int Stride>
struct Any {
    static constexpr int kStreams = T + 1;
    using D = typename Vector<L>::Double;
    Checked<L> checked;

    explicit AXSIM_INLINE Any(const Rules &rules) : checked(rules) {}
    AXSIM_INLINE D add(D acc, const double *a, const D *b) const {
        const D w = a[T * Stride] * b[T];
        return acc + checked.result(checked.value(Form<L, T, Stride>::sum(a, b), w), w);
    }
};

// --- Tiles. ----------------------------------------------------------------------------------------------------

constexpr int kVectors = 2;  // vectors of columns side by side in a tile

template <int L, int T, int R, template <int, int, int> class Product>
void tile(const Rules &rules, const double *a, const double *b, std::size_t depth, double *sums) {
    using V = Vector<L>;
    using D = typename V::Double;
    constexpr int kColumns = kVectors * L, kStreams = Product<L, T, R>::kStreams;
    const Product<L, T, R> product(rules);
    D acc[R][kVectors];
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < kVectors; ++c) acc[r][c] = V::template load<D>(sums + r * kColumns + c * L);
    for (std::size_t k = 0; k < depth; ++k, a += (T + 1) * R, b += (T + 1) * kColumns) {
        D streams[kVectors][kStreams];
#pragma GCC unroll 8
        for (int c = 0; c < kVectors; ++c)
#pragma GCC unroll 8
            for (int s = 0; s < kStreams; ++s) streams[c][s] = V::template load<D>(b + s * kColumns + c * L);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int c = 0; c < kVectors; ++c) acc[r][c] = product.add(acc[r][c], a + r, streams[c]);
    }
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < kVectors; ++c) V::store(sums + r * kColumns + c * L, acc[r][c]);
}

// --- Operands to streams. --------------------------------------------------------------------------------------

// count is a multiple of L.
template <int L>
void round_operands(const Rules &rules, float *x, std::size_t count) {
    using V = Vector<L>;
    using D = typename V::Double;
    const Grid<L> grid(rules);
    for (std::size_t i = 0; i < count; i += L) {
        const D d = __builtin_convertvector(V::template load<typename V::Float>(x + i), D), size = V::magnitude(d);
        const D r = V::choose(size < kSpecial, grid.limit(grid.round(size, false, true)), size);
        V::store(x + i, __builtin_convertvector(V::join(r, V::keep(d, V::splat_bits(kSign))), typename V::Float));
    }
}

template <int L, int Width>
void split(const Side &side, const Rules &rules, const float *x, std::size_t stride, std::size_t depth, double *out,
           Range &range) {
    using V = Vector<L>;
    using D = typename V::Double;
    using B = typename V::Bits;
    static_assert(Width % L == 0, "a row of the panel is a whole number of vectors");

    B masks[kMaxTerms];
    D hidden[kMaxTerms], weights[kMaxTerms];
    for (int t = 0; t < side.terms; ++t) {
        const int m = rules.fraction_bits;
        const std::uint64_t mask = side.term[t].mask;
        masks[t] = V::splat_bits(~kFraction | ((mask << (kFractionBits - m)) & kFraction));
        hidden[t] = V::splat(mask >> m & 1 ? 0.0 : 1.0);
        weights[t] = V::splat(side.term[t].weight);
    }
    D low = V::splat(range.low), high = V::splat(range.high);
    for (std::size_t k = 0; k < depth; ++k, x += stride, out += (side.terms + 1) * Width)
        for (int j = 0; j < Width; j += L) {
            const D d = __builtin_convertvector(V::template load<typename V::Float>(x + j), D);
            const D size = V::magnitude(d);
            const B zero = size < rules.zero_below, nan = size != size;
            const D power = V::keep(d, V::splat_bits(kSign | kExponent));
            D w = V::choose(zero, V::keep(d, V::splat_bits(kSign)), V::choose(nan, d, power));
            w *= side.weight_scale;
            const D one_to_two = V::join(V::keep(d, V::splat_bits(kFraction)), V::splat(1.0));
            for (int t = 0; t < side.terms; ++t) {
                D term = (V::keep(one_to_two, masks[t]) - hidden[t]) * weights[t];
                if (side.with_exponent) term *= w;
                V::store(out + t * Width + j, V::keep(term, ~zero));
            }
            V::store(out + side.terms * Width + j, w);
            const D weight = V::choose(nan, V::splat(__builtin_inf()), V::magnitude(w));
            low = V::choose((weight < low) & ~zero, weight, low);
            high = V::choose(weight > high, weight, high);
        }
    for (int i = 0; i < L; ++i) {
        if (low[i] < range.low) range.low = low[i];
        if (high[i] > range.high) range.high = high[i];
    }
}

// --- Segment tables. -------------------------------------------------------------------------------------------

template <int L>
void combine(const std::int32_t *table, const std::uint8_t *segment, int segments, double *entries) {
    using V = Vector<L>;
    using D = typename V::Double;
    using I = typename V::Int;
    for (int v = 0; v < kEntries; v += L) {
        D total = V::splat(0);
        double weight = 1;
        for (int s = 0; s < segments; ++s, weight *= kEntries)
            total += __builtin_convertvector(V::template load<I>(table + segment[s] * kEntries + v), D) * weight;
        V::store(entries + v, total);
    }
}

template <int L, int S>
AXSIM_INLINE typename Vector<L>::Double look_up(const double *entries, const std::uint8_t *segments,
                                                std::size_t stride) {
    typename Vector<L>::Double total, other;
    for (int i = 0; i < L; ++i) total[i] = entries[segments[i]];
    double weight = kEntries;
    for (int s = 1; s < S; ++s, weight *= kEntries) {
        for (int i = 0; i < L; ++i) other[i] = entries[segments[s * stride + i]];
        total += other * weight;
    }
    return total;
}

// count is a multiple of the width of the widest vector.
template <int L, int S>
void gather_fast(const Rules &rules, const double *entries, const std::uint8_t *segments, std::size_t stride,
                 const double *weights, double weight, std::size_t count, double *sums) {
    using V = Vector<L>;
    using D = typename V::Double;
    const Nearest<L> nearest(rules);
    const typename V::Bits kept = V::splat_bits(kSign | kExponent | kept_fraction(rules.fraction_bits));
    for (std::size_t i = 0; i < count; i += L) {
        const D scale = V::template load<D>(weights + i) * weight;
        D v = look_up<L, S>(entries, segments + i, stride) * scale;
        if (S > 1) v = rules.truncate ? V::keep(v, kept) : nearest.round(v);
        V::store(sums + i, V::template load<D>(sums + i) + v);
    }
}

template <int L, int S>
void gather_checked(const Rules &rules, const double *entries, const std::uint8_t *segments, std::size_t stride,
                    const double *weights, double weight, std::size_t count, double *sums) {
    using V = Vector<L>;
    using D = typename V::Double;
    const Checked<L> checked(rules);
    for (std::size_t i = 0; i < count; i += L) {
        const D w = V::template load<D>(weights + i) * weight;
        D v = look_up<L, S>(entries, segments + i, stride);
        if (!rules.published) v *= w;
        V::store(sums + i, V::template load<D>(sums + i) + checked.result(checked.value(v, w), w));
    }
}

// --- Element by element. ---------------------------------------------------------------------------------------

template <int L>
AXSIM_INLINE void store_product(const Checked<L> &checked, typename Vector<L>::Double v, typename Vector<L>::Double w,
                                float *out) {
    using V = Vector<L>;
    typename V::Double r = checked.result(checked.value(v, w), w);
    if (checked.rules.positive_zero) r = V::keep(r, ~(w == 0.0));
    V::store(out, __builtin_convertvector(r, typename V::Float));
}

template <int L, int T>
void multiply_terms(const Rules &rules, const double *a, const double *b, std::size_t depth, float *out) {
    using V = Vector<L>;
    using D = typename V::Double;
    constexpr int kColumns = kVectors * L;
    const Checked<L> checked(rules);
    for (std::size_t k = 0; k < depth; ++k, a += (T + 1) * kColumns, b += (T + 1) * kColumns, out += kColumns)
        for (int j = 0; j < kColumns; j += L) {
            D v = V::splat(0);
            for (int t = 0; t < T; ++t)
                v += V::template load<D>(a + t * kColumns + j) * V::template load<D>(b + t * kColumns + j);
            const D w = V::template load<D>(a + T * kColumns + j) * V::template load<D>(b + T * kColumns + j);
            store_product<L>(checked, v, w, out + j);
        }
}

// count is a multiple of L.
template <int L>
void finish(const Rules &rules, const double *v, const double *w, std::size_t count, float *out) {
    using V = Vector<L>;
    using D = typename V::Double;
    const Checked<L> checked(rules);
    for (std::size_t i = 0; i < count; i += L)
        store_product<L>(checked, V::template load<D>(v + i), V::template load<D>(w + i), out + i);
}

// --- All of them together. -------------------------------------------------------------------------------------

template <int L, int R, template <int, int, int> class Product>
constexpr void fill(Tile (&tiles)[kMaxTerms]) {
    tiles[0] = &tile<L, 1, R, Product>;
    tiles[1] = &tile<L, 2, R, Product>;
    tiles[2] = &tile<L, 3, R, Product>;
}

template <int L, int R>
constexpr void fill(Tile (&tiles)[kKinds][kMaxTerms]) {
    fill<L, R, Published>(tiles[static_cast<int>(Kind::published)]);
    fill<L, R, Truncated>(tiles[static_cast<int>(Kind::truncated)]);
    fill<L, R, Rounded>(tiles[static_cast<int>(Kind::nearest)]);
    fill<L, R, Any>(tiles[static_cast<int>(Kind::checked)]);
}

template <int L>
constexpr Kernels make_kernels() {
    Kernels set{};
    set.columns = kVectors * L;
    fill<L, kRows>(set.tall);
    fill<L, 1>(set.flat);
    set.split_columns = &split<L, kVectors * L>;
    set.split_rows = &split<(L < kRows ? L : kRows), kRows>;
    set.split_row = &split<1, 1>;
    set.fast[0] = &gather_fast<L, 1>;
    set.fast[1] = &gather_fast<L, 2>;
    set.fast[2] = &gather_fast<L, 3>;
    set.checked[0] = &gather_checked<L, 1>;
    set.checked[1] = &gather_checked<L, 2>;
    set.checked[2] = &gather_checked<L, 3>;
    set.combine = &combine<L>;
    set.multiply_terms[0] = &multiply_terms<L, 1>;
    set.multiply_terms[1] = &multiply_terms<L, 2>;
    set.multiply_terms[2] = &multiply_terms<L, 3>;
    set.finish = &finish<L>;
    set.round_operands = &round_operands<L>;
    return set;
}

}  // namespace
}  // namespace axsim::floating

// What the kernels of floating-point multipliers share: operands taken apart, products rounded.
//
// An operand x with significand A of m + 1 bits (leading 1 in place) and weight w = +-2**e is |x| = A / 2**m * |w|.
// Kernels work in float64, where all that follows is exact: a significand product has at most 53 bits. A weight is
// the high word of a float64 number whose low word is 0. It also tells zeros (exponent 0), infinities and NaN.
//
// Where the compiler fuses a product with a sum, nothing changes: every product here is exact in float64. Sums that
// round are written as __dadd_rn, which is never fused.
#pragma once
#include "common.cuh"

constexpr uint32 kSign = 0x80000000u;        // of float32, and of the high word of float64
constexpr uint32 kExponent = 0x7FF00000u;    // of the high word
constexpr uint32 kFraction = 0x000FFFFFu;    // of the high word
constexpr uint32 kOne = 0x3FF00000u;         // 1.0
constexpr uint32 kInfinite = 0x7F800000u;    // of float32
constexpr uint32 kFloatFraction = 0x7FFFFFu; // of float32
constexpr int kFloatFractionBits = 23;
constexpr uint32 kSpecial = 0x78000000u;     // high words of weights from here on, 2**897, belong to infinities and NaN

// How a multiplier rounds, as the host gives it. Float numbers stand as the bits of non-negative float32 numbers,
// which compare like the numbers.
struct Rules {
    uint32 zero_below;       // smaller operands count as zeros; at least 1
    uint32 ordinary_low;     // products of numbers of this magnitude or more, and less than ordinary_high, are
    uint32 ordinary_high;    // numbers for which Fast holds; no number from low on is subnormal
    uint32 smallest_normal;
    uint32 largest;
    int32 fraction_bits;     // m
    uint32 behaviour;

    __device__ bool rounds_operands() const { return behaviour & 1; }
    __device__ bool positive_zero() const { return behaviour & 2; }
    __device__ bool gradual() const { return behaviour & 4; }  // results below the smallest normal number: rounded,
    __device__ bool flushes() const { return behaviour & 8; }  // zeros, or else their fraction field
};

#define AXSIM_RULES_PARAMETERS                                                                                \
    uint32 zero_below, uint32 ordinary_low, uint32 ordinary_high, uint32 smallest_normal, uint32 largest,     \
        int32 fraction_bits, uint32 behaviour
#define AXSIM_RULES {zero_below, ordinary_low, ordinary_high, smallest_normal, largest, fraction_bits, behaviour}

// How products are normalised and rounded.
constexpr int kPublished = 0;  // the product's top bit is taken for bit 2m + 1, wherever it is; cut off behind m bits
constexpr int kTruncated = 1;
constexpr int kNearest = 2;    // ties to even

__device__ __forceinline__ uint32 high_word(double x) { return static_cast<uint32>(__double2hiint(x)); }
__device__ __forceinline__ uint32 low_word(double x) { return static_cast<uint32>(__double2loint(x)); }
__device__ __forceinline__ double from_words(uint32 high, uint32 low)
{
    return __hiloint2double(static_cast<int>(high), static_cast<int>(low));
}

// The high word of the float64 number that a normal float32 number is, times 2**extra.
__device__ __forceinline__ uint32 widened(uint32 normal, int extra = 0)
{
    return (normal >> 3) + (static_cast<uint32>(896 + extra) << 20);
}

// --- Operands. -------------------------------------------------------------------------------------------------

struct Operand {
    uint32 fraction;  // 23 bits; the significand without its leading 1, followed by zeros. 0 for zeros
    uint32 weight;
    bool zero;
    bool ordinary;    // a zero, or a normal number within Rules' range of ordinary numbers
};

// Bits of a magnitude, rounded to the format, to nearest even.
__device__ __forceinline__ uint32 rounded_to_format(uint32 size, const Rules& rules)
{
    const int dropped = kFloatFractionBits - rules.fraction_bits;
    if (size < rules.smallest_normal) {
        // Beside 2**23 units of the subnormal numbers the processor rounds a sum to such units.
        const float units = __uint_as_float(rules.smallest_normal + (static_cast<uint32>(dropped) << 23));
        return __float_as_uint(__fadd_rn(__fadd_rn(__uint_as_float(size), units), -units));
    }
    if (size > kInfinite) return size;  // NaN
    if (dropped > 0) {
        const uint32 unit = 1u << dropped;
        size += (unit >> 1) - 1 + (size >> dropped & 1);
        size &= ~(unit - 1);
    }
    return size > rules.largest ? kInfinite : size;
}

// The weight comes out multiplied by 2**extra.
__device__ __forceinline__ Operand take_apart(float x, const Rules& rules, int extra)
{
    const uint32 bits = __float_as_uint(x), sign = bits & kSign;
    uint32 size = bits ^ sign;
    if (rules.rounds_operands()) size = rounded_to_format(size, rules);

    Operand operand;
    operand.zero = size < rules.zero_below;
    operand.ordinary = operand.zero || size - rules.ordinary_low < rules.ordinary_high - rules.ordinary_low;
    operand.fraction = operand.zero ? 0 : size & kFloatFraction;
    operand.weight = sign | (operand.zero ? 0 : widened(size & kInfinite, extra));
    if (!operand.ordinary && size < kFloatFraction + 1) {  // subnormal: bring its top bit to the leading 1's place
        const int shift = __clz(static_cast<int>(size)) - 8;
        operand.fraction = size << shift & kFloatFraction;
        operand.weight = sign | widened(kFloatFraction + 1, extra - shift);
    }
    if (!operand.ordinary && size >= kInfinite) operand.weight = sign | kExponent | (operand.fraction ? 0x80000u : 0u);
    return operand;
}

// The significand of a number that is not zero, an integer of m + 1 bits.
__device__ __forceinline__ uint32 significand(const Operand& operand, const Rules& rules)
{
    return (operand.fraction | (kFloatFraction + 1)) >> (kFloatFractionBits - rules.fraction_bits);
}

// --- Products of ordinary operands. ----------------------------------------------------------------------------

// Products that are normal numbers. For kNearest they may be subnormal if underflow is gradual.
template <int Kind>
struct Fast {
    uint32 high, low;

    // Of the fraction, the m bits that are kept; when truncating, of the whole number.
    __device__ explicit Fast(const Rules& rules)
    {
        const int m = rules.fraction_bits;
        if (Kind == kNearest) {
            high = rules.gradual() ? widened(rules.smallest_normal) : 0;
            low = static_cast<uint32>(52 - m) << 20 | 0x80000u;  // times 1.5 * 2**(52 - m), for exponents
            return;
        }
        high = m < 20 ? kFraction & ~(kFraction >> m) : kFraction;
        low = m > 20 ? ~(0xFFFFFFFFu >> (m - 20)) : 0;
        if (Kind == kTruncated) high |= ~kFraction;
    }

    // sum + the product. value: the exact product or, by the published rule, the significands' product at any scale,
    // and 0 if `right` is a zero. `left` and `right` are the weights, of which only the published rule takes note.
    __device__ __forceinline__ double add(double sum, double value, double left, uint32 right) const
    {
        if (Kind == kPublished) {
            // The fraction field between the weight's sign and exponent. Its product with a power of two is exact.
            const double product = from_words((high_word(value) & high) | right, low_word(value) & low);
            return __fma_rn(product, left, sum);
        }
        if (Kind == kTruncated) return __dadd_rn(sum, from_words(high_word(value) & high, low_word(value) & low));
        // Beside 1.5 * 2**52 units in its last place, a number is rounded to such units.
        const double large = from_words(max(high_word(value) & kExponent, high) + low, 0);
        return __dadd_rn(sum, __dadd_rn(__dadd_rn(value, large), -large));
    }
};

// --- Any products. ---------------------------------------------------------------------------------------------

// The product of operands whose weights have the product `weight`: a number of the format, infinite or NaN. value as
// in Fast::add; for zeros it must be 0, for infinities and NaN it may be anything.
template <int Kind>
__device__ __forceinline__ double any_product(const Rules& rules, double value, double weight)
{
    const int m = rules.fraction_bits;
    if (Kind == kPublished) {
        const Fast<kPublished> kept(rules);
        value = from_words((high_word(value) & kept.high) | kOne, low_word(value) & kept.low) * weight;
    }
    const double size = fabs(value);
    const uint32 smallest = widened(rules.smallest_normal), weight_high = high_word(weight) & ~kSign;
    uint32 power = high_word(size) & kExponent;
    if (rules.gradual()) power = max(power, smallest);
    const double large = from_words(power + (static_cast<uint32>(52 - m) << 20 | 0x80000u), 0);
    double result = __dadd_rn(__dadd_rn(size, large), -large);
    if (Kind != kNearest && result > size) result -= from_words(power - (static_cast<uint32>(m) << 20), 0);

    // Limits are powers of two, so that high words tell.
    if (!rules.gradual() && high_word(result) < smallest) {
        const double below = rules.flushes() ? 0 : result - 0.5 * from_words(smallest, 0);
        result = below > 0 ? below + below : 0;
    }
    if (high_word(result) > widened(rules.largest)) result = from_words(kExponent, 0);
    if (weight_high >= kSpecial) result = from_words(weight_high, 0);
    return from_words(high_word(result) | (high_word(weight) & kSign), low_word(result));
}

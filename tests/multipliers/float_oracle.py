"""A second, slow definition of a float multiplier's product, in Python integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np

from axsim.multipliers.floating import FloatMultiplier
from axsim.multipliers.significand import SignificandMultiplier


def slow_product(multiplier: FloatMultiplier, a: float, b: float) -> float:
    """The product of two numbers of the multiplier's format, for finite and other operands."""
    a, b = (math.copysign(0, x) if abs(x) < multiplier.special.zero_below else x for x in (a, b))
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b
    negative = (math.copysign(1, a) < 0) != (math.copysign(1, b) < 0)
    if a == 0 or b == 0:
        return -0.0 if negative and multiplier.special.zero_sign == "ieee" else 0.0
    magnitude = float(_magnitude(multiplier, Fraction(abs(a)), Fraction(abs(b))))
    if magnitude == 0 and multiplier.special.zero_sign == "all-positive":
        return 0.0
    return -magnitude if negative else magnitude


def _magnitude(multiplier: FloatMultiplier, a: Fraction, b: Fraction) -> Fraction | float:
    fmt, m = multiplier.format, multiplier.format.fraction_bits
    (ea, fa), (eb, fb) = _scientific(a), _scientific(b)
    p = _product(multiplier.significand, int(fa * 2**m), int(fb * 2**m))
    if p == 0:
        return 0.0
    top = p.bit_length() - 1
    exponent = ea + eb + (1 if multiplier.normaliser == "published" else top - 2 * m)
    lowest = fmt.smallest_exponent if multiplier.special.underflow == "gradual" else -10_000
    quantum = Fraction(2) ** (max(exponent, lowest) - m)
    units = Fraction(p, 2**top) * Fraction(2) ** exponent / quantum
    result = (round(units) if multiplier.rounding == "nearest-even" else math.floor(units)) * quantum
    if result > Fraction(fmt.largest):
        return math.inf
    smallest = max(Fraction(fmt.smallest_normal), Fraction(multiplier.special.flush_below))
    if result < smallest and multiplier.special.underflow == "flush":
        return 0.0
    if result < smallest and multiplier.special.underflow == "fraction":
        return max(Fraction(0), 2 * (result - smallest / 2))
    return result


@cache  # the same for every rounding and underflow rule
def _product(significand: SignificandMultiplier, a: int, b: int) -> int:
    return int(significand(np.uint64(a), np.uint64(b)))


@cache
def _scientific(x: Fraction) -> tuple[int, Fraction]:
    """x = f * 2**e with 1 <= f < 2."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    if Fraction(2) ** e > x:
        e -= 1
    return e, x / Fraction(2) ** e

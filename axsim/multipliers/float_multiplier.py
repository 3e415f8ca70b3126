"""A floating-point multiplier: format, significand multiplier, normaliser, rounding and special values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array
from axsim.entrance import entrance
from axsim.multipliers.float_formats import FLOAT32, FloatFormat, Rounding
from axsim.multipliers.significand import SignificandMultiplier

Normaliser = Literal["leading-one", "published"]
Underflow = Literal["gradual", "flush", "fraction"]
ZeroSign = Literal["ieee", "positive", "all-positive"]


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class SpecialValues:
    """What becomes of zeros, of small operands and of results below the smallest normal number.

    Attributes:
        zero_below: operands of a smaller magnitude (compared in float64) count as zeros.
        zero_sign: a product with a zero has the sign that IEEE 754 gives it ("ieee"), or is +0 ("positive");
            so is every zero, after an underflow too ("all-positive").
        underflow: a result below the smallest normal number 2**emin
            "gradual": is rounded to the subnormal numbers, as IEEE 754 does;
            "flush": becomes a signed zero;
            "fraction": in [2**(emin - 1), 2**emin), where the exponent field is 0, keeps its fraction field:
            1.f * 2**(emin - 1) is read as the subnormal number 0.f * 2**emin. Below that, a signed zero.
        flush_below: with "flush", a power of two: smaller results become zeros, normal numbers among them.

    Raises:
        ValueError: a choice is unknown, ``zero_below`` is negative or not finite, or ``flush_below`` is no
            power of two or does not go with ``underflow``.
    """

    zero_below: float = 0.0
    zero_sign: ZeroSign = "ieee"
    underflow: Underflow = "gradual"
    flush_below: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.zero_below < np.inf:
            raise ValueError(f"zero_below is {self.zero_below}, expected a finite number, 0 or more")
        _check_choice("zero_sign", self.zero_sign, ("ieee", "positive", "all-positive"))
        _check_choice("underflow", self.underflow, ("gradual", "flush", "fraction"))
        if self.flush_below and (self.underflow != "flush" or np.frexp(self.flush_below)[0] != 0.5):
            raise ValueError(
                f"flush_below is {self.flush_below} with underflow {self.underflow!r}, expected a power of "
                "two with 'flush'"
            )


IEEE_754 = SpecialValues()


@dataclass(frozen=True)
class FloatMultiplier:
    """A floating-point multiplier whose significand product comes from an integer multiplier.

    With format 1-e-m, operands ``(-1)**s A 2**(x - m)`` (A: the significand, m + 1 bits, leading 1 in place,
    also for subnormal numbers) and P = significand(A, B), the result is ``P 2**(x_a + x_b - 2 m)``, rounded
    to m + 1 significant bits, with the exclusive or of the signs. Operands are rounded to the format first.

    ============================  =====================================================================
    case                          result
    ============================  =====================================================================
    an operand is NaN             NaN
    infinity times a zero         NaN
    infinity times anything else  infinity, signed
    a zero operand                zero; signed, or +0 by ``special.zero_sign``. |x| < ``special.zero_below``
                                  counts as zero. The significand multiplier is not asked
    P = 0                         zero, signed
    below 2**emin                 ``special.underflow``: subnormal ("gradual"), signed zero ("flush"), or the
                                  fraction field alone ("fraction")
    above the largest number      infinity, signed, under either rounding
    ============================  =====================================================================

    Attributes:
        name: how the multiplier is called.
        significand: the integer multiplier, of ``format.significand_bits`` bits.
        format: the float format; results are numbers of it, held as float32.
        normaliser: "leading-one" finds the product's top bit wherever it is. "published" takes it for bit
            2m + 1 always, so that a product with one bit more comes out halved, as in the code that was
            published with Ax-FPM; it truncates, and needs a significand multiplier that never gives less.
        rounding: "nearest-even" or "truncate".
        special: zeros and underflow.
        operand_rounding: how operands are rounded to the format: "nearest-even", or "truncate", after those
            below ``special.zero_below`` have become zeros.
        source: the paper or code that defines the multiplier.

    Raises:
        ValueError: widths differ, a choice is unknown, or "published" or operands' "truncate" cannot be
            applied.

    >>> from axsim.multipliers.significand import exact
    >>> half = FloatMultiplier("half", exact(11), FloatFormat(5, 10))
    >>> half(1.5, np.float32([1.5, -np.inf, 0.25, 60000]))
    array([2.25 ,  -inf, 0.375,   inf], dtype=float32)
    """

    name: str
    significand: SignificandMultiplier
    format: FloatFormat = FLOAT32
    normaliser: Normaliser = "leading-one"
    rounding: Rounding = "nearest-even"
    special: SpecialValues = IEEE_754
    source: str = ""
    operand_rounding: Rounding = "nearest-even"

    def __post_init__(self) -> None:
        _check_choice("normaliser", self.normaliser, ("leading-one", "published"))
        _check_choice("rounding", self.rounding, ("nearest-even", "truncate"))
        _check_choice("operand_rounding", self.operand_rounding, ("nearest-even", "truncate"))
        if self.operand_rounding == "truncate" and self.format.exponent_bits != FLOAT32.exponent_bits:
            raise ValueError(
                f'operand_rounding "truncate" cuts off fraction bits of float32 numbers, but '
                f"{self.format.name} has another range of exponents"
            )
        if self.significand.bits != self.bits:
            raise ValueError(
                f"significand multiplies {self.significand.bits} bits, expected {self.bits}: "
                f"the width of significands of {self.format.name}"
            )
        if self.normaliser == "published":
            if self.rounding != "truncate":
                raise ValueError('normaliser "published" cuts off excess bits: give rounding="truncate"')
            if self.significand.bounds[0] < 1 << (2 * self.bits - 1):
                raise ValueError(
                    f'normaliser "published" needs products of at least 2**{2 * self.bits - 1}; '
                    f"this significand multiplier may give {self.significand.bounds[0]}"
                )

    @property
    def bits(self) -> int:
        """Bits of a significand: 24 for float32."""
        return self.format.significand_bits

    @property
    def smallest_result(self) -> float:
        """Results of a smaller magnitude fall under ``special.underflow``."""
        return max(self.format.smallest_normal, self.special.flush_below)

    @entrance
    def __call__(self, a: ArrayLike, b: ArrayLike) -> Any:
        """Products of the elements of ``a`` and ``b``, broadcast: float32, exact to the bit.

        Args:
            a, b: left and right operands, float32 or float16 arrays of any shape, or Python numbers (which
                are taken as float32).

        Raises:
            TypeError: an operand has another type. float64 is refused, as rounding it here would hide where
                precision goes.
            ValueError: the shapes do not broadcast.
        """
        x, y = self.operand(a, "a"), self.operand(b, "b")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            ieee = x * y
            exponent_a, significand_a = self.format.decompose(x)
            exponent_b, significand_b = self.format.decompose(y)
            is_zero = (significand_a == 0) | (significand_b == 0)
            product = np.where(is_zero, np.uint64(0), self.significand(significand_a, significand_b))
            magnitude = self._normalise(product, exponent_a + exponent_b)
            result = np.copysign(magnitude, ieee).astype(np.float32)
            if self.special.zero_sign == "all-positive":
                result = np.where(result == 0, np.float32(0), result)
            if self.special.zero_sign == "positive":
                result = np.where(is_zero, np.float32(0), result)
            finite = np.isfinite(x) & np.isfinite(y)
            return np.where(finite, result, ieee)[()]

    @entrance
    def operand(self, x: ArrayLike, name: str = "x") -> NDArray[np.float32]:
        """``x`` as the multiplier sees it: float32, rounded to the format, small numbers made zeros.

        Raises:
            TypeError: see ``__call__``; ``name`` is the argument's name in the message.
        """
        # Python numbers are taken as float32, not as the float64 that NumPy makes of them.
        array = as_float32(x if type(x) in (int, float) else as_array(name, x), name)
        if self.operand_rounding == "truncate":
            seen: NDArray[np.float32] = truncated(self, array, np)
            return seen
        if self.format != FLOAT32:
            array = self.format.round(array).astype(np.float32)
        if self.special.zero_below > 0:
            with np.errstate(invalid="ignore"):  # signalling NaN
                small = np.abs(array.astype(np.float64)) < self.special.zero_below
            array = np.where(small, np.copysign(np.float32(0), array), array)
        return array

    @entrance
    def significand_product(self, a: ArrayLike, b: ArrayLike) -> Any:
        """The significand multiplier's products of integer arrays, broadcast: uint64.

        Raises:
            TypeError: an operand is not of an integer type.
            ValueError: an operand is outside 0 to ``2**bits - 1``, or the shapes do not broadcast.
        """
        x, y = _as_significands(a, "a", self.bits), _as_significands(b, "b", self.bits)
        return self.significand(x, y)

    def describe(self) -> str:
        """What the multiplier is made of, in a few lines."""
        special = self.special
        zeros = f"|x| < {special.zero_below:g} counts as zero" if special.zero_below else "zeros only"
        below = f", below {special.flush_below:g}" if special.flush_below else ""
        lines = [
            f"{self.name}: {self.format.name} (1-{self.format.exponent_bits}-{self.format.fraction_bits})",
            f"  significands  {self.bits} bits, {type(self.significand).__name__}",
            f"  normaliser    {self.normaliser}, rounding {self.rounding}",
            f"  operands      rounded to the format: {self.operand_rounding}",
            f"  zeros         {zeros}; sign of a zero product: {special.zero_sign}",
            f"  underflow     {special.underflow}" + below,
        ]
        return "\n".join([*lines, f"  source        {self.source}"] if self.source else lines)

    def __repr__(self) -> str:
        return f"<FloatMultiplier {self.name}: {self.format.name}, {type(self.significand).__name__}>"

    def _normalise(self, product: NDArray[np.uint64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
        """Magnitudes of the results; ``exponent`` is the sum of the operands' exponents."""
        fmt = self.format
        gradual = self.special.underflow == "gradual"
        exact = np.ldexp(product.astype(np.float64), exponent - 2 * fmt.fraction_bits)
        if self.normaliser == "published":
            fraction, _ = np.frexp(product.astype(np.float64))
            exact = np.ldexp(2 * fraction, exponent + 1)  # fraction is in [0.5, 1)
        result = fmt.round(exact, self.rounding, subnormals=gradual)
        if self.special.underflow == "fraction":
            below = result - fmt.smallest_normal / 2
            return np.where(result < fmt.smallest_normal, np.maximum(2 * below, 0), result)
        if self.special.underflow == "flush":
            return np.where(result < self.smallest_result, 0.0, result)
        return result


def truncated(multiplier: FloatMultiplier, x: Any, xp: Any) -> Any:
    """float32 operands as a multiplier that truncates them sees them: NumPy's, or another ``xp``'s.

    In integers, whatever that library does with subnormal numbers. Infinities and NaN stay.
    """
    bits = x.view(np.uint32)
    size = bits & np.uint32(0x7FFFFFFF)
    kept = np.uint32(0xFFFFFFFF << (FLOAT32.fraction_bits - multiplier.format.fraction_bits) & 0xFFFFFFFF)
    finite = xp.where(size < least_bits(multiplier.special.zero_below), bits ^ size, bits & kept)
    return xp.where(size < np.uint32(0x7F800000), finite, bits).view(np.float32)


def as_seen(multiplier: FloatMultiplier, xp: Any, *operands: Any) -> tuple[Any, ...]:
    """float32 operands as engines take them, which round to nearest themselves."""
    if multiplier.operand_rounding == "nearest-even":
        return operands
    return tuple(truncated(multiplier, x, xp) for x in operands)


def with_positive_zeros(multiplier: FloatMultiplier, products: Any, xp: Any) -> Any:
    """float32 products of an engine, each zero positive if the multiplier makes only such."""
    if multiplier.special.zero_sign != "all-positive":
        return products
    bits = products.view(np.uint32)
    return xp.where(bits == np.uint32(0x80000000), np.uint32(0), bits).view(np.float32)


def least_bits(x: float) -> np.uint32:
    """Bits of the least float32 number that is not below x, which is not negative.

    >>> float(least_bits(1e-36).view(np.float32)) >= 1e-36 > float((least_bits(1e-36) - 1).view(np.float32))
    True
    """
    with np.errstate(over="ignore"):
        nearest = np.float32(x)
    return np.uint32(int(nearest.view(np.uint32)) + (float(nearest) < x))


def as_float32(x: Any, name: str) -> NDArray[np.float32]:
    """``x`` as float32, from float32, float16 or a Python number; an array on a GPU stays there.

    Raises:
        TypeError: ``x`` is something else; ``name`` is the argument's name in the message.
    """
    if type(x) in (int, float):
        return np.asarray(x, np.float32)
    array = x if hasattr(x, "astype") and not isinstance(x, np.generic) else np.asarray(x)
    if array.dtype not in (np.float32, np.float16):
        raise TypeError(
            f"{name} is {array.dtype}, expected float32 or float16; "
            f"{name}.astype(numpy.float32) rounds where you can see it"
        )
    with np.errstate(invalid="ignore"):  # signalling NaN
        return array.astype(np.float32, copy=False)


def _as_significands(x: ArrayLike, name: str, bits: int) -> NDArray[np.uint64]:
    array = as_array(name, x)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} is {array.dtype}, expected integers: significands, 0 to {(1 << bits) - 1}")
    if array.size and not (array.min() >= 0 and int(array.max()) < 1 << bits):
        raise ValueError(f"{name} holds {array.min()} to {array.max()}, expected 0 to {(1 << bits) - 1}")
    return array.astype(np.uint64)

"""Binary floating-point formats of one sign bit, e exponent bits and m fraction bits, up to float32."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axsim.arrays import as_array
from axsim.entrance import entrance

Rounding = Literal["nearest-even", "truncate"]

_PATTERN = re.compile(r"e(\d)m(\d{1,2})")


@dataclass(frozen=True)
class FloatFormat:
    """A format laid out as those of IEEE 754: biased exponent, hidden leading 1, subnormals, infinities, NaN.

    Attributes:
        exponent_bits: 2 to 8; the bias is ``2**(exponent_bits - 1) - 1``.
        fraction_bits: 1 to 23; a significand has one bit more.

    Raises:
        ValueError: a width is out of range.

    >>> FloatFormat(8, 7) == BFLOAT16, BFLOAT16.name, FloatFormat(4, 3).name
    (True, 'bfloat16', 'e4m3')
    >>> FLOAT16.smallest_exponent, FLOAT16.largest
    (-14, 65504.0)
    """

    exponent_bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if not (2 <= self.exponent_bits <= 8 and 1 <= self.fraction_bits <= 23):
            raise ValueError(
                f"exponent_bits={self.exponent_bits}, fraction_bits={self.fraction_bits}: "
                "expected 2 to 8 and 1 to 23, because values are held as float32"
            )

    @property
    def name(self) -> str:
        """float32, float16 or bfloat16; any other is named by its widths, as in e4m3."""
        return _NAMES.get((self.exponent_bits, self.fraction_bits)) or (
            f"e{self.exponent_bits}m{self.fraction_bits}"
        )

    @property
    def significand_bits(self) -> int:
        """Bits of a significand, the hidden leading 1 among them: 24 for float32."""
        return self.fraction_bits + 1

    @property
    def largest_exponent(self) -> int:
        """Exponent of the largest finite number, which is the bias too: 127 for float32."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def smallest_exponent(self) -> int:
        """Exponent of the smallest normal number: -126 for float32."""
        return 1 - self.largest_exponent

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0**-self.fraction_bits) * 2.0**self.largest_exponent

    @property
    def smallest_normal(self) -> float:
        """The smallest positive normal number."""
        return 2.0**self.smallest_exponent

    @entrance
    def round(
        self, x: NDArray[Any], rounding: Rounding = "nearest-even", *, subnormals: bool = True
    ) -> NDArray[np.float64]:
        """Round float64 numbers to this format; what exceeds the largest finite number becomes infinite.

        Args:
            x: float32 or float64, any shape; NaN and infinities pass.
            rounding: to the nearest number, ties to the even one; or towards zero.
            subnormals: below the smallest normal number keep the spacing of subnormals, as IEEE 754 does.
                False: as if the exponent had no lower limit.

        >>> BFLOAT16.round(np.array([1.00390625, 1.01171875, 3.4e38])).tolist()
        [1.0, 1.015625, inf]
        """
        with np.errstate(over="ignore", invalid="ignore"):  # infinities, and signalling NaN
            x = as_array("x", x).astype(np.float64, copy=False)
            exponent = np.frexp(x)[1] - 1
            if subnormals:
                exponent = np.maximum(exponent, self.smallest_exponent)
            quantum = np.ldexp(1.0, exponent - self.fraction_bits)
            rounded: NDArray[np.float64] = (np.rint if rounding == "nearest-even" else np.trunc)(x / quantum)
            rounded *= quantum
            return np.where(np.abs(rounded) > self.largest, np.copysign(np.inf, x), rounded)

    @entrance
    def decompose(self, x: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Exponents (int64) and significands (uint64, leading 1 in place) of numbers of this format.

        ``|x| = significand * 2.0**(exponent - fraction_bits)``. Subnormal numbers are normalised. Both are 0
        for zeros, infinities and NaN.

        >>> exponent, significand = FLOAT16.decompose(np.array([1.5, -0.25, 0.0]))
        >>> exponent.tolist(), significand.tolist()
        ([0, -2, 0], [1536, 1024, 0])
        """
        x = as_array("x", x)
        magnitude = np.where(np.isfinite(x), np.abs(x), 0).astype(np.float64)
        fraction, exponent = np.frexp(magnitude)
        significand = np.ldexp(fraction, self.significand_bits).astype(np.uint64)
        return np.where(significand > 0, exponent.astype(np.int64) - 1, 0), significand

    @classmethod
    def parse(cls, name: str) -> FloatFormat | None:
        """The format called ``name`` (float32, float16, bfloat16, e5m2, ...), or None.

        >>> FloatFormat.parse("e4m3"), FloatFormat.parse("L40")
        (FloatFormat(exponent_bits=4, fraction_bits=3), None)
        """
        for widths, known in _NAMES.items():
            if name == known:
                return cls(*widths)
        match = _PATTERN.fullmatch(name)
        return cls(int(match[1]), int(match[2])) if match else None


_NAMES = {(8, 23): "float32", (8, 7): "bfloat16", (5, 10): "float16"}

FLOAT32 = FloatFormat(8, 23)
BFLOAT16 = FloatFormat(8, 7)
FLOAT16 = FloatFormat(5, 10)

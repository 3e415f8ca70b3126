"""Integer operands checked against a bus width and turned into bit patterns, and back."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array

MAX_WIDTH = 64
"""Widest bus, in bits: values travel as 64-bit integers."""


def operand_range(width: int, signed: bool) -> tuple[int, int]:
    """Return the least and the greatest value of a bus.

    >>> operand_range(8, signed=False), operand_range(8, signed=True)
    ((0, 255), (-128, 127))
    """
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


def as_integers(name: str, values: ArrayLike, width: int, signed: bool = False) -> NDArray[Any]:
    """Return ``values`` as an integer array, after checking that each fits a bus of ``width`` bits.

    Raises TypeError for anything but integers (booleans and floats included) and ValueError for a value
    out of range; both name the operand.
    """
    array = as_array(name, values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"operand {name!r} must be integers, not {array.dtype}; cast it, e.g. x.astype(int)")
    if array.size:
        low, high = operand_range(width, signed)
        least, greatest = int(array.min()), int(array.max())
        if least < low or greatest > high:
            kind = "signed" if signed else "unsigned"
            raise ValueError(
                f"operand {name!r} has values from {least} to {greatest}, "
                f"but its {width}-bit {kind} bus holds {low} to {high}"
            )
    return array


def encode(name: str, values: ArrayLike, width: int, signed: bool = False) -> NDArray[Any]:
    """Return the bit patterns of ``values`` in the smallest little-endian unsigned dtype of ``width`` bits.

    Raises as :func:`as_integers`.

    >>> encode("a", [-1, 3], 4, signed=True)
    array([15,  3], dtype=uint8)
    """
    array = as_integers(name, values, width, signed)
    n_bytes = next(n for n in (1, 2, 4, 8) if 8 * n >= width)
    patterns = array.astype(f"<u{n_bytes}")  # wraps modulo 2**(8 n_bytes), as two's complement does
    if signed:
        patterns &= patterns.dtype.type((1 << width) - 1)
    return patterns


def decode(patterns: NDArray[np.uint64], width: int, signed: bool = False) -> NDArray[Any]:
    """Return the values of ``width``-bit patterns: int64, or uint64 for an unsigned bus of 64 bits.

    >>> decode(np.array([15, 3], np.uint64), 4, signed=True)
    array([-1,  3])
    """
    if not signed:
        return patterns if width == MAX_WIDTH else patterns.view(np.int64)
    spare = MAX_WIDTH - width
    return np.right_shift(np.left_shift(patterns.view(np.int64), spare), spare)


def check_int(name: str, value: int, low: int, high: int) -> int:
    """Return ``value`` as an int from ``low`` to ``high``; TypeError or ValueError (naming it) otherwise.

    >>> check_int("bits", 8, 1, 32)
    8
    """
    try:
        number = index(value)
    except TypeError as error:
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}") from error
    if not low <= number <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {number}")
    return number

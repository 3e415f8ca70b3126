"""Folding: from a multiplier's table and two operand types to the one thing that kernels know.

A folded table is 256 x 256, int32, and indexed by operand **bytes**; an int8 operand is its two's-complement
byte. What a byte stands for, and so which entry of the product table T it meets, depends on the circuit:

================  =================================  =======================================================
circuit           uint8 operand                      int8 operand
================  =================================  =======================================================
unsigned, n bits  as it is; 0 to 2**n - 1            sign and magnitude: ``sign(a) sign(b) T[|a|, |b|]``;
                                                     magnitudes up to 2**n - 1 (so -128 needs n >= 8)
signed, n bits    as it is; 0 to 2**(n - 1) - 1      as it is; -2**(n - 1) to 2**(n - 1) - 1
================  =================================  =======================================================

An int16 operand, for unsigned circuits only, has its sign beside a byte of magnitude: the table is that of
uint8, magnitudes reach 2**n - 1, and engines apply the signs (``axsim.engines.forms.signs``).

The operands decide separately, so uint8 activations meet int8 weights. The sign of 0 is plus, as in
sign-magnitude hardware: T[0, b] need not be 0. Entries of bytes that no legal operand has are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.tables.product import ProductTable

Limits = tuple[int, int]


@dataclass(frozen=True, eq=False)
class FoldedTable:
    """A table of products indexed by operand bytes.

    Attributes:
        values: int32 (256, 256), C-contiguous, read-only; ``values[a, b]`` for the bytes a (left) and b.
        max_abs: the largest magnitude among them.
        a_limits, b_limits: the least and the greatest operand that the circuit takes.
        is_variant: whether lines of it were cleared or moved (``axsim.engines.forms.signs``).
    """

    values: NDArray[np.int32]
    max_abs: int
    a_limits: Limits
    b_limits: Limits
    is_variant: bool = False


_cache: WeakKeyDictionary[ProductTable, dict[tuple[str, str], FoldedTable]] = WeakKeyDictionary()


def fold(table: ProductTable, a_dtype: np.dtype[Any], b_dtype: np.dtype[Any]) -> FoldedTable:
    """The folded table for operands of ``a_dtype`` and ``b_dtype`` (each uint8, int8 or int16); made once.

    Raises:
        ValueError: the circuit is signed and an operand int16.

    >>> from axsim.tables import ProductTable
    >>> table = ProductTable.from_function(lambda a, b: a * b | 1, 8, 8)
    >>> folded = fold(table, np.dtype(np.uint8), np.dtype(np.int8))
    >>> int(folded.values[3, 256 - 5]), folded.b_limits
    (-15, (-128, 127))
    """
    of_table = _cache.setdefault(table, {})
    key = a_dtype.char, b_dtype.char
    if key not in of_table:
        of_table[key] = _fold(table, a_dtype, b_dtype)
    return of_table[key]


def _fold(table: ProductTable, a_dtype: np.dtype[Any], b_dtype: np.dtype[Any]) -> FoldedTable:
    a_index, a_sign, a_limits = _meaning(a_dtype, table.a_bits, table.signed)
    b_index, b_sign, b_limits = _meaning(b_dtype, table.b_bits, table.signed)
    values = table.values[np.ix_(a_index, b_index)].astype(np.int32)
    values *= np.multiply.outer(a_sign, b_sign)
    values.flags.writeable = False
    return FoldedTable(values, int(np.abs(values).max()), a_limits, b_limits)


def _meaning(
    dtype: np.dtype[Any], bits: int, signed: bool
) -> tuple[NDArray[np.intp], NDArray[np.int32], Limits]:
    """For all 256 bytes: the index into the table, the sign of the product (0 if the byte is not legal);
    and the least and greatest legal operand."""
    signs_beside = dtype == np.int16
    if signs_beside and signed:
        raise ValueError("signed circuits take int8 and uint8 operands, not int16, whose sign stands beside")
    operand = np.arange(256, dtype=np.uint8).view(byte_dtype(dtype)).astype(np.intp)
    if signed:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        index = operand & ((1 << bits) - 1)
        sign = np.ones(256, np.int32)
    else:
        low, high = 1 - (1 << bits), (1 << bits) - 1
        index = np.abs(operand)
        sign = np.where(operand < 0, np.int32(-1), np.int32(1))
    legal = (low <= operand) & (operand <= high)
    limits = int(operand[legal].min()), int(operand[legal].max())
    if signs_beside:
        limits = -limits[1], limits[1]
    return np.where(legal, index, 0), np.where(legal, sign, np.int32(0)), limits


def byte_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of an operand's bytes: magnitudes where the sign stands beside."""
    return np.dtype(np.uint8) if dtype == np.int16 else dtype

"""Operands with a sign beside 8 bits of magnitude, int16 from -255 to 255, as operands of one byte.

``sum of sign(a) T[|a|, b]`` is a sum over the positive operands less a sum over the negative ones, each with
a byte 0 in the places of the others. Where T[0, b] is not 0, as it need not be, the table's line of the
operand 0 is cleared for both, and the zeros, whose sign is plus, get a sum of their own. So an int16 operand
takes two sums of bytes, or three; engines whose kernels know signs take one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.folded import FoldedTable

Array = NDArray[Any]
Line = Literal["as it is", "without 0", "only 0"]

SIGNED = np.dtype(np.int16)


class Part(NamedTuple):
    """Bytes that stand for some of an operand's values, and what their sums count.

    Attributes:
        codes: uint8, shaped like the operand.
        sign: 1 or -1.
        line: which of the table's lines they meet.
        pad: the byte that stands for a padded pixel.
    """

    codes: Array
    sign: int
    line: Line
    pad: Any


def signs_of(a_dtype: np.dtype[Any], b_dtype: np.dtype[Any]) -> tuple[bool, bool]:
    """Whether the left and the right operand are of signs and magnitudes."""
    return a_dtype == SIGNED, b_dtype == SIGNED


def is_signed(*operands: Array) -> bool:
    """Whether one of the operands is of signs and magnitudes."""
    return any(operand.dtype == SIGNED for operand in operands)


def summed(
    kernel: Callable[[FoldedTable, Array, Array, Any], Array],
    table: FoldedTable,
    a: Array,
    b: Array,
    pad: Any = 0,
) -> Array:
    """What ``kernel(table, a, b, pad)`` sums, for operands that may be int16, by sums of bytes alone.

    Args:
        kernel: makes the sums of operand bytes ``a`` and ``b``; ``pad`` is the byte of a padded pixel.
        table: folded for the bytes of magnitudes.
        a, b: uint8 bytes, or int16.
        pad: the operand of a padded pixel of ``a``: an int, or an array of one.

    >>> products = np.multiply.outer(np.arange(256), np.arange(256)).astype(np.int32)
    >>> table = FoldedTable(products, 65025, (0, 255), (0, 255))
    >>> look_up = lambda table, a, b, pad: table.values[a, b]
    >>> summed(look_up, table, np.int16([-255, 3]), np.int16([2, -7])).tolist()
    [-510, -21]
    """
    lefts = _parts(a, bool(table.values[0].any()), pad)
    rights = _parts(b, bool(table.values[:, 0].any()), 0)
    total: Array | None = None
    for left in lefts:
        for right in rights:
            sums = kernel(variant(table, left.line, right.line), left.codes, right.codes, left.pad)
            if total is None:  # of two parts that are there: plus and plus
                total = sums
            elif left.sign * right.sign > 0:
                total += sums
            else:
                total -= sums
    assert total is not None
    return total


def _parts(operand: Array, zero_counts: bool, pad: Any) -> list[Part]:
    if operand.dtype != SIGNED:
        return [Part(operand, 1, "as it is", pad)]
    line: Line = "without 0" if zero_counts else "as it is"
    parts = [Part(_magnitude(operand, sign), sign, line, _magnitude(pad, sign)) for sign in (1, -1)]
    if zero_counts:
        is_zero = int(pad == 0) if isinstance(pad, int) else (pad == 0).astype(np.uint8)
        parts.append(Part((operand == 0).astype(np.uint8), 1, "only 0", is_zero))
    return parts


def _magnitude(operand: Any, sign: int) -> Any:
    """Of the numbers of that sign; 0 for the others."""
    if isinstance(operand, int):
        return max(sign * operand, 0)
    return (sign * operand).clip(0, 255).astype(np.uint8)


_variants: WeakKeyDictionary[FoldedTable, dict[tuple[Line, Line], FoldedTable]] = WeakKeyDictionary()


def variant(table: FoldedTable, left: Line, right: Line) -> FoldedTable:
    """The table with the line of the operand 0 cleared, or moved to the operand 1 and all others cleared."""
    if left == right == "as it is":
        return table
    of_table = _variants.setdefault(table, {})
    if (left, right) not in of_table:
        values = _lines(_lines(table.values, left).T, right).T
        values = np.ascontiguousarray(values)
        values.flags.writeable = False
        of_table[left, right] = FoldedTable(values, table.max_abs, table.a_limits, table.b_limits, True)
    return of_table[left, right]


def _lines(values: NDArray[np.int32], line: Line) -> NDArray[np.int32]:
    if line == "as it is":
        return values
    made = values.copy()
    if line == "without 0":
        made[0] = 0
    else:
        made[0], made[1], made[2:] = 0, values[0], 0
    return made

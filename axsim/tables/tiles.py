"""Products of wide operands from the table of a narrow multiplier, digit by digit and added exactly.

With digits of the block's widths, ``a = sum a_i 2**(i a_bits)`` and ``b`` likewise,

    P(a, b) = sum over i, j of T[a_i, b_j] 2**(i a_bits + j b_bits)

which is what the circuit of ``axsim.circuits.tiled`` computes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from axsim.tables.product import ProductTable

Integers = NDArray[np.int64]


def digits(operand: NDArray[np.integer], width: int, bits: int) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """The digits of ``width`` bits of operands from 0 to ``2**bits - 1``, each with its shift.

    >>> [(shift, digit.tolist()) for shift, digit in digits(np.array([0x1234]), 8, 16)]
    [(0, [52]), (8, [18])]
    """
    mask = (1 << width) - 1
    for shift in range(0, bits, width):
        yield shift, operand >> shift & mask


def tiled_products(table: ProductTable, bits: int, a: Integers, b: Integers) -> Integers:
    """The products of operands from 0 to ``2**bits - 1``, broadcast together: int64.

    Args:
        table: unsigned; its widths divide ``bits``.
        bits: of both operands; no product may be beyond int64 (:func:`greatest_product`).
        a, b: int64.

    >>> table = ProductTable.from_function(lambda a, b: a * b & ~1, 4, 4)
    >>> tiled_products(table, 8, np.array([0x11]), np.array([0x21])).tolist()  # 1 * 1 became 0
    [544]
    """
    total = np.zeros(np.broadcast_shapes(a.shape, b.shape), np.int64)
    values = table.values
    rights = list(digits(b, table.b_bits, bits))
    for left_shift, left in digits(a, table.a_bits, bits):
        for right_shift, right in rights:
            total += values[left, right].astype(np.int64) << (left_shift + right_shift)
    return total


def greatest_product(table: ProductTable, bits: int) -> int:
    """A bound of the products of :func:`tiled_products`: that all tiles are the table's greatest entry."""
    places = [sum(1 << shift for shift in range(0, bits, width)) for width in (table.a_bits, table.b_bits)]
    return int(table.values.max()) * places[0] * places[1]


def keeps_zero(table: ProductTable) -> bool:
    """Whether every product with an operand 0 is 0."""
    return not (table.values[0].any() or table.values[:, 0].any())

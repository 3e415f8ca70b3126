"""Circuits whose operands are wider than a byte: where products come from, and which operands they take.

Operands are integers of any type that ``TYPES`` lists, and stand for themselves:

* an unsigned circuit of n bits takes them in sign and magnitude, ``sign(a) sign(b) P(|a|, |b|)``, magnitudes
  up to ``2**n - 1``, the sign of 0 being plus;
* a signed one takes them as they are, from ``-2**(n - 1)`` to ``2**(n - 1) - 1``.

Products come from the tiles that the circuit is made of, added exactly; or from a table of all products, up
to ``MAX_TABLE_BITS`` input bits; or from a simulation of the gates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.operands import operand_range
from axsim.engines.forms.folded import Limits
from axsim.multipliers.integer import Multiplier
from axsim.tables.product import MAX_OUT_BITS, ProductTable
from axsim.tables.tiles import greatest_product, tiled_products

Integers = NDArray[np.int64]
Way = Literal["tiles", "table", "gates"]

TYPES = tuple(np.dtype(kind) for kind in (np.uint8, np.int8, np.int16, np.int32))

MAX_TABLE_BITS = 24
"""Input bits of the largest table: 16 million products, 64 MiB."""

_CHUNK = 1 << 20  # products simulated at a time


@dataclass(frozen=True, eq=False)
class WideProducts:
    """Products of a multiplier as engines take them.

    Attributes:
        multiplier: the multiplier.
        way: where they come from.
        max_abs: a bound of their magnitude, that of the table's largest where there is one.
        of: products of two int64 arrays of operands as the circuit takes them, broadcast together: int64.
    """

    multiplier: Multiplier
    way: Way
    max_abs: int
    of: Callable[[Integers, Integers], Integers]

    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> Integers:
        """The products of operands of any of the types, broadcast together."""
        left, right = a.astype(np.int64), b.astype(np.int64)
        if self.multiplier.signed:
            return self.of(left, right)
        products = self.of(np.abs(left), np.abs(right))
        return np.where((left < 0) != (right < 0), -products, products)

    @property
    def tile(self) -> ProductTable:
        """The table of the multiplier's block, if products come from tiles."""
        assert self.multiplier.block is not None
        return self.multiplier.block.table

    @property
    def source(self) -> str:
        """Where products come from, in words."""
        m = self.multiplier
        if self.way == "tiles":
            assert m.block is not None
            return f"{m.a_bits // m.block.a_bits * (m.b_bits // m.block.b_bits)} tiles of {m.block.name}"
        if self.way == "table":
            return f"a table of {1 << (m.a_bits + m.b_bits)} products"
        return "a simulation of the gates"


def limits(dtype: np.dtype[Any], bits: int, signed: bool) -> Limits:
    """The least and the greatest operand of a type that a circuit's operand of ``bits`` takes.

    >>> limits(np.dtype(np.int16), 12, signed=False), limits(np.dtype(np.uint8), 12, signed=True)
    ((-4095, 4095), (0, 255))
    """
    held = np.iinfo(dtype)
    low, high = operand_range(bits, signed)
    return max(int(held.min), low if signed else -high), min(int(held.max), high)


def is_wide(multiplier: Multiplier, a: np.dtype[Any], b: np.dtype[Any]) -> bool:
    """Whether the circuit, or an operand of it, is beyond what kernels take: a table indexed by bytes."""
    if multiplier.is_wide:
        return True
    sides = (multiplier.a_bits, a), (multiplier.b_bits, b)
    return any(bits > 8 and dtype.kind in "iu" and dtype.itemsize > 1 for bits, dtype in sides)


_made: WeakKeyDictionary[Multiplier, WideProducts] = WeakKeyDictionary()


def wide_products(multiplier: Multiplier) -> WideProducts:
    """The products of a multiplier; a table of them is made once, which takes seconds.

    Raises:
        ValueError: the multiplier has neither a table nor tiles nor gates.
    """
    found = _made.get(multiplier)
    return _made.setdefault(multiplier, _make(multiplier)) if found is None else found


def _make(multiplier: Multiplier) -> WideProducts:
    way = way_of(multiplier)
    if way == "tiles":
        assert multiplier.block is not None
        table, bits = multiplier.block.table, multiplier.a_bits
        return WideProducts(
            multiplier, way, greatest_product(table, bits), partial(tiled_products, table, bits)
        )
    if way == "table":
        values = _table(multiplier)
        return WideProducts(
            multiplier,
            way,
            max(abs(int(values.min())), abs(int(values.max()))),
            partial(_looked_up, values.reshape(-1), multiplier.a_bits, multiplier.b_bits),
        )
    low, high = operand_range(multiplier.out_bits, multiplier.signed)
    return WideProducts(multiplier, way, max(-low, high), partial(_simulated, multiplier))


def way_of(multiplier: Multiplier) -> Way:
    """Where the products of a multiplier come from."""
    if multiplier.block is not None and multiplier.is_wide:
        return "tiles"
    fits = multiplier.a_bits + multiplier.b_bits <= MAX_TABLE_BITS
    return "table" if fits and multiplier.out_bits <= MAX_OUT_BITS else "gates"


def _table(multiplier: Multiplier) -> NDArray[np.int32]:
    """All products, indexed by bit patterns: int32 (2**a_bits, 2**b_bits)."""
    if not multiplier.is_wide:
        return multiplier.table.values.astype(np.int32)
    a, b = (_patterns(bits, multiplier.signed) for bits in (multiplier.a_bits, multiplier.b_bits))
    values = np.empty((a.size, b.size), np.int32)
    rows = max(1, _CHUNK // b.size)
    for row in range(0, a.size, rows):
        values[row : row + rows] = multiplier(a[row : row + rows, None], b)
    return values


def _patterns(bits: int, signed: bool) -> Integers:
    values = np.arange(1 << bits)
    return np.where(values > operand_range(bits, signed)[1], values - (1 << bits), values)


def _looked_up(values: NDArray[np.int32], a_bits: int, b_bits: int, a: Integers, b: Integers) -> Integers:
    index = ((a & ((1 << a_bits) - 1)) << b_bits) | (b & ((1 << b_bits) - 1))
    products: Integers = values[index].astype(np.int64)
    return products


def _simulated(multiplier: Multiplier, a: Integers, b: Integers) -> Integers:
    return multiplier(a, b).astype(np.int64)

"""How near a circuit's products lie to exact ones, under every way to read its bits.

An exact signed multiplier whose bits are read as unsigned has a mean absolute error of thousands, and so has
one whose bits come in reverse: that nothing fails does not mean that a file was read as it was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODINGS = ("unsigned", "two's complement", "sign-magnitude", "offset")
"""Ways to code integers. Sign-magnitude: the top bit is the sign; offset: half the range is added."""

ORDERS = ("as read", "operands exchanged", "bits reversed")

Patterns = NDArray[np.int64]


@dataclass(frozen=True)
class Distance:
    """How far products are from exact ones if bits are read in one way.

    Attributes:
        coding: one of CODINGS, of both operands and the product.
        order: one of ORDERS.
        mae: mean absolute error, in units of the product.
        relative: ``mae`` over the mean magnitude of exact products so read, by which codings of different
            ranges can be compared: 1 for a circuit that always gives 0.
    """

    coding: str
    order: str
    mae: float
    relative: float


@dataclass(frozen=True)
class Closeness:
    """Distances of one circuit.

    Attributes:
        products: distance to a*b for every coding and order.
        sums: distance to a+b for every coding, as read.
    """

    products: tuple[Distance, ...]
    sums: tuple[Distance, ...]

    def of(self, coding: str, order: str = "as read") -> Distance:
        """The distance to a*b for one coding and order."""
        return next(found for found in self.products if (found.coding, found.order) == (coding, order))

    @property
    def nearest(self) -> Distance:
        """The reading nearest to a*b by relative distance; the first in the order of CODINGS and ORDERS."""
        return min(self.products, key=lambda found: found.relative)

    @property
    def nearest_sum(self) -> Distance:
        """The reading nearest to a+b."""
        return min(self.sums, key=lambda found: found.relative)


def measure(chunks: Iterable[tuple[Patterns, Patterns, Patterns]], widths: tuple[int, int, int]) -> Closeness:
    """Distances of a circuit.

    Args:
        chunks: bit patterns of left operands, right operands and products, int64 (n,), a part of them at a
            time; those of all operand pairs, or of a sample. (64 bits fill an int64 with its sign.)
        widths: bits of left operand, right operand and product.

    >>> a, b = np.divmod(np.arange(256), 16)
    >>> closeness = measure([(a, b, a * b)], (4, 4, 8))
    >>> closeness.nearest.coding, closeness.of("two's complement").mae
    ('unsigned', 49.5)
    """
    ways = [(coding, is_reversed) for coding in CODINGS for is_reversed in (False, True)]
    errors, sizes = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    sum_errors, sum_sizes = dict.fromkeys(CODINGS, 0.0), dict.fromkeys(CODINGS, 0.0)
    count = 0
    for patterns in chunks:
        count += patterns[0].size
        turned = [_reversed(pattern, width) for pattern, width in zip(patterns, widths, strict=True)]
        for coding, is_reversed in ways:
            read = turned if is_reversed else patterns
            a, b, p = (value(x, width, coding) for x, width in zip(read, widths, strict=True))
            errors[coding, is_reversed] += _total(p - a * b)
            sizes[coding, is_reversed] += _total(a * b)
            if not is_reversed:
                sum_errors[coding] += _total(p - (a + b))
                sum_sizes[coding] += _total(a + b)
    products = []
    for coding in CODINGS:
        for order in ORDERS:
            # |T[b, a] - a*b| is |T[b, a] - b*a|: exchanging the operands changes no distance.
            way = (coding, order == "bits reversed")
            products.append(Distance(coding, order, errors[way] / count, errors[way] / (sizes[way] or 1)))
    sums = [
        Distance(coding, "as read", sum_errors[coding] / count, sum_errors[coding] / (sum_sizes[coding] or 1))
        for coding in CODINGS
    ]
    return Closeness(tuple(products), tuple(sums))


def value(patterns: Patterns, width: int, coding: str) -> NDArray[np.float64]:
    """The numbers that bit patterns stand for, in double precision (exact up to 53 bits).

    >>> [value(np.array([0, 1, 6, 7]), 3, coding).tolist() for coding in CODINGS[1:]]
    [[0.0, 1.0, -2.0, -1.0], [0.0, 1.0, -2.0, -3.0], [-4.0, -3.0, 2.0, 3.0]]
    """
    sign = np.int64(-1) << (width - 1)  # and, where there are any, all bits above it
    negative = patterns & sign != 0
    below = patterns & ~sign
    if coding == "two's complement":
        return np.where(negative, below | sign, below).astype(np.float64)
    if coding == "sign-magnitude":
        return np.where(negative, -below, below).astype(np.float64)
    if coding == "offset":
        return np.where(negative, below, below | sign).astype(np.float64)
    return patterns.view(np.uint64).astype(np.float64)


def table_patterns(
    values: NDArray[Any], widths: tuple[int, int, int]
) -> list[tuple[Patterns, Patterns, Patterns]]:
    """The one chunk of a product table, for :func:`measure`."""
    a, b = np.divmod(np.arange(values.size), values.shape[1])
    return [(a, b, values.reshape(-1).astype(np.int64) & ((1 << widths[2]) - 1))]


def _total(values: NDArray[np.float64]) -> float:
    return float(np.abs(values).sum())


def _reversed(patterns: Patterns, width: int) -> Patterns:
    out = np.zeros_like(patterns)
    for bit in range(width):
        out |= (patterns >> bit & 1) << (width - 1 - bit)
    return out

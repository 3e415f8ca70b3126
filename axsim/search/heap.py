"""Which cells make HEAP? A search over 4x4 array multipliers built of approximate mirror adders.

HEAP, in A. Guesmi et al., "Defensive Approximation: Securing CNNs Using Approximate Computing" (ASPLOS
2021, doi 10.1145/3445814.3446747), is a float32 multiplier whose significand array is built of approximate
adders that the paper does not name. It prints what they do: MRED 0.12, NMED 0.03, a result above the exact
one in 34 % of cases. Here every candidate is a 4x4 ripple-carry array; the 24x24 significand product is put
together exactly from 6 x 6 of them, normalised by a true leading-one normaliser and truncated to 24 bits::

                         a1b3  a1b2  a1b1  a1b0      row 1: weights 1 to 4
                    a2b3  a2b2  a2b1  a2b0           row 2: weights 2 to 5
               a3b3  a3b2  a3b1  a3b0                row 3: weights 3 to 6

Each of these twelve positions holds a full adder (row 0 is the partial products a0b0 .. a0b3 alone); the
weight of a position is row + column. An assignment says which cell is where and how the cells are wired.

Two facts make an exhaustive search quick. The product is linear in the table of the 4x4 block, so that the
products of many candidates are one matrix product. And for operands uniform on [0, 1] (or [-1, 1], in
magnitude) the significands are uniform on [1, 2) and independent of the exponents, so that pairs of
significands are all that need be drawn: MRED and the share of higher results are theirs, and NMED takes its
scale from the exponents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.arrays import Wiring
from axsim.circuits.cells import CELLS
from axsim.progress import track

Grouping = Literal["weight", "row"]
Cells = tuple[str, ...]

CELL_NAMES: Cells = ("exact", "ama1", "ama2", "ama3", "ama4", "ama5")
WIRINGS: tuple[Wiring, ...] = ("pp-sum", "sum-pp")
"""What A and B of a cell are: partial product and sum from above (as in Ax-FPM), or the other way round."""

TRANSISTORS: Mapping[str, float] = MappingProxyType(
    {"exact": 24, "ama1": 20, "ama2": 14, "ama3": 11, "ama4": 15, "ama5": 8}
)
"""Transistors of a cell. V. Gupta et al., "Low-power digital signal processing using approximate adders"
(IEEE TCAD 32(1), 2013, doi 10.1109/TCAD.2012.2217962) start from a mirror adder of 24 and make AMA5 of two
buffers (8); for the other four these are the counts that comparisons of the cells commonly quote."""

AREA_UM2: Mapping[str, float] = MappingProxyType(
    {"exact": 40.66, "ama1": 29.31, "ama2": 25.5, "ama3": 22.56, "ama4": 23.91, "ama5": 13.54}
)
"""Layout area of a cell in square micrometres (IBM 90 nm), as the same paper prints it; AMA5 is two buffers
of 6.77."""

SIZE = 4
TILES = 6
SIGNIFICAND_BITS = SIZE * TILES
ENTRIES = 1 << (2 * SIZE)

_WEIGHT = np.add.outer(np.arange(1, SIZE), np.arange(SIZE))
_GROUPS: Mapping[Grouping, NDArray[np.intp]] = MappingProxyType(
    {"weight": _WEIGHT - 1, "row": np.broadcast_to(np.arange(SIZE - 1)[:, None], _WEIGHT.shape)}
)
_GROUP_COUNT: Mapping[Grouping, int] = MappingProxyType({"weight": 2 * (SIZE - 1), "row": SIZE - 1})
_SUM_BITS = np.array([[int(bit) for bit in CELLS[name].sum] for name in CELL_NAMES], np.uint8).ravel()
_CARRY_BITS = np.array([[int(bit) for bit in CELLS[name].carry] for name in CELL_NAMES], np.uint8).ravel()

_TABLE_BLOCK = 1024
_PAIR_BLOCK = 4096


@dataclass(frozen=True)
class Assignment:
    """Cells of a 4x4 array: ``cells[k]`` sits in every position of weight k + 1, or of row k + 1."""

    wiring: Wiring
    grouping: Grouping
    cells: Cells

    def grid(self) -> list[list[str]]:
        """Names of the cells of rows 1 to 3, columns 0 to 3."""
        return [[self.cells[group] for group in row] for row in _GROUPS[self.grouping]]

    def cost(self, per_cell: Mapping[str, float]) -> float:
        """Sum of ``per_cell`` over the twelve cells of the block.

        >>> HEAP_LIKE.cost(TRANSISTORS)
        112
        """
        return sum(per_cell[name] for row in self.grid() for name in row)

    def code(self) -> str:
        """One character a group: E for an exact full adder, 1 to 5 for AMA1 to AMA5.

        >>> HEAP_LIKE.code()
        '55555E'
        """
        return "".join("E" if name == "exact" else name[-1] for name in self.cells)


HEAP_LIKE = Assignment("sum-pp", "weight", ("ama5",) * 5 + ("exact",))
"""The assignment that axsim names ``heap_like``."""

AX_FPM = Assignment("pp-sum", "weight", ("ama5",) * 6)
"""The block of Ax-FPM: AMA5 everywhere."""


def assignments(cells: Sequence[str] = CELL_NAMES) -> list[Assignment]:
    """All assignments of n ``cells``, n**6 per weight and n**3 per row, in both wirings; 93,744 for six."""
    groupings: tuple[Grouping, ...] = ("weight", "row")
    return [
        Assignment(wiring, grouping, chosen)
        for wiring in WIRINGS
        for grouping in groupings
        for chosen in product(cells, repeat=_GROUP_COUNT[grouping])
    ]


def block_tables(candidates: Sequence[Assignment]) -> NDArray[np.uint8]:
    """Products of the candidates' 4x4 blocks, ``(candidates, 256)``: that of (a, b) in column 16 a + b."""
    tables = np.empty((len(candidates), ENTRIES), np.uint8)
    by_wiring = {wiring: [k for k, c in enumerate(candidates) if c.wiring == wiring] for wiring in WIRINGS}
    for wiring, members in by_wiring.items():
        for block in _blocks(len(members), _TABLE_BLOCK):
            chosen = members[block]
            grids = [[[CELL_NAMES.index(n) for n in row] for row in candidates[k].grid()] for k in chosen]
            tables[chosen] = _simulate(np.array(grids, np.uint8), wiring)
    return tables


def _simulate(grids: NDArray[np.uint8], wiring: Wiring) -> NDArray[np.uint8]:
    """Block tables of cell numbers ``(n, 3, 4)``: all candidates and all operand pairs at once."""
    pairs = np.arange(ENTRIES)
    a, b = pairs >> SIZE, pairs & (2**SIZE - 1)
    partial = [[((a >> r) & (b >> c) & 1).astype(np.uint8) for c in range(SIZE)] for r in range(SIZE)]
    zero = np.zeros((len(grids), ENTRIES), np.uint8)
    above = [zero + bit for bit in partial[0]] + [zero]
    product_bits = [above[0]]
    for r in range(1, SIZE):
        carry, sums = zero, []
        for c in range(SIZE):
            left, right = partial[r][c], above[c + 1]
            if wiring == "sum-pp":
                left, right = right, left
            truth = 8 * grids[:, r - 1, c, None] + (4 * left + 2 * right + carry)
            sums.append(_SUM_BITS[truth])
            carry = _CARRY_BITS[truth]
        above = [*sums, carry]
        product_bits.append(above[0])
    table: NDArray[np.uint8] = np.packbits([*product_bits, *above[1:]], axis=0, bitorder="little")[0]
    return table


def cheapest_of_equals(
    tables: NDArray[np.uint8], cost: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the cheapest candidate of each distinct table, and how many candidates share that table."""
    by_cost = np.argsort(cost, kind="stable")
    rows = np.ascontiguousarray(tables[by_cost]).view(f"V{tables.shape[1]}").ravel()
    _, first, twins = np.unique(rows, return_index=True, return_counts=True)
    order = np.argsort(by_cost[first])
    return by_cost[first][order], twins[order]


@dataclass(frozen=True)
class Errors:
    """Error figures of candidates, one entry a candidate, for operands uniform on [0, 1] or [-1, 1].

    Attributes:
        mred: mean of |approximate - exact| / exact.
        nmed: mean of |approximate - exact|, divided by the largest exact magnitude, 1.
        higher: share of products whose magnitude is above the exact one.
    """

    mred: NDArray[np.float64]
    nmed: NDArray[np.float64]
    higher: NDArray[np.float64]

    def distance(self, target: Mapping[str, float]) -> NDArray[np.float64]:
        """Root of the summed squared relative deviations from ``target`` (keys mred, nmed, higher)."""
        deviations = np.stack([getattr(self, figure) / value - 1 for figure, value in target.items()])
        return np.sqrt((deviations**2).sum(axis=0))  # type: ignore[no-any-return]


PUBLISHED: Mapping[str, float] = MappingProxyType({"mred": 0.12, "nmed": 0.03, "higher": 0.34})
"""HEAP's figures as printed."""


def measure(tables: NDArray[np.uint8], pairs: int, seed: int, description: str = "measuring") -> Errors:
    """Error figures of the multipliers tiled from ``tables`` ``(n, 256)``, over random significand pairs.

    All candidates see the same ``pairs`` pairs. NMED uses that a magnitude uniform on [0, 1] is ``m * 2**-k``
    with m uniform on [1, 2) and, independently, probability ``2**-k`` for k = 1, 2, ...; so the mean of
    ``2**-k`` is 1/3 for each operand, and the mean error is a ninth of the significands' mean error.
    ValueError for less than one pair.
    """
    if pairs < 1:
        raise ValueError(f"pairs must be at least 1, got {pairs}")
    sums = np.zeros((3, len(tables)))
    steps = list(_blocks(pairs, _PAIR_BLOCK))
    rng = np.random.default_rng(seed)
    for step in track(steps, description, len(steps)):
        a, b = rng.integers(2 ** (SIGNIFICAND_BITS - 1), 2**SIGNIFICAND_BITS, (2, step.stop - step.start))
        exact = (a * b).astype(np.float64)
        weights = entry_weights(a, b)
        for block in _blocks(len(tables), _TABLE_BLOCK):
            error = truncate(tables[block].astype(np.float64) @ weights)
            error -= exact
            sums[2, block] += np.count_nonzero(error > 0, axis=1)
            np.abs(error, out=error)
            sums[1, block] += error.sum(axis=1)
            sums[0, block] += error @ (1 / exact)
    mred, mean_error, higher = sums / pairs
    return Errors(mred, mean_error / 4 ** (SIGNIFICAND_BITS - 1) / 9, higher)


def entry_weights(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much each entry of the block's table counts in the products a*b, ``(256, n)``: ``table @ weights``.

    Entry (i, j) of the 6 x 6 tiles weighs ``16**(i + j)``. Every sum stays below 2**53: float64 is exact.
    """
    weights = np.zeros((ENTRIES, len(a)))
    column = np.arange(len(a))
    for i, j in product(range(TILES), repeat=2):
        nibbles = (a >> (SIZE * i) & 15) << SIZE | (b >> (SIZE * j) & 15)
        weights[nibbles, column] += 16.0 ** (i + j)
    return weights


def truncate(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep the leading 24 bits of integers held in float64, cutting the rest off; works in place.

    A float64 already has its leading one in front, which is what a true normaliser does.
    """
    bits = products.view(np.uint64)
    bits &= np.uint64(2**64 - 2 ** (53 - SIGNIFICAND_BITS))
    return products


def pareto_front(cost: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the points that no other point beats or equals in both, by rising cost.

    >>> pareto_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.5, 0.1, 0.4, 0.2])).tolist()
    [0, 1]
    """
    order = np.lexsort((error, cost))
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(error[order])[:-1]])
    return order[error[order] < best_before]


def _blocks(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))

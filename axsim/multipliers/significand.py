"""Integer multipliers of significands: closed forms, 8-bit segments, gates.

A significand multiplier of ``bits`` bits maps two unsigned integers below ``2**bits`` to an unsigned product
below ``2**53``, so that a product is exact in float64 too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axsim.once import cached_property
from axsim.tables.product import ProductTable

if TYPE_CHECKING:
    from axsim.circuits import Netlist

Integers = NDArray[np.uint64]

SEGMENT_BITS = 8
_MAX_PRODUCT_BITS = 53


class SignificandMultiplier(ABC):
    """What every significand multiplier has; instances are immutable."""

    bits: int

    @abstractmethod
    def __call__(self, a: Integers, b: Integers) -> Integers:
        """Products of integers below ``2**bits``, broadcast: uint64. Operands are not checked."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[int, int]:
        """A lower bound, 0 or more, and an upper bound of the product of two significands (top bits set)."""


class Term(NamedTuple):
    """One term ``weight * (a & mask_a) * (b & mask_b)`` of a masked form."""

    weight: int
    mask_a: int
    mask_b: int


@dataclass(frozen=True)
class MaskedForm(SignificandMultiplier):
    """A sum of few products of masked operands: ``sum over r of weight_r (a & mask_a_r) (b & mask_b_r)``.

    Arrays of AMA5 cells come out so, because such a cell passes two of its inputs through unchanged.

    Raises:
        ValueError: a mask has bits beyond ``bits``, a weight is not positive, there is no term, or a product
            could need more than 53 bits.

    >>> ax_fpm(4)(np.uint64(15), np.uint64(11)), exact(4)(np.uint64(15), np.uint64(11))
    (np.uint64(235), np.uint64(165))
    """

    bits: int
    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(Term(*term) for term in self.terms))
        for term in self.terms:
            if term.weight < 1 or not all(0 <= mask < 1 << self.bits for mask in term[1:]):
                raise ValueError(
                    f"{term}: expected a positive weight and masks of at most bits={self.bits} bits"
                )
        if not self.terms:
            raise ValueError("terms is empty, expected at least one term")
        _check_width(self.bounds[1])

    def __call__(self, a: Integers, b: Integers) -> Integers:
        return sum(
            (
                np.uint64(weight) * (a & np.uint64(mask_a)) * (b & np.uint64(mask_b))
                for weight, mask_a, mask_b in self.terms
            ),
            start=np.zeros((), np.uint64),
        )

    @property
    def bounds(self) -> tuple[int, int]:
        top = 1 << (self.bits - 1)
        return (
            sum(weight * (mask_a & top) * (mask_b & top) for weight, mask_a, mask_b in self.terms),
            sum(weight * mask_a * mask_b for weight, mask_a, mask_b in self.terms),
        )


def exact(bits: int) -> MaskedForm:
    """The exact multiplier, of ``bits`` x ``bits`` bits."""
    full = (1 << bits) - 1
    return MaskedForm(bits, (Term(1, full, full),))


def monolithic(bits: int) -> MaskedForm:
    """One ``bits`` x ``bits`` ripple-carry array of AMA5 cells (A: partial product, B: sum from above).

    ``(a & 1) b + 2 (a & ~1) (b & top)``: the least significant row is kept, and of every other row only its
    leftmost partial product, which all its cells hand on as carry and, in the next row, as sum.
    """
    full, top = (1 << bits) - 1, 1 << (bits - 1)
    return MaskedForm(bits, (Term(1, 1, full), Term(2, full & ~1, top)))


def ax_fpm(bits: int) -> MaskedForm:
    """Ax-FPM's array: 4x4 arrays of AMA5 cells as in ``monolithic(4)``, tiled exactly.

    For 24 bits ``(a & 0x111111) b + 2 (a & 0xEEEEEE) (b & 0x888888)``. Guesmi et al., "Defensive
    Approximation", ASPLOS 2021, doi 10.1145/3445814.3446747.
    """
    return _tiled(monolithic(4), bits)


def heap_like(bits: int) -> MaskedForm:
    """4x4 ripple-carry arrays, tiled exactly, whose cells have the sum from above on A: about HEAP's error.

    Guesmi et al. (ASPLOS 2021) print the error of a multiplier, HEAP, but not which adders it is made of.
    Here every cell is AMA5 (sum = B, carry = A) but the one of row 3, column 3, which is exact::

        column      3        2        1        0
        row 0      a0b3     a0b2     a0b1     a0b0        partial products
        row 1      AMA5  <- AMA5  <- AMA5  <- AMA5        A: sum from above (above to the left),
        row 2      AMA5  <- AMA5  <- AMA5  <- AMA5        B: partial product,
        row 3     EXACT  <- AMA5  <- AMA5  <- AMA5        carries run to the left

    A block's product is ``(a & 7) (b & 1) + (a & 8) b + 2 (a & 4) (b & 8)``.
    """
    return _tiled(MaskedForm(4, (Term(1, 7, 1), Term(1, 8, 15), Term(2, 4, 8))), bits)


def _tiled(block: MaskedForm, bits: int) -> MaskedForm:
    """The multiplier of ``bits`` bits made of copies of ``block`` whose products are shifted and added."""
    if bits % block.bits:
        raise ValueError(f"bits={bits}: expected a multiple of {block.bits}, the width of a block")
    repeat = sum(1 << i for i in range(0, bits, block.bits))
    return MaskedForm(bits, tuple(Term(t.weight, t.mask_a * repeat, t.mask_b * repeat) for t in block.terms))


class SegmentPair(NamedTuple):
    """A pair of operand segments: segment ``i`` of a times segment ``j`` of b, shifted left by ``shift``."""

    i: int
    j: int
    shift: int

    @property
    def weight(self) -> int:
        """``2**shift``: what one unit of the pair's product is worth."""
        return 1 << self.shift


@dataclass(frozen=True)
class Segmented(SignificandMultiplier):
    """8-bit segments, every pair multiplied by one 8x8 table, partial products shifted and added exactly.

    Segment 0 is the least significant. A width that is no multiple of 8 is padded with zero bits at the top,
    and the padded segment goes through the table like any other.

    Attributes:
        bits: width of the operands.
        table: an unsigned 8x8 product table.

    Raises:
        ValueError: the table is not unsigned 8x8, or a product could need more than 53 bits.

    >>> table = ProductTable.from_function(lambda a, b: a * b & ~1, 8, 8)
    >>> Segmented(11, table)(np.uint64(3), np.uint64(5)), Segmented(11, table).pairs[1]
    (np.uint64(14), SegmentPair(i=0, j=1, shift=8))
    """

    bits: int
    table: ProductTable

    def __post_init__(self) -> None:
        table = self.table
        if table.signed or (table.a_bits, table.b_bits) != (SEGMENT_BITS, SEGMENT_BITS):
            raise ValueError(
                f"table is {table!r}, expected an unsigned 8x8 table for the 8-bit segments of significands"
            )
        _check_width(self.bounds[1])

    @property
    def segments(self) -> int:
        """Segments of an operand: 3 for 24 bits, 2 for 11, 1 for 8."""
        return -(-self.bits // SEGMENT_BITS)

    @property
    def pairs(self) -> tuple[SegmentPair, ...]:
        """All segment pairs, those of a's segment 0 first."""
        indices = range(self.segments)
        return tuple(SegmentPair(i, j, SEGMENT_BITS * (i + j)) for i in indices for j in indices)

    def __call__(self, a: Integers, b: Integers) -> Integers:
        return sum(
            (self._table[index] << np.uint64(shift) for index, shift in self._lookups(a, b)),
            start=np.zeros((), np.uint64),
        )

    def from_errors(self, a: Integers, b: Integers) -> Integers:
        """The same products by way of the error table: exact product + sum of shifted segment errors."""
        errors = self.table.error.astype(np.int64)
        total = (a * b).astype(np.int64)
        for index, shift in self._lookups(a, b):
            total = total + (errors[index] << shift)
        return total.astype(np.uint64)

    @property
    def bounds(self) -> tuple[int, int]:
        values = self.table.values
        first = 1 << (self.bits - 1) % SEGMENT_BITS  # a significand's top segment is at least this
        top = slice(first, 2 * first)
        last = self.segments - 1
        low = high = 0
        for i, j, shift in self.pairs:
            block = values[top if i == last else slice(None), top if j == last else slice(None)]
            low += int(block.min()) << shift
            high += int(block.max()) << shift
        return low, high

    @cached_property
    def _table(self) -> Integers:
        return self.table.values.astype(np.uint64)

    def _lookups(self, a: Integers, b: Integers) -> Iterator[tuple[tuple[Any, Any], int]]:
        mask = np.uint64((1 << SEGMENT_BITS) - 1)
        for i, j, shift in self.pairs:
            segment_a = a >> np.uint64(SEGMENT_BITS * i) & mask
            segment_b = b >> np.uint64(SEGMENT_BITS * j) & mask
            yield (segment_a, segment_b), shift


@dataclass(frozen=True)
class GateLevel(SignificandMultiplier):
    """The product of a simulated netlist, for checking the other kinds: exact to the gate, and slow.

    Raises:
        ValueError: the netlist is signed, its operands differ in width, or its product has more than 53 bits.
    """

    netlist: Netlist
    bits: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", self.netlist.a_bits)
        if self.netlist.signed or self.netlist.a_bits != self.netlist.b_bits:
            raise ValueError(f"netlist is {self.netlist!r}, expected unsigned operands of one width")
        _check_width((1 << self.netlist.out_bits) - 1)

    def __call__(self, a: Integers, b: Integers) -> Integers:
        return self.netlist(a, b).astype(np.uint64)

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, (1 << self.netlist.out_bits) - 1


def _check_width(largest: int) -> None:
    if largest.bit_length() > _MAX_PRODUCT_BITS:
        raise ValueError(
            f"products can reach {largest}, which needs {largest.bit_length()} bits; "
            f"{_MAX_PRODUCT_BITS} is the limit, so that they are exact in float64"
        )

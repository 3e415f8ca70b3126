"""A table's terms in the types that tensor cores multiply, and how a sum is cut so that it stays exact."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.factored_table import LEAST_DEPTH, FactoredTable, Part

COMPUTE_TYPES = ("int8", "float16")

_LARGEST_HALF = 2048  # up to it float16 holds every integer
_ALIGNMENT = 64  # bytes that rows of expanded operands are a multiple of


@dataclass(frozen=True)
class Terms:
    """Terms of a table in the type that they are multiplied in; their sums count ``2**shift`` times.

    Attributes:
        left, right: (256, R), int8 or float16, C-contiguous: the numbers that a byte becomes.
        shift: the power of two.
        depth: as ``Part.depth``: how many operand pairs can be summed exactly, in any order.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    shift: int
    depth: int

    @property
    def count(self) -> int:
        """How many they are: R."""
        return int(self.left.shape[1])

    @property
    def unit(self) -> int:
        """Bytes that an operand becomes."""
        return self.count * self.left.itemsize


_made: WeakKeyDictionary[FactoredTable, dict[str, tuple[Terms, ...]]] = WeakKeyDictionary()


class Piece(NamedTuple):
    """The products of some terms over ``start <= k < stop``; ``part`` is the number of these terms."""

    part: int
    terms: Terms
    start: int
    stop: int

    @property
    def width(self) -> int:
        """Bytes of an expanded row; without operands it holds zeros."""
        return -(-max(1, (self.stop - self.start) * self.terms.unit) // _ALIGNMENT) * _ALIGNMENT


def terms_of(table: FactoredTable, compute_type: str) -> tuple[Terms, ...]:
    """The table's terms in the type ``compute_type``; at least one, if need be of zeros.

    Raises:
        ValueError: there is no such compute_type, or it cannot carry this table.
    """
    if compute_type not in COMPUTE_TYPES:
        raise ValueError(f"compute_type is {compute_type!r}, expected one of {', '.join(COMPUTE_TYPES)}")
    of_table = _made.setdefault(table, {})
    if compute_type not in of_table:
        of_table[compute_type] = _byte_terms(table) if compute_type == "int8" else _half_terms(table)
    return of_table[compute_type]


def _byte_terms(table: FactoredTable) -> tuple[Terms, ...]:
    return tuple(_terms(part, np.dtype(np.int8)) for part in table.parts("int8") or (_nothing(),))


def _half_terms(table: FactoredTable) -> tuple[Terms, ...]:
    (part,) = table.parts("float32") or (_nothing(),)
    if max(np.abs(part.left).max(), np.abs(part.right).max()) > _LARGEST_HALF or part.depth < LEAST_DEPTH:
        raise ValueError(
            f"compute_type is 'float16', but it takes components of up to {_LARGEST_HALF} whose sums are "
            f"exact for at least {LEAST_DEPTH} operand pairs; expected 'int8'"
        )
    return (_terms(part, np.dtype(np.float16)),)


def carries(table: FactoredTable, compute_type: str) -> bool:
    """Whether ``terms_of`` knows the table's terms in that type, at a depth that is worth it."""
    try:
        return all(terms.depth >= LEAST_DEPTH for terms in terms_of(table, compute_type))
    except ValueError:
        return False


def pieces_of(table: FactoredTable, compute_type: str, k: int) -> tuple[Piece, ...]:
    """What is multiplied for sums over ``k`` operand pairs; at least one piece, if k is 0 an empty one."""
    made = []
    for part, terms in enumerate(terms_of(table, compute_type)):
        count = max(1, -(-k // terms.depth))
        edges = [k * i // count for i in range(count + 1)]
        made += [Piece(part, terms, start, stop) for start, stop in pairwise(edges)]
    return tuple(made)


def _terms(part: Part, dtype: np.dtype[Any]) -> Terms:
    left, right = (np.ascontiguousarray(side.T.astype(dtype)) for side in (part.left, part.right))
    return Terms(left, right, part.shift, part.depth)


def _nothing() -> Part:
    return Part(np.zeros((1, 256), np.int8), np.zeros((1, 256), np.int8), 0)

"""Exact low-rank factors of product tables.

A table of rank R is a sum of R products of one-operand functions,

    T[a, b] = sum over r of 2**log2_scales[r] * left[r, a] * right[r, b],

exactly, in integers. With it a matrix product through the approximate multiplier is R exact ones. Many
published circuits have such a form with small entries, often as the exact product and a few terms more;
others have a rank so near 256 that looking products up is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.arrays import as_array
from axsim.errors import TableError
from axsim.tables.lattice import content, limbs, narrow_factors, rank
from axsim.tables.product import ProductTable, operands

MAX_TERMS = 32

# What holds a component exactly: least and greatest integer. Half precision has 11 significand bits.
COMPONENT_TYPES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "float16": (-2048, 2048),
    "int16": (-32768, 32767),
}


@dataclass(frozen=True)
class Term:
    """What one term of a factorisation asks of the hardware.

    Attributes:
        left_limits, right_limits: least and greatest entry of the term's two components.
        log2_scale: power of two that multiplies the term.
        left_types, right_types: which of int8, uint8, float16 and int16 hold the components as they stand.
        byte_products: products of single bytes it stands for, once a constant is subtracted from each
            component (which changes only row and column sums): 1 if both ranges are at most 255.
    """

    left_limits: tuple[int, int]
    right_limits: tuple[int, int]
    log2_scale: int
    left_types: tuple[str, ...]
    right_types: tuple[str, ...]
    byte_products: int


@dataclass(frozen=True, eq=False)
class Factors:
    """A product table as a sum of products of one-operand functions; see the module's docstring.

    Attributes:
        left: int32 (R, A), read-only; ``left[r, a]``.
        right: int32 (R, B), read-only; ``right[r, b]``.
        log2_scales: int32 (R,), read-only, not negative.

    Raises:
        TypeError: an array does not hold integers.
        ValueError: the shapes do not fit together, or a number is out of range.

    >>> from axsim.tables import ProductTable
    >>> table = ProductTable.from_function(lambda a, b: a * (b & ~1), 4, 4)
    >>> factors = Factors([range(16)], [[b >> 1 for b in range(16)]], [1])
    >>> factors.verify(table.values)
    >>> factors.terms[0].right_limits, factors.terms[0].byte_products
    ((0, 7), 1)
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    log2_scales: NDArray[np.int32]

    def __post_init__(self) -> None:
        for name in ("left", "right", "log2_scales"):
            object.__setattr__(self, name, _int32(name, getattr(self, name)))
        shapes = [array.shape for array in (self.left, self.right, self.log2_scales)]
        if [len(shape) for shape in shapes] != [2, 2, 1] or len({shape[0] for shape in shapes}) != 1:
            raise ValueError(
                f"left, right and log2_scales have shapes {shapes}, expected (R, A), (R, B), (R,)"
            )
        if np.any((self.log2_scales < 0) | (self.log2_scales > 31)):
            raise ValueError(f"log2_scales are {self.log2_scales.tolist()}, expected 0 to 31")

    def __len__(self) -> int:
        return len(self.log2_scales)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Factors):
            return NotImplemented
        return all(np.array_equal(*pair) for pair in zip(self._arrays, other._arrays, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[object, ...]:
        # Through the constructor: arrays lose their read-only flag when they are pickled.
        return Factors, self._arrays

    @property
    def _arrays(self) -> tuple[NDArray[np.int32], ...]:
        return self.left, self.right, self.log2_scales

    @property
    def terms(self) -> tuple[Term, ...]:
        """The size of every term's components."""
        counts = limbs(self.left.astype(np.int64)) * limbs(self.right.astype(np.int64))
        terms = []
        for left, right, scale, count in zip(self.left, self.right, self.log2_scales, counts, strict=True):
            a, b = _limits(left), _limits(right)
            terms.append(Term(a, b, int(scale), _types(a), _types(b), int(count)))
        return tuple(terms)

    def products(self) -> NDArray[np.int64]:
        """The table that the factors stand for: int64 (A, B)."""
        scaled = self.left.astype(np.int64) << self.log2_scales[:, None]
        return np.asarray(scaled.T @ self.right.astype(np.int64))

    def verify(self, values: NDArray[np.integer[Any]]) -> None:
        """Raise TableError, naming the first wrong pair, unless the factors give ``values`` throughout."""
        found = self.products()
        if found.shape != values.shape:
            raise TableError(f"the factors are of a table of shape {found.shape}, not {values.shape}")
        wrong = np.argwhere(found != values)
        if len(wrong):
            a, b = (int(i) for i in wrong[0])
            raise TableError(
                f"the factors are not those of the table: {len(wrong)} of {found.size} products differ, the "
                f"first at [{a}, {b}]: {found[a, b]}, expected {values[a, b]}; factor the table again"
            )


def factor(table: ProductTable, max_terms: int = MAX_TERMS) -> Factors | None:
    """Exact factors of ``table`` in few, small terms, or None where it takes more than ``max_terms``
    or factors in 32-bit integers are not found.

    Raises:
        ImportError: python-flint is not installed.

    >>> import pytest; _ = pytest.importorskip("flint")
    >>> from axsim.tables import ProductTable
    >>> factors = factor(ProductTable.from_function(lambda a, b: a * b + 4 * (a & b & 1), 4, 4))
    >>> [(t.left_limits, t.right_limits, t.log2_scale) for t in factors.terms]
    [((0, 15), (0, 15), 0), ((0, 1), (0, 1), 2)]
    """
    a, b = operands(table.a_bits, table.signed), operands(table.b_bits, table.signed)
    return factor_products(table.values.astype(np.int64), a, b, max_terms)


def factor_products(
    values: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], max_terms: int = MAX_TERMS
) -> Factors | None:
    """Exact factors of ``values`` (A, B), the products of the operands ``a`` (A,) and ``b`` (B,).

    Either the products themselves are factored, or their errors, with the exact product as the first term,
    whichever takes fewer terms (the errors where equal: they are smaller). What comes out is verified on all
    pairs. None where it takes more than ``max_terms`` or factors in 32-bit integers are not found.

    Raises:
        ImportError: python-flint is not installed.
    """
    error = values - np.multiply.outer(a, b)
    terms, error_terms = rank(values), rank(error)
    if min(terms, 1 + error_terms) > max_terms:
        return None
    with_product = 1 + error_terms <= terms
    pair = narrow_factors(error if with_product else values)
    if pair is None:
        return None
    left, right = pair
    if with_product:
        left, right = np.concatenate([a[None], left]), np.concatenate([b[None], right])
    left_content, right_content = content(left), content(right)
    factors = Factors(
        left // left_content[:, None],
        right // right_content[:, None],
        np.log2(left_content * right_content).astype(np.int32),
    )
    factors.verify(values)
    return factors


def _limits(component: NDArray[np.int32]) -> tuple[int, int]:
    return int(component.min()), int(component.max())


def _types(limits: tuple[int, int]) -> tuple[str, ...]:
    return tuple(
        name for name, (low, high) in COMPONENT_TYPES.items() if low <= limits[0] and limits[1] <= high
    )


def _int32(name: str, values: Any) -> NDArray[np.int32]:
    raw = as_array(name, values)
    if raw.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {raw.dtype}, expected integers")
    limits = np.iinfo(np.int32)
    if raw.size and not (limits.min <= raw.min() and raw.max() <= limits.max):
        raise ValueError(f"{name} reaches {raw.min()} to {raw.max()}, expected int32 numbers")
    array = raw.astype(np.int32)
    array.flags.writeable = False
    return array

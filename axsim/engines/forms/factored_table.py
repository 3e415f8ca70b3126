"""A factored table made ready for exact matrix products: which numbers to multiply, how many sums are safe.

With a table ``T[a, b] = sum over r of 2**s_r U[r, a] V[r, b]`` of operand bytes, constants are subtracted
from the components first,

    u v = (u - m)(v - n) + n (u - m) + m v,

so that their ranges lie around 0: what is added depends on one operand only, and its sums are sums over rows
of a and columns of b. The centred components are then cast into a type that some library multiplies fast: a
``Part``, which also knows the depth up to which its sums are exact. For the compiled kernels there is
``axsim.engines.forms.integer_form``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.folded import FoldedTable, byte_dtype
from axsim.engines.forms.integer_form import IntegerForm, Term, integer_form, with_signs
from axsim.engines.isa import NATIVE_IS_BUILT, byte_sums
from axsim.errors import TableError
from axsim.once import cached_property
from axsim.tables.factor import MAX_TERMS, Factors, factor_products
from axsim.tables.factor_library import key, library
from axsim.tables.product import ProductTable

Integers = NDArray[np.int64]

# Of the left and the right operand: whether a sign stands beside its byte.
Signs = tuple[bool, bool]
UNSIGNED = (False, False)

# The magnitude up to which sums are exact in every order; int8 products are summed in int32.
EXACT_SUMS = {"int8": 2**31 - 1, "float32": 2**24, "float64": 2**53}

# Where fewer pairs can be summed at a time, adding up the pieces costs about as much as the products.
LEAST_DEPTH = 64


@dataclass(frozen=True, eq=False)
class Part:
    """Some of a table's terms in a type that a library multiplies; its sums count ``2**shift`` times.

    Attributes:
        left, right: (R, 256) of one type: int8, float32 or float64; integers, whatever the type.
        shift: power of two to multiply the part's sums with.
        depth: the number of operand pairs (not of terms) whose sum is exact in every order of summation: the
            magnitudes of all products that they can give add up to no more than ``EXACT_SUMS``. 0 where not
            even one pair is safe.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    shift: int
    depth: int = field(init=False)

    def __post_init__(self) -> None:
        # Not by a BLAS: this happens in any thread, whatever others do meanwhile (``axsim.forks``).
        left, right = (np.abs(side.astype(np.float64)) for side in (self.left, self.right))
        magnitudes = np.einsum("ri,rj->ij", left, right)
        object.__setattr__(self, "depth", int(EXACT_SUMS[self.left.dtype.name] // max(magnitudes.max(), 1)))


@dataclass(frozen=True, eq=False)
class FactoredTable:
    """A folded table as ``left_sums[a] + right_sums[b] + sum over r of 2**shifts[r] left[r, a] right[r, b]``.

    Attributes:
        left, right: int64 (R, 256), the centred components, indexed by operand bytes.
        shifts: int64 (R,), not negative.
        left_sums, right_sums: int64 (256,).
        left_middles, right_middles: int64 (R,), what was subtracted from the components.
    """

    left: Integers
    right: Integers
    shifts: Integers
    left_sums: Integers
    right_sums: Integers
    left_middles: Integers
    right_middles: Integers

    def integer_form(self, byte_sums: int, signs: Signs = UNSIGNED) -> IntegerForm | None:
        """The form that compiled kernels multiply (``axsim.engines.forms.integer_form``).

        ``signs`` says of the left and the right operand whether a sign stands beside its byte. None where a
        component does not fit 16 bits.
        """
        key = byte_sums, signs
        if key not in self._integer_forms:
            # The components as they were: constants are subtracted only where that form needs it.
            scale = np.int64(1) << self.shifts[:, None]
            u, v = self.left_middles[:, None], self.right_middles[:, None]
            left, right = self.left + u, self.right + v
            left_rest = self.left_sums - np.sum(scale * v * self.left, axis=0)
            right_rest = self.right_sums - np.sum(scale * u * right, axis=0)
            terms = map(Term, left, right, self.shifts.tolist())
            signed = with_signs(terms, left_rest, right_rest, left=signs[0], right=signs[1])
            self._integer_forms[key] = integer_form(*signed, byte_sums)
        return self._integer_forms[key]

    def native_form(self, signs: Signs = UNSIGNED) -> IntegerForm | None:
        """``integer_form`` for the kernels in use; None also where there are none."""
        return self.integer_form(byte_sums(), signs) if NATIVE_IS_BUILT else None

    def parts(self, compute_type: str) -> tuple[Part, ...]:
        """The terms for the library that multiplies ``compute_type``: "int8", "float32", "float64".

        Raises:
            ValueError: there is no such compute_type.
        """
        if compute_type not in EXACT_SUMS:
            raise ValueError(f"compute_type is {compute_type!r}, expected one of {', '.join(EXACT_SUMS)}")
        if compute_type not in self._parts:
            self._parts[compute_type] = (
                self._byte_parts() if compute_type == "int8" else self._float_parts(compute_type)
            )
        return self._parts[compute_type]

    def depth(self, compute_type: str) -> int:
        """How many operand pairs can be summed exactly in one product of that type; 0 if not even one, or no
        such product.

        Raises:
            ValueError: there is no such compute_type.
        """
        if compute_type == "native":
            return form.depth if (form := self.native_form()) else 0
        return min((part.depth for part in self.parts(compute_type)), default=EXACT_SUMS[compute_type])

    def products(self, compute_type: str) -> int:
        """How many exact products one approximate product takes."""
        if compute_type == "native":
            return form.products if (form := self.native_form()) else 0
        return sum(len(part.left) for part in self.parts(compute_type))

    @cached_property
    def _integer_forms(self) -> dict[tuple[int, Signs], IntegerForm | None]:
        return {}

    @cached_property
    def _parts(self) -> dict[str, tuple[Part, ...]]:
        return {}

    def _float_parts(self, compute_type: str) -> tuple[Part, ...]:
        # A factor common to all terms costs bits of the sum and nothing else.
        common = int(self.shifts.min(initial=63))
        scaled = self.left << (self.shifts - common)[:, None]
        return (
            (Part(scaled.astype(compute_type), self.right.astype(compute_type), common),)
            if len(scaled)
            else ()
        )

    def _byte_parts(self) -> tuple[Part, ...]:
        by_shift: dict[int, list[tuple[Integers, Integers]]] = {}
        for left, right, shift in zip(self.left, self.right, self.shifts, strict=True):
            for u, left_shift in _bytes_of(left):
                for v, right_shift in _bytes_of(right):
                    *pair, rest = _absorb(u, v, int(shift) + left_shift + right_shift)
                    by_shift.setdefault(rest, []).append((pair[0], pair[1]))
        return tuple(
            Part(np.array([u for u, _ in pairs], np.int8), np.array([v for _, v in pairs], np.int8), shift)
            for shift, pairs in sorted(by_shift.items())
        )


# Apart from each other: "auto" knows only the former, so that no search before a call changes what it takes.
_known: WeakKeyDictionary[FoldedTable, FactoredTable | None] = WeakKeyDictionary()
_found: WeakKeyDictionary[FoldedTable, FactoredTable] = WeakKeyDictionary()


def known_form(
    product: ProductTable,
    folded: FoldedTable,
    a_dtype: np.dtype[Any],
    b_dtype: np.dtype[Any],
    name: str = "the table",
) -> FactoredTable | None:
    """The factored form of ``product`` folded for these types, if its factors come with axsim; made once and
    kept.

    Warns:
        RuntimeWarning: the factors that come with axsim cannot be read or are not those of the table; it is
            then treated as one without.
    """
    if folded not in _known:
        try:
            factors = library().get(_key(product, a_dtype, b_dtype))
            _known[folded] = None if factors is None else prepare(factors, folded)
        except TableError as problem:
            warnings.warn(
                f"products of {name} are looked up instead: {problem}", RuntimeWarning, stacklevel=2
            )
            _known[folded] = None
    return _known[folded]


def has_no_factors(product: ProductTable, a_dtype: np.dtype[Any], b_dtype: np.dtype[Any]) -> bool:
    """Whether it is known, without a search, that there are none of at most ``MAX_TERMS`` terms."""
    try:
        return library().get(_key(product, a_dtype, b_dtype), ()) is None
    except TableError:  # known_form warns of it
        return False


def found_form(
    product: ProductTable,
    folded: FoldedTable,
    a_dtype: np.dtype[Any],
    b_dtype: np.dtype[Any],
    name: str = "the table",
) -> FactoredTable:
    """The factored form, its factors searched for where they are not known; made once and kept.

    ``name`` is what messages call the table.

    Raises:
        ValueError: the table has no factors of at most ``MAX_TERMS`` terms, or they are not known and
            python-flint, which finds them, is not installed.
    """
    form = known_form(product, folded, a_dtype, b_dtype, name) or _found.get(folded)
    if form is None:
        try:
            factors = factor_folded(folded, a_dtype, b_dtype)
        except ImportError as problem:
            raise ValueError(
                f"no factors of {name} for {a_dtype} and {b_dtype} operands come with axsim; "
                f"{problem}, or choose engine='native'"
            ) from problem
        if factors is None:
            raise ValueError(
                f"{name} has no exact factors of at most {MAX_TERMS} terms for {a_dtype} and {b_dtype} "
                "operands; choose engine='native'"
            )
        form = _found[folded] = prepare(factors, folded)
    return form


def factor_folded(
    folded: FoldedTable, a_dtype: np.dtype[Any], b_dtype: np.dtype[Any], max_terms: int = MAX_TERMS
) -> Factors | None:
    """Factors, indexed by operand bytes, of the table folded for these types; None where it takes too many.

    Where an operand is int8, its magnitudes reach only half of an unsigned circuit's rows, which often have a
    lower rank than the whole table: each pair of types has factors of its own.

    Raises:
        ImportError: python-flint is not installed.
    """
    a, b = _operands(a_dtype, folded.a_limits), _operands(b_dtype, folded.b_limits)
    return factor_products(folded.values.astype(np.int64), a, b, max_terms)


def prepare(factors: Factors, folded: FoldedTable) -> FactoredTable:
    """The factors of a folded table made ready for the engine, once they are found to be its factors.

    Raises:
        TableError: they give another product for some pair of bytes.
    """
    factors.verify(folded.values)
    left, right = factors.left.astype(np.int64), factors.right.astype(np.int64)
    shifts = factors.log2_scales.astype(np.int64)
    scale, left_middle, right_middle = np.int64(1) << shifts[:, None], _middle(left), _middle(right)
    left_sums = np.sum(scale * right_middle * (left - left_middle), axis=0)
    right_sums = np.sum(scale * left_middle * right, axis=0)
    left, right = left - left_middle, right - right_middle
    varies = left.any(axis=1) & right.any(axis=1)  # the other terms are in the sums
    return FactoredTable(
        left[varies],
        right[varies],
        shifts[varies],
        left_sums,
        right_sums,
        left_middle[varies, 0],
        right_middle[varies, 0],
    )


def _key(product: ProductTable, a_dtype: np.dtype[Any], b_dtype: np.dtype[Any]) -> str:
    return key(product.sha256, byte_dtype(a_dtype).name, byte_dtype(b_dtype).name)


def _operands(dtype: np.dtype[Any], limits: tuple[int, int]) -> Integers:
    """The operand that each byte stands for; 0 for those beyond the limits, whose products fold to 0."""
    operand = np.arange(256, dtype=np.uint8).view(byte_dtype(dtype)).astype(np.int64)
    return np.where((limits[0] <= operand) & (operand <= limits[1]), operand, 0)


def _middle(rows: Integers) -> Integers:
    return np.asarray((rows.max(axis=1, keepdims=True) + rows.min(axis=1, keepdims=True) + 1) // 2)


def _bytes_of(component: Integers) -> Iterator[tuple[Integers, int]]:
    """``component`` as a sum of int8 rows times powers of two: (row, log2 of its power)."""
    shift = 0
    while component.any():
        fits = component.min() >= -128 and component.max() <= 127
        low = component if fits else (component + 128) % 256 - 128
        yield low, shift
        component, shift = (component - low) >> 8, shift + 8


def _absorb(left: Integers, right: Integers, shift: int) -> tuple[Integers, Integers, int]:
    """As much of a power of two as the components hold in a byte, so that more terms share a product."""
    while shift and (np.abs(left).max() <= 63 or np.abs(right).max() <= 63):
        if np.abs(left).max() <= 63:
            left = 2 * left
        else:
            right = 2 * right
        shift -= 1
    return left, right, shift

"""Factors as the compiled integer matrix product takes them: 16-bit words and, where they are small, bytes.

A product of bytes takes half the time of one of words. But the sums of bytes have limits that depend on the
instructions: where pairs of byte products are added up in 16 bits, only terms of small components fit. So
every term is tried as bytes first,

    u v = (u - p)(v - q) + q (u - p) + p v,

with constants p and q that make its left component unsigned and its right one signed; they are 0 wherever
possible, because what they add takes time, too. The terms that remain are words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

WORD_SUMS = 2**31 - 1
# 16-bit sums of bytes are moved to 32 bits after this many instructions or more: then it takes little time.
_LEAST_STEPS = 16
# Where sums have 32 bits, they must last for this many pairs.
_LEAST_DEPTH = 64

_WORD, _LEFT_BYTE, _RIGHT_BYTE = (-(2**15), 2**15 - 1), (0, 255), (-128, 127)


class Term(NamedTuple):
    """``2**shift * left[a] * right[b]``."""

    left: Integers
    right: Integers
    shift: int

    @property
    def largest(self) -> tuple[int, int]:
        """The largest magnitudes of the two components."""
        return int(np.abs(self.left).max()), int(np.abs(self.right).max())


@dataclass(frozen=True, eq=False)
class IntegerPart:
    """Terms that are multiplied as words or as bytes, and whose sums count ``2**shift`` times.

    Attributes:
        left, right: int16 (R, 256), or (R, 512) of operands with a sign. Of bytes, the left ones are 0 to
            255 and the right ones -128 to 127.
        shift: power of two to multiply the part's sums with.
        bytes: whether they are multiplied as bytes.
        depth: the number of operand pairs whose products are sure to fit the sums, in every order.
    """

    left: NDArray[np.int16]
    right: NDArray[np.int16]
    shift: int
    bytes: bool
    depth: int


@dataclass(frozen=True, eq=False)
class IntegerForm:
    """``T[a, b] = left_sums[a] + right_sums[b] +`` the products of all parts, each times its power of two.

    Attributes:
        parts: at most one of words and one of bytes for each power of two.
        left_sums, right_sums: int64 (256,), or (512,) of operands with a sign.
        byte_sums: the largest magnitude that sums of bytes reach: what the depth of parts in bytes is for.
    """

    parts: tuple[IntegerPart, ...]
    left_sums: Integers
    right_sums: Integers
    byte_sums: int

    @property
    def products(self) -> int:
        """How many exact products one approximate product takes."""
        return sum(len(part.left) for part in self.parts)

    @property
    def largest(self) -> int:
        """The largest magnitude of T."""
        table = self.left_sums[:, None] + self.right_sums
        for part in self.parts:
            table += (part.left.astype(np.int64).T @ part.right.astype(np.int64)) << part.shift
        return int(np.abs(table).max())

    @property
    def word_products(self) -> float:
        """The products of words that take as long."""
        return sum(len(part.left) * (0.5 if part.bytes else 1.0) for part in self.parts)

    @property
    def depth(self) -> int:
        """How many operand pairs fit the sums of words; sums of bytes are emptied in time."""
        return min((part.depth for part in self.parts if not part.bytes), default=WORD_SUMS)


class _Fitted(NamedTuple):
    """A term and what it was made for some width: ``term`` is ``fitted`` plus a row sum and a column sum."""

    term: Term
    fitted: Term
    left_constant: int
    right_constant: int

    def lowered(self, shift: int, left_most: int, right_most: int) -> _Fitted:
        """As much of its power of two beyond ``shift`` in the components as fits: more terms share one."""
        left, right, own = self.fitted
        while own > shift:
            largest = int(np.abs(left).max()), int(np.abs(right).max())
            if 2 * largest[0] <= left_most and (largest[0] <= largest[1] or 2 * largest[1] > right_most):
                left = 2 * left
            elif 2 * largest[1] <= right_most:
                right = 2 * right
            else:
                break
            own -= 1
        return self._replace(fitted=Term(left, right, own))

    def sums(self) -> tuple[Integers, Integers]:
        """What is to be added for each left and each right operand."""
        left, right, shift = self.term
        scale = 1 << shift
        return (
            scale * self.right_constant * left,
            scale * self.left_constant * (right - self.right_constant),
        )


def with_signs(
    terms: Iterable[Term], left_sums: Integers, right_sums: Integers, *, left: bool, right: bool
) -> tuple[list[Term], Integers, Integers]:
    """The terms and sums of the table whose operands, ``left`` or ``right`` or both, have a sign beside the
    magnitude: index 256 + m stands for -m, and ``T[-a, b] = -T[a, b]``.

    A sum that depends on the other operand alone changes its sign with this one, and so becomes a term.
    """
    terms = list(terms)
    signs = np.repeat(np.array([1, -1], np.int64), 256)
    if left:
        if right_sums.any():
            shift = _power_of_two(right_sums)
            terms.append(Term(np.ones(256, np.int64), right_sums >> shift, shift))
            right_sums = np.zeros_like(right_sums)
        terms = [Term(signs * np.tile(term.left, 2), term.right, term.shift) for term in terms]
        left_sums = signs * np.tile(left_sums, 2)
    if right:
        if left_sums.any():
            shift = _power_of_two(left_sums)
            terms.append(Term(left_sums >> shift, np.ones(256, np.int64), shift))
            left_sums = np.zeros_like(left_sums)
        terms = [Term(term.left, signs * np.tile(term.right, 2), term.shift) for term in terms]
        right_sums = signs * np.tile(right_sums, 2)
    return terms, left_sums, right_sums


def _power_of_two(numbers: Integers) -> int:
    """How often 2 divides all of them, which are not all 0."""
    bits = int(np.bitwise_or.reduce(numbers))
    return (bits & -bits).bit_length() - 1


def integer_form(
    terms: Iterable[Term], left_sums: Integers, right_sums: Integers, byte_sums: int
) -> IntegerForm | None:
    """The form of ``T[a, b] = left_sums[a] + right_sums[b] +`` the sum of the terms; None where a component
    does not fit a word.

    Args:
        terms: with components in int64, as long as the sums.
        left_sums, right_sums: int64 (256,); (512,) of operands with a sign: at 256 + m those of -m.
        byte_sums: the largest magnitude that the kernels' sums of bytes may reach; 0 if they have none.
    """
    small, large = [], []
    for term in terms:
        fitted = _as_bytes(term) if byte_sums else None
        if fitted is not None and _how_many_last([fitted], byte_sums):
            small.append(fitted)
        else:
            large.append(term)
    groups = []
    for group in _by_shift(small, _LEFT_BYTE[1], -_RIGHT_BYTE[0] - 1):
        taken = _how_many_last(group, byte_sums)
        large += [fitted.term for fitted in group[taken:]]
        if taken:
            groups.append((group[:taken], True))
    words = [_as_words(term, always=False) for term in large]
    if _depth(words, WORD_SUMS) < _LEAST_DEPTH:
        words = [_as_words(term, always=True) for term in large]
    if not all(_fits(f.fitted.left, _WORD) and _fits(f.fitted.right, _WORD) for f in words):
        return None
    groups += [(group, False) for group in _by_shift(words, _WORD[1], _WORD[1])]
    for fitted in (fitted for group, _ in groups for fitted in group):
        own_left, own_right = fitted.sums()
        left_sums, right_sums = left_sums + own_left, right_sums + own_right
    parts = tuple(_part(*group, byte_sums) for group in groups)
    return IntegerForm(parts, left_sums, right_sums, byte_sums)


def _as_bytes(term: Term) -> _Fitted | None:
    if term.left.max() <= 0:
        term = Term(-term.left, -term.right, term.shift)
    left_constant = 0 if _fits(term.left, _LEFT_BYTE) else int(term.left.min())
    right_constant = 0 if _fits(term.right, _RIGHT_BYTE) else _middle(term.right)
    left, right = term.left - left_constant, term.right - right_constant
    if not (_fits(left, _LEFT_BYTE) and _fits(right, _RIGHT_BYTE)):
        return None
    return _Fitted(term, Term(left, right, term.shift), left_constant, right_constant)


def _as_words(term: Term, *, always: bool) -> _Fitted:
    """With constants subtracted where a component needs it, or always."""
    left_constant, right_constant = (
        _middle(side) if always or not _fits(side, _WORD) else 0 for side in (term.left, term.right)
    )
    left, right = term.left - left_constant, term.right - right_constant
    return _Fitted(term, Term(left, right, term.shift), left_constant, right_constant)


def _by_shift(terms: list[_Fitted], left_most: int, right_most: int) -> list[list[_Fitted]]:
    """In groups of one power of two, as few as the components allow; those of small products first."""
    lowest = min((fitted.term.shift for fitted in terms), default=0)
    groups: dict[int, list[_Fitted]] = {}
    for fitted in terms:
        lowered = fitted.lowered(lowest, left_most, right_most)
        groups.setdefault(lowered.fitted.shift, []).append(lowered)
    return [sorted(group, key=lambda f: math.prod(f.fitted.largest)) for _, group in sorted(groups.items())]


def _how_many_last(group: list[_Fitted], byte_sums: int) -> int:
    """How many of the first terms can be multiplied as bytes without moving their sums too often."""
    for count in range(len(group), 0, -1):
        depth = _depth(group[:count], byte_sums)
        # A step multiplies four operand pairs for one term; 16 bits add up two of them.
        if depth >= _LEAST_DEPTH if byte_sums == WORD_SUMS else depth // 2 * count >= _LEAST_STEPS:
            return count
    return 0


def _depth(group: list[_Fitted], most: int) -> int:
    """How many operand pairs can be added up before some sum could exceed ``most`` in magnitude."""
    magnitudes = np.zeros((1, 1), np.int64)
    for left, right, _ in (fitted.fitted for fitted in group):
        magnitudes = magnitudes + np.abs(left)[:, None] * np.abs(right)
    return int(most // max(int(magnitudes.max()), 1))


def _part(group: list[_Fitted], as_bytes: bool, byte_sums: int) -> IntegerPart:
    left, right = (np.array([fitted.fitted[side] for fitted in group], np.int16) for side in (0, 1))
    depth = _depth(group, byte_sums if as_bytes else WORD_SUMS)
    return IntegerPart(left, right, group[0].fitted.shift, as_bytes, depth)


def _fits(component: Integers, limits: tuple[int, int]) -> bool:
    return bool(limits[0] <= component.min() and component.max() <= limits[1])


def _middle(component: Integers) -> int:
    return (int(component.max()) + int(component.min()) + 1) // 2

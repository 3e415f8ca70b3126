"""Integer factors ``M = U' V`` of a matrix, by lattice reduction.

The rows of an integer matrix M of rank R span a lattice. With a basis V (R rows) of any integer lattice that
contains them, ``M = U' V`` has an integer U. Which basis, and which of the lattices between the rows' own
and the largest (the saturated one), decides how the size of M's entries is shared between U and V. The search
here makes every row of both narrow enough for a byte, or as many as it can:

* a basis from the Hermite normal form (H. Cohen, "A Course in Computational Algebraic Number Theory",
  Springer 1993, section 2.4), once of the rows and once of the columns;
* LLL reduction (A. K. Lenstra, H. W. Lenstra, L. Lovász, Math. Ann. 261, 1982, doi 10.1007/BF01457454), not
  of V alone, which leaves U wide, but in a metric between V's and that of U's dual (``balanced``);
* a descent that adds a multiple of one row to another and undoes it in the other factor (``polish``), as in
  M. Seysen's simultaneous reduction of a basis and its dual (Combinatorica 13, 1993, doi 10.1007/BF01202355),
  but for the bits that the rows' ranges take;
* steps to a finer lattice on one side: a combination of rows that a prime divides (``refinements``).

All of it is exact: floats only choose among exact steps. The lattice algorithms are FLINT's (python-flint).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.forks import unforked

Integers = NDArray[np.int64]
Pair = tuple[Integers, Integers]

BYTE_BITS = 8
_METRICS = (0.5, 0.0, 1.0, 0.25, 0.75)  # 0: V's own metric, 1: that of U's dual
_MULTIPLES = np.array([1, -1, 2, -2])
_PRIMES = (2, 3, 5)
_SIZE_WEIGHT = 0.01  # a bit below byte size counts, but little beside one above it
_POLISH_STEPS, _REFINE_STEPS, _REFINE_WIDTH = 400, 40, 4


def rank(matrix: Integers) -> int:
    """The rank modulo the prime 2**61 - 1.

    It is never above the rank over the integers, and below it only where the prime divides all the largest
    minors that are not 0.

    Raises:
        ImportError: python-flint is not installed.

    >>> import pytest; _ = pytest.importorskip("flint")
    >>> rank(np.array([[1, 2, 3], [2, 4, 6], [0, 0, 1]]))
    2
    """
    return int(import_flint().nmod_mat(_lists(matrix), 2**61 - 1).rank())


def narrow_factors(matrix: Integers) -> Pair | None:
    """``U, V`` (R rows each, int64) with ``matrix == U.T @ V``, R the rank, and rows of small range.

    None where the search meets only entries beyond 32 bits, as with a matrix of large unrelated numbers.

    Raises:
        ImportError: python-flint is not installed.
    """
    if not matrix.any():
        return np.zeros((0, matrix.shape[0]), np.int64), np.zeros((0, matrix.shape[1]), np.int64)
    rows, row_of = np.unique(matrix, axis=0, return_inverse=True)
    core, column_of = np.unique(rows, axis=1, return_inverse=True)
    found = _search(core)
    if found is None or not _is_small(found):
        return None
    left, right = found
    return left[:, row_of.reshape(-1)], right[:, column_of.reshape(-1)]


def content(rows: Integers) -> Integers:
    """The largest power of two that divides each row (1 for a row of zeros): along the last axis."""
    divisor = np.gcd.reduce(rows, axis=-1)
    return np.asarray(np.maximum(divisor & -divisor, 1))


def limbs(rows: Integers) -> Integers:
    """How many bytes hold each row once its content is divided out and its range is shifted to 0."""
    return np.maximum(np.ceil(_bits(rows) / BYTE_BITS), 1).astype(np.int64)


def _search(matrix: Integers) -> Pair | None:
    """The narrowest factors found, if any; stops at the first whose rows all fit bytes."""
    best: Pair | None = None
    for start in _starts(matrix):
        pair = polish(*start)
        if best is None or _cost(pair) < _cost(best):
            best = pair
        if _fits(best):
            return best
    return None if best is None else _refine(best)


def _starts(matrix: Integers) -> Iterator[Pair]:
    by_rows = basis_factors(matrix)
    by_columns = basis_factors(matrix.T)[::-1]
    for metric in _METRICS:
        for pair in (by_rows, by_columns):
            if _is_small(pair):
                start = balanced(*pair, metric)
                if _is_small(start):
                    yield start


def _refine(pair: Pair) -> Pair:
    """Descend through finer lattices as long as that narrows the rows."""
    for _ in range(_REFINE_STEPS):
        finer = [*refinements(*pair), *(other[::-1] for other in refinements(*pair[::-1]))]
        finer.sort(key=_cost)
        polished = [polish(*other) for other in finer[:_REFINE_WIDTH]]
        best = min(polished, key=_cost, default=pair)
        if _cost(best) >= _cost(pair):
            return pair
        pair = best
        if _fits(pair):
            return pair
    return pair


def basis_factors(matrix: Integers) -> Pair:
    """``U, V`` with ``matrix == U.T @ V``, V an LLL-reduced basis of the lattice that the rows span."""
    flint = import_flint()
    hermite = [row for row in flint.fmpz_mat(_lists(matrix)).hnf().tolist() if any(row)]
    pivots = [next(column for column, entry in enumerate(row) if entry) for row in hermite]
    # The Hermite basis itself can exceed int64.
    basis = _from_flint(flint.fmpz_mat(hermite).lll())
    solution = flint.fmpz_mat(_lists(basis[:, pivots].T)).solve(flint.fmpz_mat(_lists(matrix[:, pivots].T)))
    return _from_rationals(solution), basis


def balanced(left: Integers, right: Integers, metric: float) -> Pair:
    """The same lattices in an LLL-reduced basis; ``metric`` 0 makes V's rows short, 1 U's, 0.5 both alike.

    In the coordinates of the singular vectors of M = U' V = X S Y, V is C Y for some C and U is C^-T S X'.
    Reducing the rows of C makes V short, reducing those of C / S makes U short (its dual basis), and reducing
    those of C S^-metric is between the two.
    """
    flint = import_flint()
    with unforked:  # a BLAS at work
        _, scales, axes = np.linalg.svd(left.T.astype(np.float64) @ right, full_matrices=False)
        coordinates = (right @ axes[: len(right)].T) * scales[: len(right)] ** -metric
    rounded = np.rint(coordinates * (2.0**40 / np.abs(coordinates).max())).astype(np.int64)
    _, change = flint.fmpz_mat(_lists(rounded)).lll(transform=True)
    return _from_rationals(change.inv()).T @ left, _from_flint(change) @ right


def polish(left: Integers, right: Integers) -> Pair:
    """Steepest descent by ``V_i += k V_j, U_j -= k U_i`` (k = -2 .. 2) for the bits that the rows take."""
    left, right = left.copy(), right.copy()
    rank, k = len(left), _MULTIPLES[:, None]
    widths = [_width(left), _width(right)]
    right_gain, left_gain = np.zeros((2, rank, rank, len(_MULTIPLES)))  # [i, j, k]

    def measure(i: int) -> None:
        """Gains of all pairs that row i takes part in, as the first (i, j) or as the second (j, i)."""
        right_gain[i] = _width(right[i] + k * right[:, None]) - widths[1][i]
        right_gain[:, i] = _width(right[:, None] + k * right[i]) - widths[1][:, None]
        left_gain[:, i] = _width(left[i] - k * left[:, None]) - widths[0][i]
        left_gain[i] = _width(left[:, None] - k * left[i]) - widths[0][:, None]

    for row in range(rank):
        measure(row)
    for _ in range(_POLISH_STEPS):
        gain = right_gain + left_gain
        gain[np.arange(rank), np.arange(rank)] = 0
        i, j, multiple = np.unravel_index(int(np.argmin(gain)), gain.shape)
        if gain[i, j, multiple] > -1e-9:
            break
        right[i] += _MULTIPLES[multiple] * right[j]
        left[j] -= _MULTIPLES[multiple] * left[i]
        widths[1][i], widths[0][j] = _width(right[i]), _width(left[j])
        measure(int(i))
        measure(int(j))
    return left, right


def refinements(left: Integers, right: Integers) -> Iterator[Pair]:
    """Factors with V in a finer lattice: one of its rows is replaced by a combination divided by a prime."""
    flint = import_flint()
    for prime in _PRIMES:
        kernel, dimension = flint.nmod_mat(_lists(right.T % prime), prime).nullspace()
        combinations = _from_flint(kernel)[:, :dimension].T
        for combination in np.where(combinations > prime // 2, combinations - prime, combinations):
            for i in np.flatnonzero(np.abs(combination) == 1):
                signed = combination * combination[i]
                finer_left, finer_right = left - np.outer(signed, left[i]), right.copy()
                finer_left[i] = prime * left[i]
                finer_right[i] = signed @ right // prime
                yield finer_left, finer_right


def import_flint() -> ModuleType:
    """python-flint, or an ImportError that says how to get it."""
    try:
        import flint
    except ImportError as problem:
        raise ImportError(
            "factoring a product table needs python-flint, which is not installed: pip install python-flint"
        ) from problem
    module: ModuleType = flint
    return module


def _bits(rows: Integers) -> NDArray[np.float64]:
    """Bits of each row's range (along the last axis), its content divided out."""
    span = (rows.max(axis=-1) - rows.min(axis=-1)) // content(rows)
    return np.asarray(np.log2(span + 1.0))


def _width(rows: Integers) -> NDArray[np.float64]:
    bits = _bits(rows)
    size = np.log2(np.abs(rows).max(axis=-1) + 1.0)
    drift = np.maximum(size - 2 * BYTE_BITS, 0)  # a constant costs nothing as long as it does not run away
    return np.asarray(np.maximum(bits - BYTE_BITS, 0) + _SIZE_WEIGHT * bits + drift)


def _cost(pair: Pair) -> tuple[int, float]:
    """Products of bytes that the factors stand for, then how far the rows are from fitting one byte."""
    left, right = pair
    return int(np.sum(limbs(left) * limbs(right))), float(_width(left).sum() + _width(right).sum())


def _is_small(pair: Pair) -> bool:
    """Whether the entries fit 32 bits, so that int64 holds whatever the steps make of them."""
    return all(int(np.abs(rows).max()) < 2**31 for rows in pair)


def _fits(pair: Pair) -> bool:
    return _cost(pair)[0] == len(pair[0])


def _lists(matrix: NDArray[Any] | list[list[Any]]) -> list[list[int]]:
    return [[int(x) for x in row] for row in matrix]


def _from_flint(matrix: Any) -> Integers:
    return np.array(_lists(matrix.tolist()), np.int64)


def _from_rationals(matrix: Any) -> Integers:
    """An integer matrix that FLINT returns as rationals."""
    rows = matrix.tolist()
    if any(x.q != 1 for row in rows for x in row):
        raise ArithmeticError("a factor that must be an integer matrix is not")
    return np.array([[int(x.p) for x in row] for row in rows], np.int64)

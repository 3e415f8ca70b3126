"""The lattice steps behind exact factors: each keeps the product, and does what it is for."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.tables import lattice

pytest.importorskip("flint")


def low_rank(seed: int, rank: int, shape: tuple[int, int], reach: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-reach, reach + 1, (rank, n)) for n in shape)
    return left.T @ right


matrices = st.builds(
    low_rank,
    st.integers(0, 2**32),
    st.integers(1, 5),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from([1, 3, 50]),
).filter(lambda matrix: matrix.any())


@given(matrices)
def test_rank_is_that_of_elimination(matrix: np.ndarray) -> None:
    assert lattice.rank(matrix) == np.linalg.matrix_rank(matrix)


@given(matrices)
def test_every_step_keeps_the_product(matrix: np.ndarray) -> None:
    pair = lattice.basis_factors(matrix)
    rank = np.linalg.matrix_rank(matrix)
    steps = [pair, lattice.balanced(*pair, 0.5), lattice.polish(*pair), *lattice.refinements(*pair)]
    narrow = lattice.narrow_factors(matrix)
    assert narrow is not None
    for left, right in [*steps, narrow]:
        assert left.dtype == right.dtype == np.int64
        assert left.shape == (rank, matrix.shape[0])
        assert right.shape == (rank, matrix.shape[1])
        assert np.array_equal(left.T @ right, matrix)


def test_polish_never_widens_and_undoes_a_skewed_basis() -> None:
    left, right = np.eye(2, 9, dtype=np.int64), np.array([[1, 2, 3, 0], [5, 0, 1, 1]])
    skewed_left, skewed_right = left.copy(), right.copy()
    for _ in range(200):
        skewed_right[0] += 2 * skewed_right[1]
        skewed_left[1] -= 2 * skewed_left[0]
    assert lattice.limbs(skewed_right).max() == 2
    polished = lattice.polish(skewed_left, skewed_right)
    assert np.array_equal(polished[0].T @ polished[1], left.T @ right)
    assert lattice.limbs(polished[0]).tolist() == lattice.limbs(polished[1]).tolist() == [1, 1]


def test_a_refinement_divides_a_combination_by_a_prime() -> None:
    left, right = np.array([[1, 0, 1], [0, 1, 1]]), np.array([[1, 3, 5], [1, 1, 7]])  # odd throughout
    found = [finer for _, finer in lattice.refinements(left, right)]
    assert any(np.array_equal(finer[0], [1, 2, 6]) for finer in found)  # half the sum of the rows


def test_balancing_shares_the_size_between_both_factors() -> None:
    matrix = low_rank(5, 8, (40, 40), 100)
    pair = lattice.basis_factors(matrix)
    short_right, between, short_left = (lattice.balanced(*pair, metric) for metric in (0.0, 0.5, 1.0))
    assert np.abs(short_right[1]).max() <= np.abs(between[1]).max() <= np.abs(short_left[1]).max()
    assert np.abs(short_left[0]).max() <= np.abs(between[0]).max() <= np.abs(short_right[0]).max()


def test_content_is_the_common_power_of_two() -> None:
    assert lattice.content(np.array([[12, -20], [3, 6], [0, 0], [0, 64]])).tolist() == [4, 1, 1, 64]


def test_limbs_count_the_bytes_of_the_range() -> None:
    rows = np.array([[7, 7], [-100, 155], [0, 257], [0, 256], [-40_000, 25_535], [0, 65_537]])
    # 256 is 256 times 0 or 1; 257 and 65537 are odd.
    assert lattice.limbs(rows).tolist() == [1, 1, 2, 1, 2, 3]


def test_without_flint_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(ImportError, match="pip install python-flint"):
        lattice.rank(np.eye(2, dtype=np.int64))

"""Slopes of product tables against loops over their definitions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import axsim
from axsim.tables import ProductTable
from axsim.tables.differences import differences, folded_derivatives, products, slopes


def plain_difference(line: list[int], h: int, i: int) -> Fraction:
    """The definition, for one place of one line of products."""

    def smooth(j: int) -> Fraction:
        return Fraction(sum(line[j - h : j + h + 1]), 2 * h + 1)

    n = len(line)
    if h < i < n - 1 - h:
        return (smooth(i + 1) - smooth(i - 1)) / 2
    return Fraction(line[n - 1] - line[0], n - 1)


def plain_product(table: ProductTable, a: int, b: int) -> int:
    if table.signed:
        return int(table.values[a % (1 << table.a_bits), b % (1 << table.b_bits)])
    sign = (-1 if a < 0 else 1) * (-1 if b < 0 else 1)
    return sign * int(table.values[abs(a), abs(b)])


@st.composite
def lattices(draw: Any) -> np.ndarray:
    rows, columns = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(-70000, 70000, (rows, columns))


@given(lattices(), st.integers(0, 7), st.sampled_from([0, 1]))
def test_differences_are_those_of_the_definition(values: np.ndarray, window: int, axis: int) -> None:
    lines = values.T.tolist() if axis == 0 else values.tolist()
    expected = np.array([[float(plain_difference(x, window, i)) for i in range(len(x))] for x in lines])
    expected = expected.T if axis == 0 else expected
    made = differences(values, window, axis)
    assert made.dtype == np.float64
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_allclose(slopes(values, window, axis), expected.mean(axis=axis), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("window", [0, 1, 16, 127, 300])
@pytest.mark.parametrize("b_range", [(0, 255), (-255, 255), (-127, 127)])
def test_exact_products_rise_by_the_other_operand(window: int, b_range: tuple[int, int]) -> None:
    values = products(axsim.get("exact8").table, (0, 255), b_range)
    a, b = np.arange(256), np.arange(b_range[0], b_range[1] + 1)
    np.testing.assert_array_equal(differences(values, window, 0), np.broadcast_to(b, values.shape))
    np.testing.assert_array_equal(differences(values, window, 1), np.broadcast_to(a[:, None], values.shape))
    np.testing.assert_array_equal(slopes(values, window, 0), b)
    np.testing.assert_array_equal(slopes(values, window, 1), a)


def test_the_paper_has_these_differences_away_from_the_borders() -> None:
    """As in the paper: a mean of 2 * 16 + 1 neighbours, and half the step over two of such means."""
    table = axsim.get("L40").table
    values, h = table.values.astype(np.float64), 16
    smooth = np.stack([values[:, j - h : j + h + 1].mean(axis=1) for j in range(h, 256 - h)], axis=1)
    made = differences(products(table, (0, 255), (0, 255)), h, axis=1)
    np.testing.assert_allclose(made[:, h + 1 : 255 - h], (smooth[:, 2:] - smooth[:, :-2]) / 2, rtol=1e-12)


SIGNED = ProductTable.from_function(lambda a, b: (a * b & ~3) + (a > b), 4, 5, signed=True)
UNSIGNED = ProductTable.from_function(lambda a, b: (a * b & ~3) | (a > b), 4, 5)


@pytest.mark.parametrize(
    ("table", "left", "right"),
    [
        (SIGNED, (-8, 7), (-16, 15)),
        (SIGNED, (0, 7), (-3, 4)),
        (UNSIGNED, (0, 15), (-31, 31)),
        (UNSIGNED, (-15, 15), (0, 9)),
        (axsim.get("L40").table, (0, 255), (-255, 255)),
    ],
)
def test_products_of_ranges(table: ProductTable, left: tuple[int, int], right: tuple[int, int]) -> None:
    made = products(table, left, right)
    assert made.shape == (left[1] - left[0] + 1, right[1] - right[0] + 1)
    for a in range(left[0], left[1] + 1, 3):
        for b in range(right[0], right[1] + 1, 5):
            assert made[a - left[0], b - right[0]] == plain_product(table, a, b)


def test_the_line_of_an_operand_with_a_sign_goes_through_zero() -> None:
    table = ProductTable.from_function(lambda a, b: a * b + 2 * b, 4, 4)
    made = differences(products(table, (-15, 15), (-15, 15)), 1, axis=0)
    # At a = 0, b = 3: from -3 * (1 + 2) and -3 * (2 + 2) to 3 * (1 + 2) and 3 * (2 + 2), over 2 * 3.
    assert made[15, 15 + 3] == (9 + 12 + 9 + 12) / 6
    assert made[15, 15 - 3] == -(9 + 12 + 9 + 12) / 6


def test_derivatives_of_ones_own_follow_the_signs() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 3, 4)
    rng = np.random.default_rng(1)
    da, db = rng.normal(size=(2, *table.values.shape))
    by_a, by_b = folded_derivatives(table, da, db, (-7, 7), (-15, 15))
    for a in range(-7, 8):
        for b in range(-15, 16):
            sign_a, sign_b = (-1 if a < 0 else 1), (-1 if b < 0 else 1)
            assert by_a[a + 7, b + 15] == sign_b * da[abs(a), abs(b)]
            assert by_b[a + 7, b + 15] == sign_a * db[abs(a), abs(b)]


def test_derivatives_of_a_signed_circuit_are_found_by_bit_patterns() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 3, 3, signed=True)
    da, db = np.arange(128.0).reshape(2, 8, 8)
    by_a, by_b = folded_derivatives(table, da, db, (-4, 3), (-4, 3))
    assert by_a[-1 + 4, 2 + 4] == da[7, 2]
    assert by_b[-4 + 4, -2 + 4] == db[4, 6]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda v: differences(v, -1, 0), ValueError, "window is -1"),
        (lambda v: differences(v, 1.5, 0), TypeError, "window is 1.5"),
        (lambda v: differences(v, 1, 2), ValueError, "axis is 2"),
        (lambda v: differences(v[:1], 1, 0), ValueError, r"shape \(1, 4\)"),
        (lambda v: differences(v.astype(float), 1, 0), TypeError, "float64, expected integers"),
        (lambda v: slopes(v[0], 1, 0), ValueError, r"shape \(4,\)"),
    ],
)
def test_what_is_no_lattice_is_refused(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(np.arange(16).reshape(4, 4))


@pytest.mark.parametrize(
    ("signed", "left", "words"),
    [(False, (0, 16), "left is .*from -15 to 15"), (True, (-9, 7), "left is .*from -8 to 7")],
)
def test_operands_out_of_range_are_refused(signed: bool, left: tuple[int, int], words: str) -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 4, 4, signed=signed)
    with pytest.raises(ValueError, match=words):
        products(table, left, (0, 7))


def test_derivatives_of_a_wrong_shape_or_not_finite_are_refused() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 2, 2)
    good = np.zeros((4, 4))
    with pytest.raises(ValueError, match=r"da has shape \(2, 2\), expected \(4, 4\)"):
        folded_derivatives(table, good[:2, :2], good, (0, 3), (0, 3))
    with pytest.raises(ValueError, match="db holds NaN"):
        folded_derivatives(table, good, good + np.nan, (0, 3), (0, 3))

"""Families of multipliers against the definitions in their papers, written down another way."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import broken_array, drum, exact, kulkarni, mitchell, truncated


def sum_of_partial_products(a: int, b: int, bits: int, keep) -> int:
    return sum(
        (a >> row & 1) * (b >> column & 1) << (row + column)
        for row, column in product(range(bits), repeat=2)
        if keep(row, column)
    )


def some_operands(bits: int) -> np.ndarray:
    rng = np.random.default_rng(bits)
    return rng.integers(0, 2**bits, (2, 40))


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_truncated_exhaustively(bits):
    for k in range(2 * bits):
        table = truncated(bits, k).exhaustive()
        for a, b in product(range(2**bits), repeat=2):
            assert table[a, b] == sum_of_partial_products(a, b, bits, lambda r, c, k=k: r + c >= k)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_broken_array_exhaustively(bits):
    for h, v in product(range(bits + 1), range(2 * bits)):
        table = broken_array(bits, h, v).exhaustive()
        for a, b in product(range(2**bits), repeat=2):
            keep = lambda r, c, h=h, v=v: r >= h and r + c >= v  # noqa: E731
            assert table[a, b] == sum_of_partial_products(a, b, bits, keep)


@pytest.mark.parametrize(("bits", "h", "v"), [(8, 2, 4), (8, 0, 7), (8, 5, 0), (24, 3, 20)])
def test_wide_cuts(bits, h, v):
    a, b = some_operands(bits)
    for netlist, rows in [(broken_array(bits, h, v), h), (truncated(bits, v), 0)]:
        keep = lambda r, c, rows=rows: r >= rows and r + c >= v  # noqa: E731
        expected = [sum_of_partial_products(int(x), int(y), bits, keep) for x, y in zip(a, b, strict=True)]
        assert netlist(a, b).tolist() == expected


def test_cuts_save_gates():
    counts = [truncated(8, k).n_gates for k in range(16)]
    assert counts[0] == exact(8).n_gates
    assert counts == sorted(counts, reverse=True)
    assert counts[15] == 0
    assert np.array_equal(truncated(8, 15).exhaustive(), np.zeros((256, 256)))
    assert broken_array(8, 2, 4).n_gates < truncated(8, 4).n_gates


def kulkarni_by_recursion(a: int, b: int, bits: int) -> int:
    if bits == 2:
        return 7 if a == b == 3 else a * b
    half = bits // 2
    (a_high, a_low), (b_high, b_low) = divmod(a, 2**half), divmod(b, 2**half)
    return (
        (kulkarni_by_recursion(a_high, b_high, half) << bits)
        + (kulkarni_by_recursion(a_high, b_low, half) << half)
        + (kulkarni_by_recursion(a_low, b_high, half) << half)
        + kulkarni_by_recursion(a_low, b_low, half)
    )


def test_kulkarni_exhaustively():
    for bits in (2, 4):
        table = kulkarni(bits).exhaustive()
        for a, b in product(range(2**bits), repeat=2):
            assert table[a, b] == kulkarni_by_recursion(a, b, bits)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_wide_kulkarni(bits):
    a, b = some_operands(bits)
    expected = [kulkarni_by_recursion(int(x), int(y), bits) for x, y in zip(a, b, strict=True)]
    assert kulkarni(bits)(a, b).tolist() == expected


def test_kulkarni_of_widths_that_are_no_power_of_two():
    a, b = some_operands(6)
    expected = [
        sum(
            kulkarni_by_recursion(int(x) >> i & 3, int(y) >> j & 3, 2) << (i + j)
            for i, j in product((0, 2, 4), repeat=2)
        )
        for x, y in zip(a, b, strict=True)
    ]
    assert kulkarni(6)(a, b).tolist() == expected


def test_kulkarni_block_is_as_small_as_published():
    assert kulkarni(2).gate_counts() == {"and": 4, "or": 1}
    assert kulkarni(2).out_bits == 4


def test_kulkarni_has_its_published_errors():
    """On average 1.39 % (2 bits) to 3.32 % (the limit of wide ones), at most 22.22 %."""
    means = []
    for bits in (2, 4, 8):
        every = np.arange(2**bits)
        products = np.multiply.outer(every, every)
        relative = (products - kulkarni(bits).exhaustive()) / np.maximum(products, 1)
        assert relative.min() == 0
        assert relative.max() == pytest.approx(2 / 9)
        means.append(relative.mean())
    assert means[0] == pytest.approx(0.0139, abs=5e-5)
    assert means == sorted(means)
    assert 0.0320 < means[2] < 0.0332


def drum_operand(x: int, k: int) -> int:
    """The operand that DRUM multiplies, by its binary digits."""
    digits = f"{x:b}"
    if len(digits) <= k:
        return x
    return int(digits[: k - 1] + "1" + "0" * (len(digits) - k), 2)


@pytest.mark.parametrize("bits", range(1, 7))
def test_drum_exhaustively(bits):
    every = np.arange(2**bits)
    for k in range(min(2, bits), bits + 1):
        reduced = np.array([drum_operand(x, k) for x in range(2**bits)])
        table = drum(bits, k)(every[:, np.newaxis], every)
        assert table.dtype == np.int64
        assert np.array_equal(table, np.multiply.outer(reduced, reduced))


@given(st.integers(2, 31), st.data())
def test_wide_drum(bits, data):
    k = data.draw(st.integers(2, bits))
    a, b = (data.draw(st.integers(0, 2**bits - 1)) for _ in range(2))
    assert drum(bits, k)(a, b) == drum_operand(a, k) * drum_operand(b, k)


def test_drum6_of_16_bits_has_its_published_errors():
    """Mean relative error 1.47 %, bias 0.04 %, standard deviation 1.803 %, at most 6.31 %."""
    a, b = np.random.default_rng(6).integers(1, 2**16, (2, 1_000_000))
    relative = drum(16, 6)(a, b) / (a * b) - 1
    assert np.abs(relative).mean() == pytest.approx(0.0147, abs=5e-5)
    assert relative.mean() == pytest.approx(0.0004, abs=1e-4)
    assert relative.std() == pytest.approx(0.01803, abs=5e-5)
    assert 0.060 < np.abs(relative).max() <= 0.0631


def mitchell_product(a: int, b: int) -> Fraction:
    """Mitchell's product from logarithms as exact fractions."""
    if a == 0 or b == 0:
        return Fraction(0)
    logarithm = sum(x.bit_length() - 1 + Fraction(x, 1 << (x.bit_length() - 1)) - 1 for x in (a, b))
    power = int(logarithm)
    return (1 + logarithm - power) * 2**power


@pytest.mark.parametrize("bits", range(1, 7))
def test_mitchell_exhaustively(bits):
    every = np.arange(2**bits)
    table = mitchell(bits)(every[:, np.newaxis], every)
    assert table.dtype == np.int64
    assert table.tolist() == [[mitchell_product(a, b) for b in range(2**bits)] for a in range(2**bits)]


@given(st.integers(1, 31), st.data())
def test_wide_mitchell(bits, data):
    a, b = (data.draw(st.integers(0, 2**bits - 1)) for _ in range(2))
    assert mitchell(bits)(a, b) == mitchell_product(a, b)


def test_mitchell_loses_at_most_a_ninth():
    every = np.arange(1, 256)
    relative = mitchell(8)(every[:, np.newaxis], every) / np.multiply.outer(every, every) - 1
    assert relative.max() == 0
    assert relative.min() == pytest.approx(-1 / 9, abs=1e-12)  # 3 * 3 = 8


def test_functions_broadcast_and_know_their_names():
    for function, name in [(drum(8, 4), "drum8_4"), (mitchell(8), "mitchell8")]:
        assert function.__name__ == name
        assert function(np.arange(3, dtype=np.uint8), np.ones((2, 1), np.int16)).tolist() == [[0, 1, 2]] * 2
        assert function(255, np.array([], np.uint8)).shape == (0,)


@pytest.mark.parametrize("function", [drum(8, 4), mitchell(8)])
def test_functions_check_their_operands(function):
    with pytest.raises(ValueError, match="operand 'a' has values from 0 to 256"):
        function([0, 256], 1)
    with pytest.raises(ValueError, match="operand 'b' has values from -1 to 3"):
        function(1, [-1, 3])
    with pytest.raises(TypeError, match="operand 'a' must be integers, not float64"):
        function(1.5, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: truncated(8, 16), "k must be from 0 to 15, not 16"),
        (lambda: truncated(8, -1), "k must be from 0 to 15, not -1"),
        (lambda: truncated(33, 1), "bits must be from 1 to 32, not 33"),
        (lambda: broken_array(8, 9, 0), "h must be from 0 to 8, not 9"),
        (lambda: broken_array(8, 0, 16), "v must be from 0 to 15, not 16"),
        (lambda: broken_array(0, 0, 0), "bits must be from 1 to 32, not 0"),
        (lambda: kulkarni(7), r"bits must be even \(the blocks are 2x2\), not 7"),
        (lambda: kulkarni(34), "bits must be from 2 to 32, not 34"),
        (lambda: drum(8, 9), "k must be from 2 to 8, not 9"),
        (lambda: drum(8, 1), "k must be from 2 to 8, not 1"),
        (lambda: drum(32, 4), "bits must be from 1 to 31, not 32"),
        (lambda: mitchell(32), "bits must be from 1 to 31, not 32"),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_names():
    assert truncated(8, 3).name == "trunc8_3"
    assert broken_array(8, 2, 4).name == "bam8_h2_v4"
    assert kulkarni(8).name == "kulkarni8"

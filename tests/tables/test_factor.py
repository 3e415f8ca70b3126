"""Exact factors: they give the whole table, in few small terms, and nothing else passes for them."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import baugh_wooley, library, load_library
from axsim.errors import TableError
from axsim.tables import lattice
from axsim.tables.factor import Factors, Term, factor, factor_products
from axsim.tables.product import ProductTable

pytest.importorskip("flint")

# Terms (the rank of the table, or of its error and one), and bytes' products that they take at most.
TERMS = {
    "1JFF": (1, 1),
    "1446": (2, 2),
    "JQQ": (4, 4),
    "2P7": (7, 7),
    "GS2": (8, 8),
    "150Q": (10, 10),
    "1AGV": (10, 14),
    "14VP": (12, 12),
    "QJD": (12, 12),
    "JV3": (16, 32),
    "KEM": (16, 16),
    "FTA": (17, 19),
    "17KS": (18, 26),
    "96D": (23, 24),
}
FULL_RANK = ("12N4", "L40")


@functools.cache
def circuit(name: str) -> ProductTable:
    return ProductTable.from_netlist(load_library(f"mul8u_{name}"))


@functools.cache
def factors_of(name: str) -> Factors | None:
    return factor(circuit(name))


def sum_of_terms(factors: Factors) -> np.ndarray:
    """The table in Python integers, one term at a time."""
    total = np.zeros((factors.left.shape[1], factors.right.shape[1]), object)
    for left, right, scale in zip(factors.left, factors.right, factors.log2_scales, strict=True):
        total += np.multiply.outer(left.astype(object), right.astype(object)) * 2 ** int(scale)
    return total


def test_every_circuit_of_the_library_is_listed() -> None:
    assert {f"mul8u_{name}" for name in (*TERMS, *FULL_RANK)} == set(library())


@pytest.mark.parametrize("name", TERMS)
def test_factors_give_every_product_of_the_circuit(name: str) -> None:
    factors, (terms, byte_products) = factors_of(name), TERMS[name]
    assert factors is not None
    assert np.array_equal(sum_of_terms(factors), circuit(name).values)
    assert len(factors) == len(factors.terms) == terms
    assert terms <= sum(term.byte_products for term in factors.terms) <= byte_products
    assert all("float16" in term.left_types and "float16" in term.right_types for term in factors.terms)


@pytest.mark.parametrize("name", FULL_RANK)
def test_circuits_of_full_rank_are_given_up(name: str) -> None:
    assert factor(circuit(name)) is None


def test_the_limit_counts_all_terms() -> None:
    assert factor(circuit("JQQ"), max_terms=3) is None
    assert factor(circuit("JQQ"), max_terms=4) is not None


def test_the_exact_product_is_one_term_of_unit_scale() -> None:
    factors = factor(ProductTable.from_function(lambda a, b: a * b, 8, 8))
    assert factors is not None
    uint8 = ("uint8", "float16", "int16")
    assert factors.terms == (Term((0, 255), (0, 255), 0, uint8, uint8, 1),)


def test_signed_operands() -> None:
    factors = factor(ProductTable.from_netlist(baugh_wooley(8)))
    assert factors is not None
    assert factors.terms[0].left_limits == (-128, 127)
    assert "int8" in factors.terms[0].left_types
    assert "uint8" not in factors.terms[0].left_types


@pytest.mark.parametrize(
    ("function", "terms"),
    [
        (lambda a, b: 0 * a, 0),
        (lambda a, b: a + 0 * b, 1),
        (lambda a, b: a * b | 1, 3),
        (lambda a, b: a * (b & ~3), 1),
        (lambda a, b: (a & 1) * b + 32 * (b >> 3) * (a >> 1), 2),  # a 4x4 AMA5 array
    ],
)
def test_small_formulas(function, terms: int) -> None:
    table = ProductTable.from_function(function, 4, 4)
    factors = factor(table)
    assert factors is not None
    assert len(factors) <= terms
    assert np.array_equal(sum_of_terms(factors), table.values)


def test_operands_of_unequal_width() -> None:
    table = ProductTable.from_function(lambda a, b: (a & ~7) * b + (a & 7 & b), 12, 4)
    factors = factor(table)
    assert factors is not None
    assert factors.left.shape[1:], factors.right.shape[1:] == ((4096,), (16,))
    assert np.array_equal(sum_of_terms(factors), table.values)


@given(
    st.integers(0, 2**32),
    st.integers(1, 4),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from([1, 20, 2000]),
)
def test_low_rank_products_come_back(seed: int, rank: int, shape: tuple[int, int], reach: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(-reach, reach + 1, (rank, n)) for n in shape)
    values = left.T @ right
    factors = factor_products(values, np.arange(shape[0]), np.arange(shape[1]))
    assert factors is not None
    assert len(factors) <= rank
    assert np.array_equal(sum_of_terms(factors), values)


def test_a_wrong_factor_is_refused_with_the_first_wrong_pair() -> None:
    factors = factors_of("JQQ")
    assert factors is not None
    factors.verify(circuit("JQQ").values)
    left = factors.left.copy()
    left[0, 77] += 1  # the exact product's term: all of the row is wrong but b = 0
    wrong = Factors(left, factors.right, factors.log2_scales)
    with pytest.raises(TableError, match=r"255 of 65536 products differ, the first at \[77, 1\]"):
        wrong.verify(circuit("JQQ").values)
    with pytest.raises(TableError, match="not those of the table"):
        factors.verify(circuit("1446").values)


def test_factors_of_another_shape_are_refused() -> None:
    factors = factor(ProductTable.from_function(lambda a, b: a * b, 4, 4))
    assert factors is not None
    with pytest.raises(TableError, match=r"shape \(16, 16\), not \(256, 256\)"):
        factors.verify(circuit("1JFF").values)


def test_factors_are_read_only_and_checked() -> None:
    factors = Factors([[1, 2]], [[3, 4, 5]], [1])
    assert factors.products().tolist() == [[6, 8, 10], [12, 16, 20]]
    with pytest.raises(ValueError, match="read-only"):
        factors.left[0, 0] = 9
    with pytest.raises(TypeError, match="right has dtype float64, expected integers"):
        Factors([[1]], [[0.5]], [0])
    with pytest.raises(ValueError, match="have shapes"):
        Factors([[1], [2]], [[1]], [0])
    with pytest.raises(ValueError, match="log2_scales are \\[-1\\], expected 0 to 31"):
        Factors([[1]], [[1]], [-1])
    with pytest.raises(ValueError, match="left reaches 1 to 4294967296, expected int32"):
        Factors([[1, 2**32]], [[1]], [0])


@pytest.mark.parametrize("seed", range(8))
def test_large_unrelated_products_have_exact_factors_or_none(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2**31 - 1, (3, 3))
    factors = factor_products(values, np.arange(3), np.arange(3))
    if factors is not None:  # some need more than 32 bits
        assert np.array_equal(sum_of_terms(factors), values)


def test_none_where_only_too_large_factors_are_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattice, "_is_small", lambda pair: False)
    assert factor(circuit("JQQ")) is None

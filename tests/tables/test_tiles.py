"""Products of wide operands from a narrow table, against the circuit and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import broken_array, exact, tiled
from axsim.tables import ProductTable
from axsim.tables.tiles import digits, greatest_product, keeps_zero, tiled_products


def odd(a_bits: int, b_bits: int) -> ProductTable:
    """Products of operands that are 0 are not 0."""
    return ProductTable.from_function(lambda a, b: a * b | 5, a_bits, b_bits)


@given(st.integers(0, 2**24 - 1), st.sampled_from([1, 2, 3, 4, 6, 8, 12]))
def test_digits_make_the_operand(value: int, width: int) -> None:
    parts = list(digits(np.array([value]), width, 24))
    assert sum(int(digit[0]) << shift for shift, digit in parts) == value
    assert all(0 <= digit[0] < 1 << width for _, digit in parts)


@pytest.mark.parametrize("block", [broken_array(4, 1, 2), exact(4, 2), exact(8)], ids=lambda n: n.name)
def test_the_tiled_circuit_computes_the_same(block) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 1 << 16, (2, 3000))
    table = ProductTable.from_netlist(block)
    wide = tiled(block, 16)
    np.testing.assert_array_equal(tiled_products(table, 16, a, b), wide(a, b))
    assert max(32, greatest_product(table, 16).bit_length()) == wide.out_bits


@given(st.data())
def test_every_pair_of_digits_counts(data: st.DataObject) -> None:
    a_bits, b_bits = data.draw(st.sampled_from([(2, 3), (3, 3), (1, 6), (6, 2)]))
    table = odd(a_bits, b_bits)
    a, b = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 63))
    expected = sum(
        int(table.values[a >> i & (1 << a_bits) - 1, b >> j & (1 << b_bits) - 1]) << i + j
        for i in range(0, 6, a_bits)
        for j in range(0, 6, b_bits)
    )
    assert tiled_products(table, 6, np.array([a]), np.array([[b]])).tolist() == [[expected]]
    assert expected <= greatest_product(table, 6)


def test_what_keeps_zero() -> None:
    assert keeps_zero(ProductTable.from_netlist(exact(3)))
    assert not keeps_zero(odd(2, 2))
    assert not keeps_zero(ProductTable.from_function(lambda a, b: a * b + (a == 3) * (b == 0), 2, 2))
    assert not keeps_zero(ProductTable.from_function(lambda a, b: a * b + (b == 3) * (a == 0), 2, 2))

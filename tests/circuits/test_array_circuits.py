"""Arrays: exact ones multiply, and approximate ones follow the drawn wiring cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axsim.circuits import CELLS, FullAdder, array_multiplier, baugh_wooley, exact
from axsim.errors import NetlistError

WIRINGS = ("pp-sum", "sum-pp")


def simulate_array(a, b, a_bits, b_bits, cell_at, wiring) -> np.ndarray:
    """The array computed from the cells' truth tables, position by position, without any netlist."""
    a_bit = [a >> row & 1 for row in range(a_bits)]
    b_bit = [b >> column & 1 for column in range(b_bits)]
    sums = {(0, column): a_bit[0] & b_bit[column] for column in range(b_bits)}
    carries = {(0, b_bits - 1): 0 * a}
    for row in range(1, a_bits):
        for column in range(b_bits):
            last = column == b_bits - 1
            above = carries[row - 1, column] if last else sums[row - 1, column + 1]
            partial = a_bit[row] & b_bit[column]
            x, y = (partial, above) if wiring == "pp-sum" else (above, partial)
            index = 4 * x + 2 * y + carries.get((row, column - 1), 0)
            cell = CELLS[cell_at(row, column)]
            sums[row, column] = np.array([int(bit) for bit in cell.sum])[index]
            carries[row, column] = np.array([int(bit) for bit in cell.carry])[index]
    product = sum(sums[row, 0] << row for row in range(a_bits))
    product += sum(sums[a_bits - 1, column] << (a_bits - 1 + column) for column in range(1, b_bits))
    return product + (carries[a_bits - 1, b_bits - 1] << (a_bits + b_bits - 1))


def all_operands(a_bits: int, b_bits: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(2**a_bits)[:, np.newaxis], np.arange(2**b_bits)[np.newaxis, :]


@pytest.mark.parametrize("a_bits", range(1, 6))
@pytest.mark.parametrize("b_bits", range(1, 6))
def test_exact_array_of_every_small_size(a_bits, b_bits):
    netlist = exact(a_bits, b_bits)
    a, b = all_operands(a_bits, b_bits)
    assert netlist.out_bits == a_bits + b_bits
    assert np.array_equal(netlist.exhaustive(), a * b)


def test_exact_8x8_exhaustively():
    a, b = all_operands(8, 8)
    assert np.array_equal(exact(8).exhaustive(), a * b)
    assert exact(8).n_gates == 64 + 48 * 5 + 8 * 2  # partial products, 48 full and 8 half adders


@settings(max_examples=40)
@given(st.data())
def test_exact_array_of_any_size(data):
    a_bits = data.draw(st.integers(1, 40))
    b_bits = data.draw(st.integers(1, 64 - a_bits))
    a = data.draw(st.lists(st.integers(0, 2**a_bits - 1), min_size=1, max_size=5))
    b = data.draw(st.lists(st.integers(0, 2**b_bits - 1), min_size=len(a), max_size=len(a)))
    product = exact(a_bits, b_bits)(np.array(a, np.uint64), np.array(b, np.uint64))
    assert product.tolist() == [x * y for x, y in zip(a, b, strict=True)]


@given(st.data())
def test_array_with_a_cell_chosen_for_each_position(data):
    a_bits, b_bits = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    names = st.sampled_from(list(CELLS))
    cells = [[data.draw(names) for _ in range(b_bits)] for _ in range(a_bits)]
    wiring = data.draw(st.sampled_from(WIRINGS))
    a, b = all_operands(a_bits, b_bits)
    expected = simulate_array(a, b, a_bits, b_bits, lambda row, column: cells[row][column], wiring)
    by_list = array_multiplier(a_bits, b_bits, cells, wiring)
    by_function = array_multiplier(a_bits, b_bits, lambda row, column: cells[row][column], wiring)
    assert np.array_equal(by_list.exhaustive(), expected)
    assert np.array_equal(by_function.exhaustive(), expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_8x8_array_of_one_cell(cell, wiring):
    a, b = all_operands(8, 8)
    expected = simulate_array(a, b, 8, 8, lambda row, column: cell, wiring)
    assert np.array_equal(array_multiplier(8, cell=cell, wiring=wiring).exhaustive(), expected)


def test_wide_array_of_one_cell():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2**24, (2, 300))
    expected = simulate_array(a, b, 24, 24, lambda row, column: "ama1", "pp-sum")
    assert np.array_equal(array_multiplier(24, cell="ama1")(a, b), expected)


def ama5_closed_form(a, b, bits):
    return (a & 1) * b + (b >> (bits - 1)) * (a >> 1) * 2 ** (bits + 1)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_ama5_array_is_its_closed_form(bits):
    a, b = all_operands(bits, bits)
    netlist = array_multiplier(bits, cell="ama5")
    assert np.array_equal(netlist.exhaustive(), ama5_closed_form(a, b, bits))
    assert netlist.gate_counts() == {"and": 2 * bits - 1}  # partial products: the cells are wires


def test_ama5_array_of_24_bits_is_its_closed_form():
    rng = np.random.default_rng(24)
    corners = np.array([0, 1, 2, 2**23 - 1, 2**23, 2**23 + 1, 2**24 - 2, 2**24 - 1])
    netlist = array_multiplier(24, cell="ama5")
    for a, b in [(corners[:, np.newaxis], corners), rng.integers(0, 2**24, (2, 100_000))]:
        assert np.array_equal(netlist(a, b), ama5_closed_form(a, b, 24))


def test_cell_of_ones_own():
    always = FullAdder("always", sum="11111111", carry="00000000")
    assert array_multiplier(2, cell=always)(0, 0) == 0b0110
    assert array_multiplier(2, cell=lambda row, column: always)(0, 0) == 0b0110


@pytest.mark.parametrize("a_bits", range(1, 6))
@pytest.mark.parametrize("b_bits", range(1, 6))
def test_baugh_wooley_of_every_small_size(a_bits, b_bits):
    netlist = baugh_wooley(a_bits, b_bits)
    a, b = (
        np.where(x < 2 ** (n - 1), x, x - 2**n)
        for x, n in zip(all_operands(a_bits, b_bits), (a_bits, b_bits), strict=True)
    )
    assert netlist.signed
    assert np.array_equal(netlist.exhaustive(), a * b)


def test_baugh_wooley_8x8_exhaustively():
    values = np.arange(-128, 128)
    assert np.array_equal(baugh_wooley(8)(values[:, np.newaxis], values), np.multiply.outer(values, values))


@settings(max_examples=40)
@given(st.data())
def test_baugh_wooley_of_any_size(data):
    a_bits = data.draw(st.integers(1, 40))
    b_bits = data.draw(st.integers(1, 64 - a_bits))
    a = data.draw(st.integers(-(2 ** (a_bits - 1)), 2 ** (a_bits - 1) - 1))
    b = data.draw(st.integers(-(2 ** (b_bits - 1)), 2 ** (b_bits - 1) - 1))
    assert int(baugh_wooley(a_bits, b_bits)(a, b)) == a * b


def test_names():
    assert [exact(8).name, exact(8, 4).name, baugh_wooley(8).name, baugh_wooley(8, 4).name] == [
        *("exact8", "exact8x4", "exact8s", "exact8x4s")
    ]
    assert array_multiplier(4, cell="ama5").name == "array4_ama5"
    assert array_multiplier(4, 3, cell=lambda row, column: "or").name == "array4x3_mixed"
    assert array_multiplier(4, wiring="sum-pp").name == "array4_exact_sum-pp"
    assert array_multiplier(4, name="mine").name == "mine"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"a_bits": 0}, ValueError, "a_bits must be from 1 to 63, not 0"),
        ({"a_bits": 40, "b_bits": 25}, ValueError, "b_bits must be from 1 to 24, not 25"),
        ({"a_bits": 33}, ValueError, "b_bits must be from 1 to 31, not 33"),
        ({"a_bits": 4.0}, TypeError, "a_bits must be an integer, not float"),
        ({"a_bits": 4, "cell": "ama6"}, ValueError, "unknown full-adder cell 'ama6'"),
        ({"a_bits": 4, "cell": lambda row, column: "x"}, ValueError, "unknown full-adder cell 'x'"),
        ({"a_bits": 2, "cell": [["or"] * 2]}, ValueError, r"2 rows of 2 cells; its rows have \[2\]"),
        ({"a_bits": 2, "cell": [["or"] * 2, ["or"]]}, ValueError, r"its rows have \[2, 1\]"),
        ({"a_bits": 4, "wiring": "other"}, ValueError, "wiring must be 'pp-sum' or 'sum-pp', not 'other'"),
        ({"a_bits": 4, "name": "a b"}, NetlistError, "'a b' is no name"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        array_multiplier(**arguments)

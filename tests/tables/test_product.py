"""ProductTable: widths, types, signs, and the sixteen published tables."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import baugh_wooley, exact, library, load_library
from axsim.multipliers import evoapprox
from axsim.tables.product import ProductTable, operands

FIGURES = json.loads((Path(evoapprox.__file__).parent / "evoapprox8b.json").read_text())["circuits"]


def test_every_circuit_of_the_library_has_figures() -> None:
    assert sorted(FIGURES) == sorted(library())
    assert len(FIGURES) == 16


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_simulated_netlist_is_the_published_table(name: str, shared: Path) -> None:
    table = ProductTable.from_netlist(load_library(name))
    with np.load(shared / "evoapprox8b" / "tables.npz") as published:
        np.testing.assert_array_equal(table.values, published[name], strict=True)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_simulated_netlist_has_the_published_sha256(name: str) -> None:
    assert ProductTable.from_netlist(load_library(name)).sha256 == FIGURES[name]["sha256"]


def test_fourteen_of_sixteen_circuits_are_not_symmetric() -> None:
    symmetric = {name for name in FIGURES if ProductTable.from_netlist(load_library(name)).symmetric}
    assert symmetric == {"mul8u_1JFF", "mul8u_KEM"}


@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 8), (7, 7), (8, 4), (4, 8), (1, 1), (12, 4)])
def test_exact_unsigned_circuit(a_bits: int, b_bits: int) -> None:
    table = ProductTable.from_netlist(exact(a_bits, b_bits))
    assert table.values.shape == (2**a_bits, 2**b_bits)
    np.testing.assert_array_equal(table.values, np.outer(np.arange(2**a_bits), np.arange(2**b_bits)))
    assert not table.error.any()
    assert table.error.dtype == table.exact.dtype == np.int32


@pytest.mark.parametrize("bits", range(1, 9))
def test_signed_circuit_is_exact_in_all_four_quadrants(bits: int) -> None:
    table = ProductTable.from_netlist(baugh_wooley(bits))
    half = 2 ** (bits - 1)
    value = np.array([*range(half), *range(-half, 0)])
    np.testing.assert_array_equal(table.values, value[:, None] * value)
    for rows in (slice(None, half), slice(half, None)):
        for columns in (slice(None, half), slice(half, None)):
            assert not table.error[rows, columns].any()


def test_signed_table_made_of_absolute_values_shows_up_as_error() -> None:
    magnitudes = np.abs(operands(8, signed=True))
    both_negative_wrong = np.multiply.outer(operands(8, signed=True), operands(8, signed=True))
    both_negative_wrong[128:, 128:] = -np.multiply.outer(magnitudes, magnitudes)[128:, 128:]
    error = ProductTable.from_array(both_negative_wrong, signed=True).error
    assert np.count_nonzero(error) == 128 * 128
    assert not error[:128].any()
    assert not error[:, :128].any()


@pytest.mark.parametrize(
    ("out_bits", "signed", "dtype"),
    [
        (8, False, "<u1"),
        (9, False, "<u2"),
        (16, False, "<u2"),
        (17, False, "<u4"),
        (31, False, "<u4"),
        (8, True, "<i1"),
        (9, True, "<i2"),
        (16, True, "<i2"),
        (17, True, "<i4"),
    ],
)
def test_values_are_of_the_smallest_type(out_bits: int, signed: bool, dtype: str) -> None:
    table = ProductTable.from_array(np.zeros((4, 2), np.int64), signed, out_bits=out_bits)
    assert table.values.dtype == np.dtype(dtype)
    assert table.values.flags.c_contiguous


def test_out_bits_grow_with_the_products() -> None:
    block = ProductTable.from_function(lambda a, b: (a & 0x11) * b + 2 * (a & 0xEE) * (b & 0x88), 8, 8)
    assert (block.out_bits, int(block.values.max()), block.values.dtype) == (17, 69071, np.dtype("<u4"))
    assert ProductTable.from_array([[0, 0], [0, -5]], signed=True).out_bits == 4
    assert ProductTable.from_array([[0, 0], [0, -8]], signed=True).out_bits == 4
    assert ProductTable.from_array([[0, 0], [0, 8]], signed=True).out_bits == 5


def test_rows_are_the_left_operand() -> None:
    table = ProductTable.from_function(lambda a, b: a, 3, 2)
    np.testing.assert_array_equal(table.values, np.arange(8)[:, None] * np.ones(4, int))


def test_function_receives_operand_values_of_a_signed_multiplier() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 4, 3, signed=True)
    assert table.values[0b1111, 0b100] == -1 * -4
    assert table.values[0b1000, 0b011] == -8 * 3
    assert not table.error.any()


def test_arrays_cannot_be_changed_and_do_not_alias_the_input() -> None:
    source = np.arange(16, dtype=np.uint8).reshape(4, 4)
    table = ProductTable.from_array(source)
    source[:] = 0
    assert table.values[3, 3] == 15
    for array in (table.values, table.error, table.exact):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_copies_are_equal_and_still_read_only() -> None:
    table = ProductTable.from_netlist(load_library("mul8u_JV3"))
    for other in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert other == table
        assert hash(other) == hash(table)
        assert not other.values.flags.writeable


def test_tables_differ_if_anything_differs() -> None:
    zeros = np.zeros((4, 4), int)
    one = zeros.copy()
    one[3, 3] = 1
    tables = [
        ProductTable.from_array(zeros),
        ProductTable.from_array(one),
        ProductTable.from_array(zeros, signed=True),
        ProductTable.from_array(zeros, out_bits=5),
        ProductTable.from_array(zeros.reshape(8, 2)),
    ]
    assert len(set(tables)) == len(tables)
    assert tables[0] != "a table"


def test_sha256_is_of_little_endian_bytes_row_after_row() -> None:
    # sha256sum of the bytes 00 01 02 03, and of 0000 0100 0200 0300
    narrow = ProductTable.from_array([[0, 1], [2, 3]])
    wide = ProductTable.from_array(np.array([[0, 1], [2, 3]], ">i8", order="F"), out_bits=16)
    assert narrow.sha256 == "054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8"
    assert wide.sha256 == "245bbd9d484dcf27c714e2690cd6544973de5d54aa9cd82eab23d6046a65faa8"


@given(st.integers(1, 5), st.integers(1, 5), st.booleans(), st.data())
def test_error_is_value_less_exact_product(
    a_bits: int, b_bits: int, signed: bool, data: st.DataObject
) -> None:
    low, high = (-(2**9), 2**9 - 1) if signed else (0, 2**10 - 1)
    seed = data.draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).integers(low, high, (2**a_bits, 2**b_bits), endpoint=True)
    table = ProductTable.from_array(values, signed, out_bits=10)
    a = data.draw(st.integers(0, 2**a_bits - 1))
    b = data.draw(st.integers(0, 2**b_bits - 1))

    def value(pattern: int, bits: int) -> int:
        return pattern - 2**bits if signed and pattern >= 2 ** (bits - 1) else pattern

    assert table.error[a, b] == int(values[a, b]) - value(a, a_bits) * value(b, b_bits)


@pytest.mark.parametrize("shape", [(3, 4), (4, 1), (4,), (2, 2, 2), (0, 2)])
def test_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        ProductTable.from_array(np.zeros(shape, int))


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.zeros((2, 2), bool), np.full((2, 2), "1")])
def test_values_that_are_no_integers_are_refused(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="integers"):
        ProductTable.from_array(values)
    with pytest.raises(TypeError, match="integers"):
        ProductTable(values, 1, 1, 2)


def test_products_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values\[1, 1\] = 16 does not fit 4 unsigned"):
        ProductTable.from_array([[0, 0], [0, 16]], out_bits=4)
    with pytest.raises(ValueError, match=r"values\[1, 0\] = -1 .*signed=True"):
        ProductTable.from_array([[0, 0], [-1, 0]])
    with pytest.raises(ValueError, match="products run from 0 to 2147483648, expected at most 31 bits"):
        ProductTable.from_array([[0, 0], [0, 2**31]])


def test_function_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(TypeError, match=r"function returned float64, expected integers.* // instead of /"):
        ProductTable.from_function(lambda a, b: a * b / 2, 4, 4)
    with pytest.raises(ValueError, match=r"shape \(16, 1\)"):
        ProductTable.from_function(lambda a, b: a[:, :1], 4, 4)


@pytest.mark.parametrize(("a_bits", "b_bits"), [(9, 8), (0, 8), (8, 0), (16, 1)])
def test_widths_out_of_range_are_refused(a_bits: int, b_bits: int) -> None:
    with pytest.raises(ValueError, match=f"a_bits={a_bits}, b_bits={b_bits}"):
        ProductTable.from_function(lambda a, b: a * b, a_bits, b_bits)


def test_circuit_too_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="a_bits=9, b_bits=9"):
        ProductTable.from_netlist(exact(9))


def test_a_table_is_an_array() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 4, 3)
    array = np.asarray(table)
    assert array is table.values
    assert np.asarray(table, np.int32).dtype == np.int32
    assert np.array_equal(np.subtract(table, 1, dtype=int), table.values.astype(int) - 1)
    copy = np.array(table)
    copy[3, 5] += 1
    assert (table.values[3, 5], copy[3, 5]) == (15, 16)
    with pytest.raises(ValueError, match="without a copy"):
        table.__array__(np.float64, copy=False)


def test_a_table_compared_with_anything_gives_one_answer() -> None:
    table = ProductTable.from_function(lambda a, b: a * b, 4, 3)
    values = np.array(table)
    assert (table == values) is True
    assert (values == table) is True
    assert (values != table) is False
    values[0, 0] = 1
    for other in (values, values[1:], np.zeros(3), np.ma.masked_array(table.values), "table", None, 3):
        assert (table == other) is False, other
        assert (table != other) is True, other
    assert (values == table) is False

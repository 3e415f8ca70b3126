"""Multiplier: look-up of operands, operand order, signs, and what it knows about itself."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axsim.circuits import baugh_wooley
from axsim.errors import TableError
from axsim.multipliers import Multiplier, get, list_multipliers
from axsim.multipliers.evoapprox import _simulate, evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.tables import ProductTable


@pytest.mark.parametrize("name", list(evoapprox()))
def test_products_of_all_operands_are_those_of_the_published_function(name: str, shared: Path) -> None:
    a, b = np.arange(256, dtype=np.uint8)[:, None], np.arange(256, dtype=np.uint8)
    with np.load(shared / "evoapprox8b" / "tables.npz") as published:
        np.testing.assert_array_equal(get(name)(a, b), published[name])
        np.testing.assert_array_equal(get(name).error_table, published[name].astype(int) - a.astype(int) * b)


def test_the_left_operand_is_the_first_argument(shared: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 1000))
    asymmetric = 0
    with np.load(shared / "evoapprox8b" / "tables.npz") as published:
        for name in evoapprox():
            products = get(name)(a, b)
            assert (products == published[name][a, b]).all()
            asymmetric += bool((products != published[name][b, a]).any())
    assert asymmetric == 14


@given(st.integers(1, 255), st.integers(1, 255))
def test_exact(a: int, b: int) -> None:
    assert get("exact")(a, b) == a * b
    assert get("exact8s")(a - 128, b - 128) == (a - 128) * (b - 128)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
def test_negative_operands_of_a_signed_multiplier(dtype: type[np.signedinteger]) -> None:
    a, b = np.array([-128, -128, -1, 127, 0], dtype), np.array([-128, 127, -1, -128, -5], dtype)
    np.testing.assert_array_equal(get("exact8s")(a, b), [16384, -16256, 1, -16256, 0])


def test_operands_broadcast_and_products_are_int32() -> None:
    products = get("JV3")(np.zeros((3, 1), np.uint64), np.zeros((1, 4), np.int8))
    assert (products.shape, products.dtype) == ((3, 4), np.int32)
    assert get("JV3")(1, 2).dtype == np.int32
    assert get("JV3")(np.zeros((0, 3), int), 1).shape == (0, 3)


def test_widths_of_the_two_operands_are_kept_apart() -> None:
    narrow = get("exact8x4")
    assert (narrow.a_bits, narrow.b_bits) == (8, 4)
    assert narrow(255, 15) == 3825
    with pytest.raises(ValueError, match="operand 'b'"):
        narrow(15, 255)


@pytest.mark.parametrize(
    ("name", "a", "b", "operand"),
    [("L40", 256, 0, "a"), ("L40", 0, -1, "b"), ("exact8s", 128, 0, "a"), ("exact8s", 0, -129, "b")],
)
def test_operands_out_of_range_are_refused(name: str, a: int, b: int, operand: str) -> None:
    with pytest.raises(ValueError, match=f"operand '{operand}'"):
        get(name)(a, b)


@pytest.mark.parametrize("operand", [1.0, True, "1", np.float32(3), None])
def test_operands_that_are_no_integers_are_refused(operand: object) -> None:
    with pytest.raises(TypeError, match="operand 'b' must be integers"):
        get("L40")(1, operand)


def test_shapes_that_do_not_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        get("L40")([1, 2, 3], [1, 2])


def test_published_figures() -> None:
    l40 = get("L40")
    assert l40.published is not None
    assert l40.published["MSE"] == {"text": "36892.825e2", "value": 3689282.5, "unit": "1"}
    assert l40.published["PDK45_AREA"] == {"text": "437.4", "value": 437.4, "unit": "um2"}
    assert "DATE" in l40.citation
    assert "tf-approximate" in l40.source
    assert get("exact8").published is None


@pytest.mark.parametrize("name", [n for n in list_multipliers() if isinstance(get(n), Multiplier)])
def test_netlist_and_table_agree(name: str) -> None:
    multiplier = get(name)
    if name.startswith(("drum", "mitchell")) or name in evoapprox_more():
        assert multiplier.netlist is None
        return
    netlist = multiplier.netlist
    assert netlist is multiplier.netlist
    assert (netlist.a_bits, netlist.b_bits, netlist.signed) == (8, 8, multiplier.signed)
    assert ProductTable.from_netlist(netlist) == multiplier.table


def test_symmetry() -> None:
    assert {name for name in evoapprox() if get(name).symmetric} == {"mul8u_1JFF", "mul8u_KEM"}
    assert not get("exact8x4").symmetric


def test_metrics_are_those_of_the_table() -> None:
    metrics = get("exact8s").metrics()
    assert (metrics.mae, metrics.wce) == (0, 0)
    assert get("2P7").metrics().wce == 3


def test_the_table_is_made_on_first_use_and_kept() -> None:
    made = []

    def simulate() -> ProductTable:
        made.append(1)
        return ProductTable.from_netlist(baugh_wooley(4))

    multiplier = Multiplier("mine", 4, 4, True, simulate)
    assert made == []
    assert multiplier.table is multiplier.table
    assert made == [1]


@pytest.mark.parametrize("name", ["L40", "trunc8_3", "drum8_4", "exact8s"])
def test_multipliers_can_be_copied_and_pickled(name: str) -> None:
    original = get(name)
    for other in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert (other.name, other.published, other.table) == (
            original.name,
            original.published,
            original.table,
        )


def test_an_altered_netlist_of_the_library_is_noticed() -> None:
    with pytest.raises(TableError, match="mul8u_L40: the netlist is altered"):
        _simulate("mul8u_L40", get("JV3").table.sha256)
    assert _simulate("mul8u_JV3", get("JV3").table.sha256) == get("JV3").table


def test_what_it_is_called() -> None:
    assert repr(get("exact8x4")) == "Multiplier('exact8x4', 8x4 bits, unsigned)"
    assert repr(Multiplier("mine", 4, 4, True, partial(print))) == "Multiplier('mine', 4x4 bits, signed)"

"""The built-in circuits are what they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from axsim.circuits import library, load_library

TWO_INPUT_GATES = {
    "mul8u_1JFF": 319,
    "mul8u_1446": 319,
    "mul8u_2P7": 321,
    "mul8u_JQQ": 324,
    "mul8u_QJD": 295,
    "mul8u_KEM": 320,
    "mul8u_150Q": 315,
    "mul8u_14VP": 321,
    "mul8u_1AGV": 95,
    "mul8u_FTA": 89,
    "mul8u_JV3": 52,
    "mul8u_12N4": 182,
    "mul8u_17KS": 220,
    "mul8u_GS2": 596,
    "mul8u_96D": 836,
    "mul8u_L40": 672,
}
SYMMETRIC = {"mul8u_1JFF", "mul8u_KEM"}


def test_sixteen_circuits():
    assert set(library()) == set(TWO_INPUT_GATES)
    assert list(library()) == sorted(library())


@pytest.mark.parametrize("name", TWO_INPUT_GATES)
def test_form(name):
    netlist = load_library(name)
    assert (netlist.name, netlist.operands, netlist.signed) == (name, ("a", "b"), False)
    assert (netlist.a_bits, netlist.b_bits, netlist.out_bits) == (8, 8, 16)
    assert netlist.n_gates - netlist.gate_counts().get("not", 0) == TWO_INPUT_GATES[name]
    table = netlist.exhaustive()
    assert np.array_equal(table, table.T) == (name in SYMMETRIC)


@pytest.mark.parametrize("name", TWO_INPUT_GATES)
def test_table_equals_the_published_one(name, shared):
    published = np.load(shared / "evoapprox8b" / "tables.npz")
    assert np.array_equal(load_library(name).exhaustive(), published[name])


def test_exact_circuit_multiplies():
    assert np.array_equal(
        load_library("mul8u_1JFF").exhaustive(), np.multiply.outer(np.arange(256), np.arange(256))
    )


def test_unknown_name():
    with pytest.raises(ValueError, match="no built-in circuit 'mul8u_XYZ'; there are mul8u_12N4, "):
        load_library("mul8u_XYZ")

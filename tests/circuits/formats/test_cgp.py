"""CGP strings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from random_netlists import netlists

from axsim.circuits import library
from axsim.circuits.formats import cgp
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.netlist import Netlist
from axsim.errors import NetlistError, NetlistFileError
from axsim.multipliers import get

FAMILIES = ["exact4", "exact5x3", "exact4s", "trunc8_3", "bam8_h2_v4", "kulkarni4", "exact1s"]


@pytest.mark.parametrize("name", [*library(), *FAMILIES])
def test_built_in_circuits_come_back(name: str) -> None:
    netlist = get(name).netlist
    options = ReadOptions(widths=(netlist.a_bits, netlist.b_bits), signed=netlist.signed)
    read = cgp.read(cgp.write(netlist), options)
    assert (read.operands, read.signed, read.out_bits) == (("a", "b"), netlist.signed, netlist.out_bits)
    np.testing.assert_array_equal(read.exhaustive(), netlist.exhaustive())


@given(netlists(max_width=4))
def test_every_kind_of_gate_comes_back(netlist: Netlist) -> None:
    if len(netlist.inputs) != 2 or len(netlist.outputs) != 1:
        with pytest.raises(NetlistError):
            cgp.write(netlist)
        return
    options = ReadOptions(widths=(netlist.a_bits, netlist.b_bits), signed=netlist.signed)
    read = cgp.read(cgp.write(netlist), options)
    np.testing.assert_array_equal(read.exhaustive(), netlist.exhaustive())


def test_all_functions() -> None:
    nodes = "".join(f"([{4 + f}]2,3,{f})" for f in range(10))
    outputs = ",".join(str(4 + f) for f in range(10))
    products = cgp.read(f"{{2,10,10,1,2,1,0}}{nodes}({outputs})").exhaustive()
    for a in (0, 1):
        for b in (0, 1):
            expected = [a, 1 - a, a & b, a | b, a ^ b, 1 - (a & b), 1 - (a | b), 1 - (a ^ b), 1, 0]
            assert products[a, b] == sum(bit << k for k, bit in enumerate(expected))


def test_numbering_with_and_without_constants() -> None:
    with_constants = cgp.read("{2,2,1,1,2,1,0}([4]2,3,2)(4,1)")
    without = cgp.read("{2,2,1,1,2,1,0}([2]0,1,2)(2,0)")
    assert with_constants.exhaustive().tolist() == [[2, 2], [2, 3]]
    assert without.exhaustive().tolist() == [[0, 0], [2, 3]]


def test_operands_and_sign_can_be_said() -> None:
    text = " # left: bit 0 alone\n{4, 2,1,1 ,2,1,0}\n([6] 2 , 4,2)\n(6, 5)\n"
    netlist = cgp.read(text)
    assert netlist(1, 3) == 3
    assert cgp.read(text, ReadOptions(operands=("b", "a")))(3, 1) == 3
    assert cgp.read(text, ReadOptions(signed=True))(1, -1) == -1
    assert cgp.read(text, ReadOptions(widths=(1, 3))).a_bits == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.cgp:1:1: the end of the text came, expected {inputs,"),
        ("{2,2,1,1,3,1,0}([4]2,3,2)(4,1)", "m.cgp:1:1: nodes of 3 inputs"),
        ("{3,2,1,1,2,1,0}([5]2,3,2)(4,1)", r"m.cgp:1:1: 3 inputs for operands of 1 and 1 bits.*widths="),
        ("{2,2,1,1,2,1,0}\n([4]2,3,2)([4]2,3,2)(4,1)", "m.cgp:2:11: node 4 came, expected node 5"),
        ("{2,2,1,1,2,1,0}([4]2,4,2)(4,1)", "m.cgp:1:16: node 4 reads node 4"),
        ("{2,2,1,1,2,1,0}([4]2,3,10)(4,1)", "function 10, expected 0 to 9"),
        ("{2,2,1,1,2,1,0}([4]2,3,2)(4)", "1 outputs up to node 4 came, expected 2"),
        ("{2,2,1,1,2,1,0}([4]2,3,2)(4,5)", "up to node 5 came, expected 2 below node 5"),
        ("{2,2,1,1,2,1,0}([4]2,3,2)(4,1)x", "m.cgp:1:31: 'x' came, expected the end"),
        ("{2,2,1,1,2,1,0}([4]2,3", "expected a node"),
        ("{200,2,1,1,2,1,0}(4,1)", "200 inputs for operands of 100 and 100 bits"),
        ("{2,99,1,1,2,1,0}(" + ",".join(["2"] * 99) + ")", "99 bits"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(NetlistFileError, match=message):
        cgp.read(text, ReadOptions(path=Path("m.cgp")))

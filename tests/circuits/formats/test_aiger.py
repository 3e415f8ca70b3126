"""And-inverter graphs, ASCII and binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from random_netlists import netlists

from axsim.circuits import library
from axsim.circuits.formats import aiger
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.netlist import Netlist
from axsim.errors import NetlistFileError
from axsim.multipliers import get

FAMILIES = ["exact4", "exact5x3", "exact4s", "trunc8_3", "bam8_h2_v4", "kulkarni4", "exact1s"]
HALF_ADDER = ["aag 5 2 0 2 3", "2", "4", "10", "6", "6 2 4", "8 3 5", "10 7 9"]


@pytest.mark.parametrize("write", [aiger.write, aiger.write_binary])
@pytest.mark.parametrize("name", [*library(), *FAMILIES])
def test_built_in_circuits_come_back(name: str, write: object) -> None:
    netlist = get(name).netlist
    read = aiger.read(write(netlist), ReadOptions(signed=netlist.signed))
    assert dict(read.inputs) == dict(netlist.inputs)
    np.testing.assert_array_equal(read.exhaustive(), netlist.exhaustive())


@given(netlists(max_width=4))
def test_every_kind_of_gate_comes_back(netlist: Netlist) -> None:
    operands = {
        name: np.arange(-(1 << (w - 1)) if netlist.signed else 0, 1 << (w - netlist.signed))
        for name, w in netlist.inputs.items()
    }
    grid = dict(zip(operands, np.meshgrid(*operands.values(), indexing="ij"), strict=True))
    for written in (aiger.write(netlist), aiger.write_binary(netlist)):
        read = aiger.read(written, ReadOptions(signed=netlist.signed))
        assert {k: v.tolist() for k, v in read.simulate(**grid).items()} == {
            k: v.tolist() for k, v in netlist.simulate(**grid).items()
        }


def test_gates_in_any_order_and_no_names() -> None:
    shuffled = [*HALF_ADDER[:5], *HALF_ADDER[:4:-1]]
    for lines in (HALF_ADDER, shuffled, [*HALF_ADDER, "c", "a comment"]):
        assert aiger.read("\r\n".join(lines)).exhaustive().tolist() == [[0, 1], [1, 2]]


def test_symbols_name_buses_and_widths_say_them_without() -> None:
    names = ["i0 y[0]", "i1 x[0]", "o0 s[1]", "o1 s[0]"]
    netlist = aiger.read("\n".join([*HALF_ADDER, *names]))
    assert (netlist.operands, netlist(1, 1)) == (("y", "x"), 1)
    assert aiger.read("\n".join([*HALF_ADDER, *names]), ReadOptions(operands=("x", "y"))).operands == (
        "x",
        "y",
    )
    three = "aag 3 3 0 1 0\n2\n4\n6\n7\n"
    assert aiger.read(three, ReadOptions(widths=(1, 2)))(0, 1) == 1
    with pytest.raises(NetlistFileError, match=r"3 inputs without names.*widths="):
        aiger.read(three)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.aig:1:1: expected a line 'aag M I L O A'"),
        ("aag 1 x 0 0 0", "expected a line"),
        ("aag 2 1 1 0 0\n2\n4 2\n", "circuits without latches"),
        ("aag 2 1 0 0 0 1\n2\n4 2\n", "without latches and properties"),
        ("aag 1000000 1000000 0 1 0\n", "do not fit together, or the file is cut short"),
        ("aag 2 2 0 1 0\n2\n4\n", "'' came, expected an output's literal"),
        ("aag 3 2 0 1 1\n2\n4\n6\n6 2\n", "m.aig:5:1: '6 2' came, expected an and gate"),
        ("aag 3 2 0 1 1\n2\n4\n6\n7 2 4\n", "7 came, expected an even literal"),
        ("aag 3 2 0 1 1\n2\n4\n6\n4 2 2\n", "an input is driven twice"),
        ("aag 3 2 0 1 1\n2\n4\n6\n6 6 4\n", "m.aig:5:1: and gate 6 reads itself"),
        ("aag 4 2 0 1 2\n2\n4\n6\n6 8 4\n8 6 2\n", "reads itself: the circuit has a cycle"),
        ("aag 4 2 0 1 1\n2\n4\n8\n6 2 4\n", "nothing drives literal 8"),
        ("aag 2 2 0 1 0\n2\n4\n2\nx0 a\n", "m.aig:5:1: 'x0 a' came, expected a symbol"),
        ("aag 2 2 0 1 0\n2\n4\n2\ni7 a\n", "'i7 a' came"),
        ("aag 2 2 0 1 0\n2\n4\n2\ni0 a\ni0 b\n", "m.aig:6:1: a second symbol for i0"),
        ("aag 2 2 0 1 0\n2\n4\n2\ni0 a\n", "of the inputs number 1 has no symbol and others have"),
        ("aig 3 2 0 1 1\n6\n", "the file ends within its and gates"),
        ("aig 3 2 0 1 1\n6\n\x07\x00", "expected literals before it"),
        ("aag 2 2 0 1 0\n2\n4\n2\ni0 a[0]\ni1 a[0]\no0 p\n", "bit 0 of bus 'a', which is there already"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(NetlistFileError, match=message):
        aiger.read(text, ReadOptions(path=Path("m.aig")))

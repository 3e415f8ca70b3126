"""Circuits of ariths-gen, a generator of arithmetic circuits, through C and CGP, against its evaluation."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from axsim.circuits import Netlist
from axsim.circuits.formats import c, cgp
from axsim.circuits.formats.options import ReadOptions
from axsim.multipliers import get

multipliers = pytest.importorskip(
    "ariths_gen.multi_bit_circuits.multipliers", reason="ariths-gen is not installed"
)
approximate = pytest.importorskip("ariths_gen.multi_bit_circuits.approximate_multipliers")
wires = pytest.importorskip("ariths_gen.wire_components")

CLASSES = [name for name in dir(multipliers) if name.endswith("Multiplier")]
WRITERS = {
    "C": ("get_c_code_flat", c.read),
    "C of functions": ("get_c_code_hier", c.read),
    "CGP": ("get_cgp_code_flat", cgp.read),
}


def generate(make: Callable[..., Any], bits: int, **options: Any) -> Any:
    return make(wires.Bus(N=bits, prefix="a"), wires.Bus(N=bits, prefix="b"), **options)


def written(circuit: Any, writer: str) -> str:
    out = io.StringIO()
    getattr(circuit, writer)(out)
    return out.getvalue()


def operands(bits: int, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """All operands of up to 8 bits, some of more."""
    low = -(1 << (bits - 1)) if signed else 0
    if bits <= 8:
        a, b = np.meshgrid(
            np.arange(low, low + (1 << bits)), np.arange(low, low + (1 << bits)), indexing="ij"
        )
        return a.reshape(-1), b.reshape(-1)
    a, b = np.random.default_rng(0).integers(low, low + (1 << bits), (2, 3000))
    return a, b


@pytest.mark.parametrize("bits", [4, 8, 12])
@pytest.mark.parametrize("name", CLASSES)
def test_every_multiplier(name: str, bits: int) -> None:
    signed = name.startswith("Signed")
    circuit = generate(getattr(multipliers, name), bits)
    a, b = operands(bits, signed)
    expected = circuit(a, b).tolist()
    assert expected == (a * b).tolist()
    for writer, read in WRITERS.values():
        options = ReadOptions(signed=True) if writer.startswith("get_cgp") and signed else ReadOptions()
        netlist: Netlist = read(written(circuit, writer), options)
        assert (netlist.a_bits, netlist.b_bits, netlist.out_bits) == (bits, bits, 2 * bits)
        assert netlist.signed == signed
        assert netlist(a, b).tolist() == expected, writer


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("UnsignedTruncatedArrayMultiplier", {"truncation_cut": 2}),
        ("UnsignedBrokenArrayMultiplier", {"horizontal_cut": 2, "vertical_cut": 4}),
        ("UnsignedBrokenCarrySaveMultiplier", {"horizontal_cut": 1, "vertical_cut": 3}),
    ],
)
def test_approximate_multipliers(name: str, options: dict[str, int]) -> None:
    circuit = generate(getattr(approximate, name), 8, **options)
    a, b = operands(8, signed=False)
    expected = circuit(a, b).tolist()
    for writer, read in WRITERS.values():
        netlist = read(written(circuit, writer), ReadOptions(widths=(8, 8)))
        assert netlist(a, b).tolist() == expected, writer


def test_our_broken_arrays_are_theirs_with_operands_exchanged() -> None:
    circuit = generate(approximate.UnsignedBrokenArrayMultiplier, 8, horizontal_cut=2, vertical_cut=4)
    netlist = c.read(written(circuit, "get_c_code_flat"), ReadOptions(widths=(8, 8)))
    np.testing.assert_array_equal(netlist.exhaustive(), get("bam8_h2_v4~").table.values)
    assert not get("bam8_h2_v4").symmetric

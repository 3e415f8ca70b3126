"""Circuits that ariths-gen generates, read from its Verilog and BLIF, give the products that it evaluates."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axsim.circuits import Netlist
from axsim.circuits.formats import blif, verilog
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError

pytest.importorskip("ariths_gen", reason="ariths-gen is not installed (pip install axsim[dev])")

from ariths_gen.multi_bit_circuits import approximate_multipliers, multipliers
from ariths_gen.wire_components import Bus

FORMATS: dict[str, tuple[str, Callable[..., Netlist]]] = {
    "Verilog, flat": ("get_v_code_flat", verilog.read),
    "Verilog, hierarchical": ("get_v_code_hier", verilog.read),
    "BLIF, flat": ("get_blif_code_flat", blif.read),
    "BLIF, hierarchical": ("get_blif_code_hier", blif.read),
}


# What ariths-gen 1.1 writes wrongly, as Yosys's `check` finds too: nets with two drivers, inputs without any.
BROKEN = {
    ("SignedCarrySaveMultiplier", "Verilog, hierarchical"),
    ("SignedCarrySaveMultiplier", "BLIF, hierarchical"),
    ("SignedWallaceMultiplier", "BLIF, hierarchical"),
    ("UnsignedWallaceMultiplier", "BLIF, hierarchical"),
    ("UnsignedRecursiveMultiplier", "BLIF, hierarchical"),
}


def classes(package: Any, only: tuple[str, ...] = ("Unsigned", "Signed")) -> list[type]:
    return [
        thing
        for name, thing in sorted(vars(package).items())
        if inspect.isclass(thing)
        and name.startswith(only)
        and "TwoBit" not in name
        and "Recursive" not in name
    ]


TWO_BITS = [thing for name, thing in sorted(vars(approximate_multipliers).items()) if "TwoBit" in name]


@cache
def generated(kind: type, bits: int, **options: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """A circuit, operands of it (all of up to 8 bits) and the products that ariths-gen evaluates."""
    circuit = kind(Bus(N=bits, prefix="a"), Bus(N=bits, prefix="b"), name="mul", **options)
    signed = kind.__name__.startswith("Signed")
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    if bits <= 8:
        a, b = (values.ravel() for values in np.meshgrid(np.arange(low, high), np.arange(low, high)))
    else:
        a, b = np.random.default_rng(1).integers(low, high, (2, 20_000))
    return circuit, a, b, circuit(a, b)


def check(kind: type, bits: int, form: str, **arguments: Any) -> None:
    circuit, a, b, products = generated(kind, bits, **arguments)
    signed = kind.__name__.startswith("Signed")
    method, read = FORMATS[form]
    text = io.StringIO()
    getattr(circuit, method)(text)
    options = ReadOptions(path=Path("mul.v"), signed=signed)  # the top module's name is the file's
    if (type(circuit).__name__, form) in BROKEN:
        with pytest.raises(NetlistFileError, match=r"driven twice|driven already|is not connected"):
            read(text.getvalue(), options)
        return
    netlist = read(text.getvalue(), options)
    assert (netlist.a_bits, netlist.b_bits) == (bits, bits)
    assert netlist.operands == ("a", "b")
    assert np.array_equal(netlist(a, b), products)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("bits", [4, 8, 12])
@pytest.mark.parametrize("kind", classes(multipliers), ids=lambda kind: kind.__name__)
def test_exact_multipliers(kind: type, bits: int, form: str) -> None:
    check(kind, bits, form)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", classes(approximate_multipliers), ids=lambda kind: kind.__name__)
def test_approximate_multipliers(kind: type, form: str) -> None:
    cuts = {"horizontal_cut": 2, "vertical_cut": 4} if "Broken" in kind.__name__ else {"truncation_cut": 3}
    check(kind, 8, form, **cuts)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", TWO_BITS[:2], ids=lambda kind: kind.__name__)
def test_recursive_multipliers(kind: type, form: str) -> None:
    check(approximate_multipliers.UnsignedRecursiveMultiplier, 8, form, submultipliers=(kind,) * 16)

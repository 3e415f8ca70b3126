"""What is written as Verilog and BLIF: read back here, and proved equal by Yosys where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_netlists import netlists, vectors

from axsim.circuits import Netlist, baugh_wooley, exact, kulkarni, library, load_library
from axsim.circuits.formats import blif, verilog
from axsim.circuits.formats.options import ReadOptions

YOSYS = shutil.which("yosys")
needs_yosys = pytest.mark.skipif(YOSYS is None, reason="yosys is not installed (Debian package yosys)")


@given(st.data())
def test_verilog_round_trip_of_any_circuit(data: st.DataObject) -> None:
    netlist = data.draw(netlists())
    copy = verilog.read(verilog.write(netlist), ReadOptions(signed=netlist.signed))
    assert (copy.name, copy.inputs) == (netlist.name, netlist.inputs)
    operands = data.draw(vectors(netlist))
    expected, got = netlist.simulate(**operands), copy.simulate(**operands)
    assert list(expected) == list(got)
    for name, values in expected.items():
        assert np.array_equal(got[name], values)


@pytest.mark.parametrize("name", library())
def test_verilog_round_trip_of_the_library(name: str) -> None:
    netlist = load_library(name)
    copy = verilog.read(verilog.write(netlist))
    assert copy.operands == netlist.operands
    assert np.array_equal(copy.exhaustive(), netlist.exhaustive())


def test_signed_circuits_say_so_in_verilog() -> None:
    copy = verilog.read(verilog.write(baugh_wooley(4)))
    assert copy.signed
    assert np.array_equal(copy.exhaustive(), baugh_wooley(4).exhaustive())


def test_names_that_verilog_does_not_allow() -> None:
    ops, sources = np.array([8]), np.array([(2, 3)])
    netlist = Netlist("8-bit.mul", {"and": 1, "größe": 1}, {"p'": (4,), "end": (2, 3)}, ops, sources)
    copy = verilog.read(verilog.write(netlist))
    assert (copy.name, copy.inputs, list(copy.outputs)) == (netlist.name, netlist.inputs, ["p'", "end"])
    plain = Netlist("n", {"n": 1, "n0": 1}, {"p": (4,)}, ops, sources)
    assert verilog.read(verilog.write(plain)).simulate(n=1, n0=1)["p"] == 1


# Alike gates of both become one before the solver starts, which could not prove multipliers otherwise.
PROOF = (
    "proc; memory; miter -equiv -flatten -make_outputs gold {} m; hierarchy -top m; flatten; techmap; opt; "
    "aigmap; opt_merge; opt; sat -verify -prove trigger 0 m"
)


def run_yosys(script: str, folder: Path) -> None:
    assert YOSYS is not None
    done = subprocess.run(
        [YOSYS, "-q", "-p", script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def as_case(netlist: Netlist) -> str:
    """A circuit as its table, in Verilog that Yosys reads by itself."""
    (left, a_bits), (right, b_bits) = netlist.inputs.items()
    (out,) = netlist.outputs
    table = netlist.exhaustive() & ((1 << netlist.out_bits) - 1)
    rows = "".join(
        f"{a_bits + b_bits}'d{a << b_bits | b}: {out} = {netlist.out_bits}'d{table[a, b]};\n"
        for a in range(1 << a_bits)
        for b in range(1 << b_bits)
    )
    return (
        f"module gold(input [{a_bits - 1}:0] {left}, input [{b_bits - 1}:0] {right}, "
        f"output reg [{netlist.out_bits - 1}:0] {out});\n"
        f"always @* case ({{{left}, {right}}})\n{rows}endcase\nendmodule\n"
    )


EVERY_OP = Netlist(
    *("every_op", {"a": 2, "b": 2}, {"p": tuple(range(6, 22))}, np.arange(16)),
    np.array([(2 + k % 4, 2 + (k // 3 + 1) % 4) for k in range(16)]),
)


@needs_yosys
@pytest.mark.parametrize(
    "netlist",
    [exact(4), exact(3, 2), baugh_wooley(4), kulkarni(4), EVERY_OP],
    ids=lambda netlist: netlist.name,
)
def test_yosys_proves_equal_to_the_table(netlist: Netlist, tmp_path: Path) -> None:
    (tmp_path / "gold.v").write_text(as_case(netlist))
    (tmp_path / "written.v").write_text(verilog.write(netlist))
    (tmp_path / "written.blif").write_text(blif.write(netlist))
    # BLIF has no vectors: its bits are wired to a module of vectors
    buses = {**netlist.inputs, **{name: len(bits) for name, bits in netlist.outputs.items()}}
    pins = ", ".join(f".{name}{k}({name}[{k}])" for name, width in buses.items() for k in range(width))
    ports = ", ".join(
        f"{'input' if name in netlist.inputs else 'output'} [{width - 1}:0] {name}"
        for name, width in buses.items()
    )
    (tmp_path / "wrapped.v").write_text(f"module wrapped({ports}); {netlist.name} u({pins}); endmodule\n")
    run_yosys(f"read_verilog gold.v written.v; {PROOF.format(netlist.name)}", tmp_path)
    run_yosys(f"read_blif written.blif; read_verilog gold.v wrapped.v; {PROOF.format('wrapped')}", tmp_path)


@needs_yosys
@pytest.mark.parametrize("name", ["mul8u_JV3", "mul8u_FTA", "mul8u_1AGV"])
def test_yosys_proves_both_texts_equal(name: str, tmp_path: Path) -> None:
    netlist = load_library(name)
    (tmp_path / "written.v").write_text(verilog.write(netlist).replace(f"module {name}(", "module gold("))
    (tmp_path / "written.blif").write_text(blif.write(netlist))
    pins = ", ".join(
        f".{bus}{k}({bus}[{k}])" for bus, width in (("a", 8), ("b", 8), ("p", 16)) for k in range(width)
    )
    (tmp_path / "wrapped.v").write_text(
        f"module wrapped(input [7:0] a, b, output [15:0] p); {name} u({pins}); endmodule\n"
    )
    run_yosys(
        f"read_blif written.blif; read_verilog written.v wrapped.v; {PROOF.format('wrapped')}", tmp_path
    )

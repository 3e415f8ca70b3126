"""Multipliers written in every format are read back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

import axsim
from axsim.multipliers.export import EXPORTS, default_path, export

COMES_BACK = [name for name in EXPORTS if name not in ("testbench",)]


@pytest.mark.parametrize("format", COMES_BACK)
@pytest.mark.parametrize("name", ["L40", "exact8s", "bam8_h2_v4", "exact4x3", "trunc5_2", "exact6", "L40~"])
def test_round_trip(name: str, format: str, tmp_path: Path) -> None:
    multiplier = axsim.get(name)
    if format == "bin" and multiplier.a_bits != multiplier.b_bits:
        with pytest.raises(ValueError, match="square"):
            export(multiplier, format)
        return
    path = tmp_path / default_path(multiplier, format).name
    path.write_bytes(export(multiplier, format))
    widths = (multiplier.a_bits, multiplier.b_bits) if format == "cgp" else None
    read = axsim.read(path, signed=multiplier.signed, widths=widths)
    assert read.table.values.tolist() == multiplier.table.values.tolist()
    assert (read.a_bits, read.b_bits, read.signed) == (
        multiplier.a_bits,
        multiplier.b_bits,
        multiplier.signed,
    )


@pytest.mark.parametrize("format", ["blif", "verilog", "c", "cgp", "aag", "aig"])
def test_a_chosen_order_of_operands_is_kept(format: str, tmp_path: Path) -> None:
    """A file written for a circuit whose operands were chosen against its buses' names tells them."""
    source, path = tmp_path / "source.blif", tmp_path / default_path(axsim.get("L40"), format)
    source.write_bytes(export(axsim.get("L40"), "blif"))
    exchanged = axsim.read(source, operands=("b", "a"))
    assert exchanged.table == axsim.get("L40~").table
    path.write_bytes(export(exchanged, format))
    assert axsim.read(path).table == exchanged.table


def test_what_has_no_netlist() -> None:
    with pytest.raises(ValueError, match="drum8_4 has no netlist, only a table: export it as bin, npy"):
        export(axsim.get("drum8_4"), "blif")
    assert export(axsim.get("drum8_4"), "npy").startswith(b"\x93NUMPY")


def test_unknown_formats() -> None:
    with pytest.raises(ValueError, match="format is 'edif', expected one of blif"):
        export(axsim.get("L40"), "edif")


def test_file_names() -> None:
    assert str(default_path(axsim.get("L40"), "aig")) == "mul8u_L40.aig"
    assert str(default_path(axsim.get("L40~"), "header")) == "mul8u_L40.h"

"""Multipliers from files of every format, and what is said about how they were read."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import axsim
from axsim.circuits import Netlist, baugh_wooley, exact, load_library, write_blif
from axsim.circuits.formats import aiger, c, cgp
from axsim.errors import NetlistFileError
from axsim.multipliers import ReadingWarning, closeness, registry
from axsim.multipliers.circuit_files import MAX_FILE_BYTES, clean_name
from axsim.tables import TableRecord, write_tables
from axsim.tables.formats import array_files, c_header, text


def npz(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, table=values)
    return out.getvalue()


def hdf5(folder: Path) -> bytes:
    write_tables(folder / "made.h5", [TableRecord("mul8u_L40", axsim.get("L40").table)])
    return (folder / "made.h5").read_bytes()


WRITERS = {
    "m.blif": lambda _: write_blif(load_library("mul8u_L40")),
    "m.c": lambda _: c.write(load_library("mul8u_L40")),
    "m.cgp": lambda _: cgp.write(load_library("mul8u_L40")),
    "m.aag": lambda _: aiger.write(load_library("mul8u_L40")),
    "m.aig": lambda _: aiger.write_binary(load_library("mul8u_L40")),
    "m.npy": lambda _: array_files.write_npy(axsim.get("L40").table),
    "m.npz": lambda _: npz(axsim.get("L40").table.values),
    "m.h5": hdf5,
    "m.bin": lambda _: array_files.write_bin(axsim.get("L40").table),
    "m.csv": lambda _: text.write(axsim.get("L40").table),
    "m.h": lambda _: c_header.write(axsim.get("L40").table),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("saved", ["my mult{}", "größe{}", "_m", "t.txt"])
def test_every_format_under_any_name(name: str, saved: str, tmp_path: Path) -> None:
    content = WRITERS[name](tmp_path)
    path = tmp_path / saved.format(Path(name).suffix)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    read = axsim.read(path)
    assert read.table == axsim.get("L40").table
    assert read.reading.known == "mul8u_L40"
    assert read.reading.sha256 == read.table.sha256
    assert read.reading.warnings == ()
    assert (read.netlist is None) == (name in ("m.npy", "m.npz", "m.h5", "m.bin", "m.csv", "m.h"))
    assert f"from {path}" in repr(read) or read.source == str(path)


def test_what_a_c_file_says(tmp_path: Path) -> None:
    path = tmp_path / "mul8u_mine.c"
    header = "// MAE% = 0.0019 %\n// MAE = 1.2\n// PDK45_PWR = 0.37 mW\n"
    path.write_text(header + "uint64_t mul8u_mine(uint64_t B, uint64_t A) { return (B & 0xFE) * A; }")
    read = axsim.read(path)
    assert (read.name, read.published["PDK45_PWR"]["value"], read.published["MAE"]["text"]) == (
        "mul8u_mine",
        0.37,
        "1.2",
    )
    said = " ".join(read.reading.sentences())
    assert "The left operand is B, the right one is A: B is the first parameter of the C function" in said
    assert "mul8u_mine(B, A)" in said
    assert "not symmetric, and which operand is which cannot be told by closeness" in said
    exchanged = axsim.read(path, operands=("A", "B"))
    assert exchanged.table == read.swapped().table
    assert "as operands= says" in " ".join(exchanged.reading.sentences())


def test_fingerprints_are_recognised_with_operands_exchanged(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(array_files.write_npy(axsim.get("L40~").table))
    reading = axsim.read(path).reading
    assert (reading.known, reading.known_exchanged) == ("", "mul8u_L40")
    assert "With the operands exchanged it is the table of mul8u_L40." in reading.sentences()
    assert axsim.read(path, operands=("columns", "rows")).reading.known == "mul8u_L40"
    with pytest.raises(NetlistFileError, match="are called rows and columns"):
        axsim.read(path, operands=("a", "b"))


def test_an_exact_signed_circuit_read_as_unsigned_is_told(tmp_path: Path) -> None:
    path = tmp_path / "signed.blif"
    path.write_text(write_blif(baugh_wooley(8)))
    with pytest.warns(ReadingWarning, match=r"far from a\*b.*two's complement.*nearest.*signed=True"):
        read = axsim.read(path)
    assert read.reading.nearest.coding == "two's complement"
    assert read.reading.chosen.mae == 32512
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert axsim.read(path, signed=True).reading.is_nearest


def reversed_bits(netlist: Netlist) -> Netlist:
    start = {
        name: 2 + sum(w for _, w in list(netlist.inputs.items())[:k]) for k, name in enumerate(netlist.inputs)
    }
    number = np.arange(netlist.first_gate + netlist.n_gates)
    for name, width in netlist.inputs.items():
        number[start[name] : start[name] + width] = number[start[name] : start[name] + width][::-1].copy()
    outputs = {name: tuple(number[list(nets)].tolist())[::-1] for name, nets in netlist.outputs.items()}
    return Netlist("reversed", netlist.inputs, outputs, netlist.ops, number[netlist.sources], netlist.signed)


def test_bits_in_reverse_are_told(tmp_path: Path) -> None:
    path = tmp_path / "reversed.blif"
    path.write_text(write_blif(reversed_bits(exact(6))))
    with pytest.warns(ReadingWarning, match="unsigned with bits reversed it is nearest.*from the other end"):
        reading = axsim.read(path).reading
    assert (reading.nearest.order, reading.nearest.mae) == ("bits reversed", 0)


@pytest.mark.parametrize("coding", ["sign-magnitude", "offset"])
def test_other_codings_are_told(coding: str, tmp_path: Path) -> None:
    n = np.arange(16)
    value = np.where(n > 7, 8 - n, n) if coding == "sign-magnitude" else n - 8
    products = np.multiply.outer(value, value)
    patterns = (
        np.where(products < 0, 128 - products, products) if coding == "sign-magnitude" else products + 128
    )
    path = tmp_path / "x.npy"
    np.save(path, patterns)
    with pytest.warns(ReadingWarning, match=f"read as {coding} it is nearest"):
        assert axsim.read(path).reading.nearest.mae == 0


@pytest.mark.parametrize(
    ("function", "signed"),
    [
        ("uint16_t add8u_x(uint8_t A, uint8_t B) { return A + B; }", False),
        ("uint16_t f(uint8_t A, uint8_t B) { return (A & 0xFC) + (B & 0xFC); }", False),
        ("int16_t add8s_x(int8_t A, int8_t B) { return (A + B) | 1; }", True),
    ],
)
def test_adders_are_said_to_be_adders(function: str, signed: bool, tmp_path: Path) -> None:
    path = tmp_path / "sum.c"
    path.write_text(function)
    with pytest.warns(ReadingWarning, match="This is an adder, no multiplier"):
        read = axsim.read(path)
    assert read.reading.is_adder
    assert read.signed == signed


def test_no_built_in_multiplier_is_misread(tmp_path: Path) -> None:
    """However coarse an approximation, its own reading is the nearest, and it is no adder."""
    path = tmp_path / "x.npy"
    for name in [
        *axsim.list_multipliers(),
        "trunc8_14",
        "bam8_h6_v11",
        "exact2",
        "exact1s",
        "exact12x4",
        "drum8_2",
    ]:
        multiplier = axsim.get(name)
        if isinstance(multiplier, axsim.Multiplier):
            path.write_bytes(array_files.write_npy(multiplier.table))
            reading = axsim.read(path, signed=multiplier.signed).reading
            assert (reading.is_nearest, reading.is_adder) == (True, False), name


def test_bits_that_no_product_depends_on_are_told(tmp_path: Path) -> None:
    """By what the circuit computes, not by its wires, where that can be known."""
    path = tmp_path / "m.v"
    for body, unused in (
        ("assign p = a * b;", ()),
        ("assign p = {a[3:1], 1'b0} * b[2:0];", ("a[0]", "b[3]")),
        ("assign p = a * b + (b[1] ^ b[1]) + (a[0] & ~a[0]);", ()),
        ("assign p = (a | 4'd4) * {b[3:2], 2'd3} + (b[0] | ~b[0]);", ("a[2]", "b[0]", "b[1]")),
    ):
        path.write_text(f"module m(input [3:0] a, b, output [7:0] p); {body} endmodule\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReadingWarning)
            reading = axsim.read(path).reading
        assert reading.unused == unused, body
        told = [text for text in reading.sentences() if text.startswith("No product depends on ")]
        assert len(told) == bool(unused)
        assert all(", ".join(unused) in text for text in told)
    path.write_text("module m(input [11:0] a, b, output [23:0] p); assign p = {a[11:1], 1'b1} * b; endmodule")
    assert axsim.read(path).reading.unused == ("a[0]",)
    path = tmp_path / "m.npy"
    np.save(path, np.multiply.outer(np.arange(8) & 6, np.arange(4)))
    assert axsim.read(path).reading.unused == ("bit 0 of the rows",)


def test_wide_circuits_are_simulated(tmp_path: Path) -> None:
    path = tmp_path / "mul12u_x.c"
    path.write_text(c.write(exact(12)))
    read = axsim.read(path)
    assert read.is_wide
    assert read(4095, [4095, 1]).tolist() == [4095 * 4095, 4095]
    assert read(1, 2).dtype == np.int32
    assert (read.reading.sha256, read.reading.symmetric, read.reading.sampled > 0) == ("", None, True)
    assert read.reading.chosen.mae == 0
    with pytest.raises(ValueError, match="at most 16 together"):
        _ = read.table
    path.write_text(c.write(exact(20)))
    assert axsim.read(path)((1 << 20) - 1, (1 << 20) - 1) == ((1 << 20) - 1) ** 2


@pytest.mark.parametrize("sign", ["", "signed "])
def test_the_widest_circuits(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "m.v"
    path.write_text(f"module m(input {sign}[31:0] a, b, output {sign}[63:0] p); assign p = a * b; endmodule")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = axsim.read(path)
    assert read.reading.chosen.relative < 1e-12
    most = 2**31 - 1 if sign else 2**32 - 1
    assert int(read(most, most)) == most**2
    if sign:
        assert int(read(-(2**31), most)) == -(2**31) * most


@pytest.mark.parametrize("width", [1, 2, 5, 63, 64])
def test_numbers_that_patterns_stand_for(width: int) -> None:
    top, patterns = 1 << (width - 1), sorted({0, 1, (1 << width) - 1, 1 << (width - 1), (1 << width) // 3})
    held = np.array(patterns, np.uint64).view(np.int64)
    expected = {
        "unsigned": patterns,
        "two's complement": [p - 2 * top if p & top else p for p in patterns],
        "sign-magnitude": [top - p if p & top else p for p in patterns],
        "offset": [p - top for p in patterns],
    }
    for coding in closeness.CODINGS:
        np.testing.assert_array_equal(closeness.value(held, width, coding), np.float64(expected[coding]))


def test_readings_are_values(tmp_path: Path) -> None:
    path = tmp_path / "x.blif"
    path.write_text(write_blif(exact(4)))
    one, two = axsim.read(path).reading, axsim.read(path).reading
    assert one == two
    assert hash(one) == hash(two)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    good, pipe, zeros = tmp_path / "mul4u_x.c", tmp_path / "pipe.v", tmp_path / "zeros.v"
    good.write_text("int mul4u_x(int A, int B) { return A * B; }")
    os.mkfifo(pipe)
    zeros.symlink_to("/dev/zero")
    for path in (pipe, zeros):
        with pytest.raises(NetlistFileError, match=rf"{path.name}: it is no regular file"):
            axsim.read(path)
        with pytest.raises(NetlistFileError, match="it is no regular file"):
            axsim.read(good, library=path)
    with pytest.raises(NetlistFileError, match="this is a folder; `axsim import` reads all files of one"):
        axsim.read(tmp_path)


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "x.c"
    with pytest.raises(FileNotFoundError):
        axsim.read(path)
    path.write_text("int f(uint8_t a, uint8_t b) { return c; }")
    with pytest.raises(NetlistFileError, match=r"x.c:1:38: 'c' is not declared"):
        axsim.read(path)
    with pytest.raises(ValueError, match="format is 'elf', expected one of blif, verilog, c,"):
        axsim.read(path, format="elf")
    path.write_text(".model m\n.inputs a b c\n.outputs p\n.names a b p\n11 1\n.end\n")
    with pytest.raises(NetlistFileError, match=r"x\.c: m: two input buses are needed"):
        axsim.read(path)
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(NetlistFileError, match=rf"bytes, more than {MAX_FILE_BYTES}"):
        axsim.read(path)


def test_names() -> None:
    assert clean_name("my mult") == "my_mult"
    assert clean_name("_m") == "m"
    assert clean_name("größe") == "gr_e"


# -- operands exchanged


@pytest.mark.parametrize("name", ["L40", "mul8s_1KVA", "exact8x4", "bam8_h2_v4", "mitchell8"])
def test_swapped(name: str) -> None:
    multiplier, other = axsim.get(name), axsim.get(f"{name}~")
    np.testing.assert_array_equal(other.table.values, multiplier.table.values.T)
    assert (other.a_bits, other.b_bits, other.signed) == (
        multiplier.b_bits,
        multiplier.a_bits,
        multiplier.signed,
    )
    assert other.name == f"{multiplier.name}~"
    assert other.swapped().name == multiplier.name
    assert other.swapped().table == multiplier.table
    assert axsim.get(f"{name}~").name == axsim.get(f"{name.upper()}~").name
    if multiplier.netlist is not None:
        np.testing.assert_array_equal(other.netlist.exhaustive(), multiplier.table.values.T)


def test_swapped_registered_multipliers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    axsim.register("mine", lambda a, b: a * (b & 3))
    assert axsim.get("Mine~")(3, 255) == 3 * 255
    assert axsim.get("Mine~")(255, 3) == 3 * 3
    with pytest.raises(ValueError, match="no multiplier is called 'none~'"):
        axsim.get("none~")


def test_matmul_takes_exchanged_operands() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (5, 7), dtype=np.uint8), rng.integers(0, 256, (7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        axsim.matmul(a, b, mult="L40~"), axsim.matmul(b.T.copy(), a.T.copy(), mult="L40").T
    )

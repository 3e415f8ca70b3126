"""The format of a file is told from its content."""

from __future__ import annotations

import io

import numpy as np
import pytest

from axsim.circuits import exact, write_blif
from axsim.circuits.formats import aiger, c, cgp
from axsim.circuits.formats.detect import detect
from axsim.errors import NetlistFileError
from axsim.multipliers import get
from axsim.tables.formats import array_files, c_header, text


def archive() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.zeros((2, 2), int))
    return out.getvalue()


CONTENTS = {
    "blif": write_blif(exact(2)),
    "verilog": "// module of C\n`timescale 1ns/1ps\nmodule m(input [1:0] a, b, output [3:0] p);\nendmodule\n",
    "c": c.write(exact(2)),
    "cgp": cgp.write(exact(2)),
    "aiger": aiger.write_binary(exact(2)),
    "npy": array_files.write_npy(get("exact4").table),
    "npz": archive(),
    "bin": array_files.write_bin(get("L40").table),
    "text": "A table: 2 bits (module of none)\n" + text.write(get("exact4").table),
    "c header": c_header.write(get("exact4").table),
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("path", [None, "x", "x.txt", "x.v", "x.h", "x.blif", "x.csv"])
def test_content_decides_and_not_the_ending(name: str, path: str | None) -> None:
    content = CONTENTS[name]
    data = content.encode() if isinstance(content, str) else content
    assert detect(data, path) == name
    if isinstance(content, str):
        assert detect(b"\xef\xbb\xbf" + data, path) == name


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("/* module x; */ uint8_t f(uint8_t a, uint8_t b) { return a; }", "c"),
        ("// int f(int a) {\nmodule f(a, b);", "verilog"),
        ("# a comment: module m(a);\n.inputs a\n", "blif"),
        ("int lut[2][2] = {{0,0},{0,1}};\nint f(int a, int b) { return lut[a][b]; }", "c"),
        ("0 0 0\n0 1 0\n", "text"),
        ("module\n\tmul (\n a, b);", "verilog"),
    ],
)
def test_what_looks_alike(content: str, name: str) -> None:
    assert detect(content.encode()) == name


def test_the_ending_counts_where_content_does_not_tell() -> None:
    assert detect(b"", "x.blif") == "blif"
    assert detect(bytes(8), "x.bin") == "bin"


def test_nothing_known() -> None:
    with pytest.raises(NetlistFileError, match=r"x: its format cannot be told.*say which by format="):
        detect(b"hello\n", "x")
    with pytest.raises(NetlistFileError, match="no text, and no array"):
        detect(b"\0\1\2", "x.v")
    with pytest.raises(NetlistFileError, match="VHDL, which is not read: make Verilog"):
        detect(b"library ieee;\nentity mul is port (a : in bit);\nend;", "m.vhd")

"""Tables as arrays of C."""

from __future__ import annotations

from pathlib import Path

import pytest

from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError
from axsim.multipliers import get
from axsim.tables.formats import c_header


@pytest.mark.parametrize("name", ["mul8u_L40", "exact8s", "mul8s_1KVA", "exact4x3", "exact1"])
def test_round_trip(name: str) -> None:
    table = get(name).table
    assert c_header.read(c_header.write(table, "mine")) == table


@pytest.mark.parametrize(
    "content",
    [
        "int lut[4] = {0, 0, 0, 1};",
        "int lut[] = {0, 0, 0, 1};",
        "int lut[][2] = {{0, 0}, {0, 1}};",
        "int lut[2][2] = {0, 0, 0, 1,};",
        "#ifndef LUT_H\n#define LUT_H\n#include <stdint.h>\nextern const int n;\n"
        "static const uint16_t lut [2][2] = { { 0x0u, 0 }, /* row */ { 0, 1 } };\n#endif",
    ],
)
def test_ways_to_write_one(content: str) -> None:
    assert c_header.read(content) == get("exact1").table


def test_signed_values_and_signs() -> None:
    table = c_header.read("int8_t lut[2][2] = {{0, 0}, {0, -1}};")
    assert table.signed
    assert table.values.tolist() == [[0, 0], [0, -1]]
    assert c_header.read("char lut[2][2] = {{0, 0}, {0, 1}};", ReadOptions(signed=True)).signed


def test_several_arrays() -> None:
    text = "int one[2][2] = {0, 0, 0, 1}; int two[2][2] = {0, 0, 0, 0};"
    assert c_header.read(text, ReadOptions(top="one")) == get("exact1").table
    with pytest.raises(NetlistFileError, match="one, two came: name one by top="):
        c_header.read(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "h.h:1:1: one array with values was expected, none came"),
        ("int lut[2][2] = {0, 0, 0};", r"h.h:1:25: 3 values came for an array of \[2, 2\]"),
        ("int lut[3] = {0, 0, 0};", r"h.h:1:5: array 'lut': an array of shape \(3,\)"),
        ("int lut[2][2] = {0, 0, 0, x};", "h.h:1:27: 'x' came among the values"),
        ("int lut[2][2] = {0, 0, 0, 1", "the end of the text came among"),
        ("int lut[2][2];", "';' came, expected '='"),
        ("int lut[2[2] = {1};", "came, expected ']'"),
        ("int lut[2][2] = {{{{{{0", "4 braces"),
        ("int lut[2][2] = {0, 0, 0, 99999999999999999};", "too large"),
        ("int lut[2][2] = 5;", "5 values|1 values"),
        ("int lut[2][2] = {0, 0, 0, 1.5};", "'1.5' came"),
    ],
)
def test_refusals(content: str, message: str) -> None:
    with pytest.raises(NetlistFileError, match=message):
        c_header.read(content, ReadOptions(path=Path("h.h")))


def test_size_is_bounded() -> None:
    with pytest.raises(NetlistFileError, match="more than 65536 values"):
        c_header.read("int lut[] = {" + "0," * 70_000 + "};")


def test_names_are_identifiers() -> None:
    with pytest.raises(ValueError, match="an identifier of C"):
        c_header.write(get("exact1").table, "my lut")

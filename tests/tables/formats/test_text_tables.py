"""Tables as text: grids, and a line for each pair of operands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from axsim.circuits.formats.options import ReadOptions
from axsim.errors import NetlistFileError
from axsim.multipliers import get
from axsim.tables import ProductTable
from axsim.tables.formats import text


def lines(table: ProductTable, form: str = "{a} {b} {p}") -> str:
    pairs = np.ndindex(table.values.shape)
    return "\n".join(form.format(a=a, b=b, p=table.values[a, b]) for a, b in pairs) + "\n"


@pytest.mark.parametrize("name", ["mul8u_L40", "exact8s", "exact6", "exact4x3", "exact1"])
def test_grids_come_back(name: str) -> None:
    table = get(name).table
    written = text.write(table)
    for sep in (",", " ", "\t", ";  ", ", "):
        assert text.read(written.replace(",", sep)) == table
    assert text.read("A table of products\n\n" + written.replace("\n", "\r\n").replace("\r", "", 1)) == table
    assert text.read(b"\xef\xbb\xbf" + written.encode()) == table


def test_a_grid_with_headings() -> None:
    table = get("exact3").table
    rows = [f"{a}," + ",".join(map(str, row)) for a, row in enumerate(table.values.tolist())]
    heading = ",".join(map(str, range(8)))
    assert text.read("\n".join([heading, *rows])) == table
    assert text.read("\n".join(["0," + heading, *rows])) == table
    with pytest.raises(NetlistFileError, match="expected the numbers of the columns"):
        text.read("\n".join([heading.replace("3", "4"), *rows]))


@pytest.mark.parametrize("name", ["exact6", "exact7", "mul8u_L40"])
@pytest.mark.parametrize("form", ["{a} {b} {p}", "{a},{b},{p}", "{a} * {b} = {p}", "{a:#x} {b:#x} {p:#06x}"])
def test_lines(name: str, form: str) -> None:
    table = get(name).table
    written = "Multiplier of 5 to 8 bits, 2 operands\na b product\n" + lines(table, form)
    assert text.read(written) == table
    shuffled = written.split("\n")
    shuffled[3:] = reversed(shuffled[3:])
    assert text.read("\n".join(shuffled)) == table


def test_lines_of_binary_digits() -> None:
    table = get("exact6").table
    assert text.read(lines(table, "{a:06b} {b:06b} {p:012b}")) == table


def test_lines_of_signed_operands() -> None:
    table = get("exact6s").table
    values = np.where(np.arange(64) > 31, np.arange(64) - 64, np.arange(64))
    written = "".join(f"{a} {b} {table.values[a, b]}\n" for a in values for b in values)
    assert text.read(written) == table
    assert text.read(lines(table)) == table  # operands as bit patterns, products negative
    assert text.read(lines(get("exact4").table), ReadOptions(signed=True)).signed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.txt:1:1: the text holds no line of numbers"),
        ("nothing\nhere", "no line of numbers"),
        ("a,b\n0.0,1.5\n", "t.txt:2:1: 0.0 came, expected integers"),
        ("0 0 0\n0 1 0\n1 0 0\n", "t.txt:3:1: 3 lines came, expected 4"),
        ("0 0 0\n0 1 0\n1 0 0\n1 0 1\n", "t.txt:4:1: the operands of line 3 come again"),
        ("1 2\n3 4\n5 6\n", "3 lines of 2 numbers"),
        ("1 2 3 4\n5 6 7\n1 2 3 4\n", "t.txt:2:1: 3 numbers came, expected 4"),
        ("1 2 3 4 5\n1 2 3 4 6\n", "5 numbers came, expected a power of two"),
        ("0 99999999999999999999\n0 0\n", "t.txt:1:1: .*no product"),
        ("0 0 0\n0 99999999 0\n", "operands of 1 and 27 bits"),
        ("0 0 0\n0 1 4000000000\n1 0 0\n1 1 1\n", "at most 31 bits"),
    ],
)
def test_refusals(content: str, message: str) -> None:
    with pytest.raises(NetlistFileError, match=message):
        text.read(content, ReadOptions(path=Path("t.txt")))


def test_size_is_bounded() -> None:
    with pytest.raises(NetlistFileError, match="at most"):
        text.read(b" " * (65 << 20))
    with pytest.raises(NetlistFileError, match="too many for a table"):
        text.read("1 2 3 4 5 6 7 8\n" * 50_000)
    with pytest.raises(NetlistFileError, match="no line of numbers"):
        text.read("9" * 5_000_000)

"""Product tables as text: a grid of numbers, or a line ``a b product`` for each pair of operands.

Numbers stand between blanks, commas, semicolons or tabs; lines that hold anything else are prose and passed
over. The rows and columns of a grid are the operands' bit patterns in ascending order. Lines may come in any
order, in decimal, hexadecimal (0x) or binary digits (where all numbers of a column have the same length).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.tables.formats.array_files import fail, from_integers
from axsim.tables.product import MAX_INPUT_BITS, ProductTable

_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,40})", re.ASCII)
_FRACTION = re.compile(r"[+-]?[0-9]{1,40}\.[0-9]{0,40}", re.ASCII)
_BINARY = re.compile(r"[01]{2,40}")
_SIGNS_BETWEEN = re.compile(r"[\s,;|*=x:]+")

_MAX_TEXT = 8 << 20  # eight times as long as the lines of an 8x8 table

_Row = tuple[int, list[str]]


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The table that a text of numbers holds; see the module's docstring.

    Raises:
        NetlistFileError: the numbers are no table: the message names the line.

    >>> read("a b product\\n0 0 0\\n0 1 0\\n1 0 0\\n1 1 1\\n")
    ProductTable(1x1 -> 2 bits, unsigned, sha256 b40711a8...)
    """
    if len(text) > _MAX_TEXT:
        fail(options, f"the text has {len(text)} characters, expected at most {_MAX_TEXT}")
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", errors="replace")
    rows = _rows(text, options)
    if not rows and (fraction := _FRACTION.search(text)):
        line = text.count("\n", 0, fraction.start()) + 1
        fail(options, f"{fraction[0]} came, expected integers", line, 1)
    if not rows:
        fail(options, "the text holds no line of numbers, expected a grid or lines 'a b product'", 1, 1)
    rows = _without_odd_ends(rows)
    widths = {len(numbers) for _, numbers in rows}
    if widths == {3}:
        return _from_lines(rows, options)
    return from_integers(_grid(rows, options), options)


def _rows(text: str, options: ReadOptions) -> list[_Row]:
    """The lines that hold numbers and nothing else, each with its number."""
    rows: list[_Row] = []
    count = 0
    for line, content in enumerate(text.split("\n"), 1):
        words = [word for word in _SIGNS_BETWEEN.split(content.strip()) if word] if content.strip() else []
        if "0x" in content.lower():  # the x of 0x12 stands between no numbers
            words = re.split(r"[\s,;|*=:]+", content.strip(" \t\r,;|"))
        if not words or not all(map(_NUMBER.fullmatch, words)):
            continue
        count += len(words)
        if count > 4 << MAX_INPUT_BITS:
            fail(options, f"more than {4 << MAX_INPUT_BITS} numbers, too many for a table", line, 1)
        rows.append((line, words))
    return rows


def _without_odd_ends(rows: list[_Row]) -> list[_Row]:
    """The rows without single ones at the start whose length is another: a heading of numbers, a size."""
    usual = len(rows[-1][1])
    while len(rows) > 2 and len(rows[0][1]) != usual and len(rows[0][1]) < 3:
        rows = rows[1:]
    return rows


def _grid(rows: list[_Row], options: ReadOptions) -> NDArray[np.int64]:
    """The products; a heading of columns and a column of row numbers are checked and left out."""
    width = len(rows[-1][1])
    if len(rows) > 1 and len(rows[0][1]) == width - 1:
        _check_counts(rows[0], 0, options)
        rows = rows[1:]
    for line, numbers in rows:
        if len(numbers) != width:
            fail(options, f"{len(numbers)} numbers came, expected {width} as in the last line", line, 1)
    values = np.array([_integers(numbers, line, options) for line, numbers in rows], np.int64)
    labelled = width > 2 and not (width - 1) & (width - 2)
    if labelled and width > 3:
        if len(rows) & (len(rows) - 1):
            _check_counts(rows[0], 1, options)
            values, rows = values[1:], rows[1:]
        if not np.array_equal(values[:, 0], np.arange(len(values))):
            fail(options, f"{width} numbers came, expected a power of two", rows[0][0], 1)
        values = values[:, 1:]
    if len(rows) & (len(rows) - 1) or width - labelled & (width - labelled - 1):
        fail(
            options,
            f"{len(rows)} lines of {width} numbers came, expected 256 of 256, or another power of two",
        )
    return values


def _check_counts(row: _Row, skip: int, options: ReadOptions) -> None:
    line, numbers = row
    if _integers(numbers[skip:], line, options) != list(range(len(numbers) - skip)):
        fail(
            options, "a line of another length came, expected the numbers of the columns, 0 1 2 ...", line, 1
        )


def _from_lines(rows: list[_Row], options: ReadOptions) -> ProductTable:
    columns = [[numbers[k] for _, numbers in rows] for k in range(3)]
    base = 2 if all(_is_binary(column) for column in columns[:2]) and _looks_binary(columns) else 0
    a, b, products = (
        np.array([_integer(word, line, options, base) for (line, _), word in zip(rows, column, strict=True)])
        for column in columns
    )
    negative = bool(min(a.min(), b.min()) < 0)
    bits = [_width(operand, column, base) for operand, column in ((a, columns[0]), (b, columns[1]))]
    if sum(bits) > MAX_INPUT_BITS:
        fail(
            options,
            f"operands of {bits[0]} and {bits[1]} bits came, expected at most {MAX_INPUT_BITS} together",
        )
    if len(rows) != 1 << sum(bits):
        fail(
            options,
            f"{len(rows)} lines came, expected {1 << sum(bits)}: one for each pair of {bits[0]}- and "
            f"{bits[1]}-bit operands",
            rows[-1][0],
            1,
        )
    place = ((a & ((1 << bits[0]) - 1)) << bits[1]) | (b & ((1 << bits[1]) - 1))
    first: dict[int, int] = {}
    for (line, _), number in zip(rows, place.tolist(), strict=True):
        if number in first:
            fail(options, f"the operands of line {first[number]} come again", line, 1)
        first[number] = line
    values = np.empty(len(rows), np.int64)
    values[place] = products
    if options.signed is None and negative:
        return ProductTable.from_array(values.reshape(1 << bits[0], -1), signed=True)
    return from_integers(values.reshape(1 << bits[0], -1), options)


def _width(operand: NDArray[np.int64], words: Sequence[str], base: int) -> int:
    if base == 2:
        return len(words[0])
    low, high = int(operand.min()), int(operand.max())
    return max(high.bit_length() + 1, (~low).bit_length() + 1) if low < 0 else max(high.bit_length(), 1)


def _is_binary(words: Sequence[str]) -> bool:
    return len({len(word) for word in words}) == 1 and all(map(_BINARY.fullmatch, words))


def _looks_binary(columns: Sequence[Sequence[str]]) -> bool:
    return len(columns[0][0]) > 1 and len({*columns[0]}) == 1 << len(columns[0][0])


def _integers(words: Sequence[str], line: int, options: ReadOptions) -> list[int]:
    return [_integer(word, line, options) for word in words]


def _integer(word: str, line: int, options: ReadOptions, base: int = 0) -> int:
    value = int(word, base) if base == 2 or word.lower().lstrip("+-").startswith("0x") else int(word)
    if not -(1 << 40) < value < 1 << 40:
        fail(options, f"{word[:40]} came, which is no product of a table", line, 1)
    return value


def write(table: ProductTable) -> str:
    """The table as a grid of numbers, a line for each left operand, with commas between.

    >>> print(write(ProductTable.from_array([[0, 0], [0, 1]])), end="")
    0,0
    0,1
    """
    return "".join(",".join(map(str, row)) + "\n" for row in table.values.tolist())

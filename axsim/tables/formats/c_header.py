"""Product tables as arrays of C: ``lut[256][256]``, indexed by the bytes of the operands."""

from __future__ import annotations

import re

import numpy as np

from axsim.circuits.formats.c_tokens import Source, Token, tokenize
from axsim.circuits.formats.c_types import number
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.circuits.formats.text import decode
from axsim.errors import NetlistFileError
from axsim.tables.formats.array_files import from_integers
from axsim.tables.product import MAX_INPUT_BITS, ProductTable


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> ProductTable:
    """The table that the only array of a C header holds, or the one that ``options.top`` names.

    The first index is the left operand's bit pattern; an array of one index is as long as all pairs. It is
    signed if ``options.signed`` says so or a product is negative.

    Raises:
        NetlistFileError: there is no such array, or several, or its values are no table.

    >>> read("const uint16_t lut[2][2] = {{0, 0}, {0, 1}};")
    ProductTable(1x1 -> 2 bits, unsigned, sha256 b40711a8...)
    """
    source = Source(decode(text) if isinstance(text, bytes) else text, options, "C header")
    tokens = tokenize(source)
    arrays = {tokens[at].text: at for at in range(len(tokens) - 1) if _starts_array(tokens, at)}
    if options.top is not None:
        arrays = {name: at for name, at in arrays.items() if name == options.top}
    if len(arrays) != 1:
        found = ", ".join(arrays) or "none"
        source.fail(0, f"one array with values was expected, {found} came: name one by top=")
    name, at = next(iter(arrays.items()))
    values = _values(source, tokens, at + 1)
    try:
        return from_integers(values, options)
    except NetlistFileError as problem:
        return source.fail(tokens[at].at, f"array {name!r}: {problem.what}")


def _starts_array(tokens: list[Token], at: int) -> bool:
    return tokens[at].kind == "name" and tokens[at + 1].text == "[" and tokens[at + 1].kind == "op"


def _values(source: Source, tokens: list[Token], at: int) -> np.ndarray:
    """The values of an array whose first opening bracket is token ``at``, in its shape."""
    shape = []
    while tokens[at].text == "[":
        at += 1
        if tokens[at].kind == "number":
            shape.append(number(source, tokens[at]).value)
            at += 1
        else:
            shape.append(0)
        at = _after(source, tokens, at, "]")
    at = _after(source, tokens, at, "=")
    values: list[int] = []
    depth, limit = 0, 1 << MAX_INPUT_BITS
    while True:
        token = tokens[at]
        if token.kind == "op" and token.text in ("{", "}"):
            depth += 1 if token.text == "{" else -1
            if depth > 4:
                source.fail(token.at, "more than 4 braces within each other")
        elif token.kind == "op" and token.text == "-" and tokens[at + 1].kind == "number":
            at += 1
            values.append(-number(source, tokens[at]).value)
        elif token.kind == "number":
            values.append(number(source, token).value)
        elif token.text != "," or token.kind != "op":
            shown = token.text if token.kind == "end" else repr(token.text[:40])
            source.fail(token.at, f"{shown} came among the values, expected numbers and braces")
        if len(values) > limit:
            source.fail(token.at, f"more than {limit} values, too many for a table")
        if depth == 0:
            break
        at += 1
    return _shaped(source, token, values, shape)


def _shaped(source: Source, token: Token, values: list[int], shape: list[int]) -> np.ndarray:
    if max(map(abs, values), default=0) >= 1 << 40:
        source.fail(token.at, "a value is too large for a product")
    array = np.array(values, np.int64)
    rows = shape[0]
    if len(shape) == 2 and 0 in shape and any(shape):
        rows = rows or len(values) // max(shape)
        shape = [rows, len(values) // max(rows, 1)]
    count = int(np.prod(shape, dtype=object)) if all(shape) else len(values)
    if len(shape) > 2 or count != len(values):
        source.fail(token.at, f"{len(values)} values came for an array of {shape}")
    return array.reshape(shape if all(shape) else [len(values)])


def _after(source: Source, tokens: list[Token], at: int, text: str) -> int:
    if tokens[at].text != text:
        source.fail(tokens[at].at, f"{tokens[at].text[:40]!r} came, expected {text!r}")
    return at + 1


def write(table: ProductTable, name: str = "lut") -> str:
    """The table as a C header: ``name[left][right]``, indexed by the operands' bit patterns.

    Raises ValueError for a name that is no identifier.

    >>> print(write(ProductTable.from_array([[0, 0], [0, 1]])), end="")
    #include <stdint.h>
    <BLANKLINE>
    /* 1 x 1 -> 2 bits, unsigned: lut[left][right], bit patterns. */
    static const uint8_t lut[2][2] = {
        {0, 0},
        {0, 1},
    };
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(f"name is {name!r}, expected an identifier of C")
    kind = "signed" if table.signed else "unsigned"
    type_ = f"{'' if table.signed else 'u'}int{8 * table.values.itemsize}_t"
    rows = "".join("    {" + ", ".join(map(str, row)) + "},\n" for row in table.values.tolist())
    return (
        "#include <stdint.h>\n\n"
        f"/* {table.a_bits} x {table.b_bits} -> {table.out_bits} bits, {kind}: {name}[left][right], "
        "bit patterns. */\n"
        f"static const {type_} {name}[{1 << table.a_bits}][{1 << table.b_bits}] = {{\n{rows}}};\n"
    )

"""Libraries of cells: what a netlist's gates compute that the netlist only names.

A library is a genlib text (the format of SIS and ABC): ``GATE name area output=expression;`` and ``PIN``
lines, of which only the functions count here. Several ``GATE`` of one name are one cell of several outputs.
In expressions ``!`` and a following ``'`` negate, ``*``, ``&`` or nothing between two factors is AND, ``^``
is XOR, ``+`` and ``|`` are OR, in this order of strength.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from axsim.circuits.builder import Builder
from axsim.circuits.netlist import Netlist
from axsim.errors import NetlistFileError

_TOKEN = re.compile(
    r'[ \t\r\f\v]+|#[^\n]*|(?P<newline>\n)|(?P<word>"[^"\n]*"|[^\s;=()!\'*+&|^#"]+)|(?P<mark>.)', re.S
)
_EXPRESSION_MARKS = "()!'*+&|^"
_BINARY = {"*": (3, 8), "^": (2, 6), "+": (1, 14)}
_AS = {"&": "*", "|": "+"}
_MAX_TOKENS = 10_000  # of one expression
_FAMILY = (
    (re.compile(r"^PDKGEN(?=[A-Z])"), ""),
    (re.compile(r"^sky130_fd_sc_[a-z]+__"), "sky130_fd_sc_hd__"),
    (re.compile(r"(?<=X)\d+$|(?<=_)\d+$|(?<=^CLKBUF)\d+$"), "1"),
)


@dataclass(frozen=True)
class Cell:
    """A combinational cell.

    Args:
        name: as the library has it.
        inputs: its input pins, in order of first appearance.
        functions: for each output pin a circuit of one output, whose inputs are those pins that it reads.
    """

    name: str
    inputs: tuple[str, ...]
    functions: Mapping[str, Netlist]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output pins."""
        return tuple(self.functions)


class CellLibrary:
    """Cells by name; the shipped ones where a library of the user's own does not have the name."""

    def __init__(self, cells: Mapping[str, Cell]) -> None:
        self._cells = dict(cells)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> Cell | None:
        """Return a cell; of the shipped ones also where only drive strength or variant differ.

        >>> cell = read_library(None).get("NAND2X4")
        >>> cell.inputs, cell.outputs, cell.functions["Y"](1, [0, 1])
        (('A', 'B'), ('Y',), array([1, 0]))
        """
        if name in self._cells:
            return self._cells[name]
        shipped = _shipped()
        if name in shipped:
            return shipped[name]
        for pattern, replacement in _FAMILY:
            name = pattern.sub(replacement, name)
        return shipped.get(name)


def read_library(text: str | None, path: Path | str | None = None) -> CellLibrary:
    """Return the cells of a genlib text, and behind them those that come with axsim.

    The latter (``cells.genlib``) are those of FreePDK45 with the OSU library (AND2X1, FAX1, HAX1 ...), of the
    NanGate 45 nm library (AND2_X1, FA_X1 ...), the commoner ones of SkyWater's sky130_fd_sc_hd, and Yosys's
    own gates ($_AND_ ...).

    Raises:
        NetlistFileError: for a text that is no genlib.
    """
    return CellLibrary({} if text is None else _parse(text, path or "library"))


@cache
def _shipped() -> dict[str, Cell]:
    text = (files("axsim.circuits.formats") / "cells.genlib").read_text(encoding="utf-8")
    return _parse(text, "cells.genlib")


class _Words:
    """The words and marks of a genlib text, one ahead, with lines and columns."""

    def __init__(self, text: str, path: Path | str) -> None:
        self._path = path
        self._tokens = self._scan(text)
        self.token, self.line, self.column = next(self._tokens)

    def _scan(self, text: str) -> Iterator[tuple[str, int, int]]:
        line, start = 1, 0
        for match in _TOKEN.finditer(text):
            if match.lastgroup == "newline":
                line, start = line + 1, match.end()
            elif match.lastgroup is not None:
                yield match[0], line, match.start() - start + 1
        while True:
            yield "", line, len(text) - start + 1

    def take(self) -> str:
        taken = self.token
        self.token, self.line, self.column = next(self._tokens)
        return taken

    def fault(self, expected: str) -> NetlistFileError:
        came = repr(self.token[:60]) if self.token else "the end of the text"
        return NetlistFileError(
            f"{came} came, expected {expected}", path=self._path, line=self.line, column=self.column
        )


def _parse(text: str, path: Path | str) -> dict[str, Cell]:
    words = _Words(text.removeprefix("\ufeff"), path)
    functions: dict[str, dict[str, Netlist]] = {}
    while words.token:
        if words.token == "LATCH":
            words.take()
            while words.token not in ("", "GATE", "LATCH"):
                words.take()
        elif words.token == "GATE":
            words.take()
            name = words.take().strip('"')
            words.take()  # the area
            output = words.take()
            if words.token != "=" or not name:
                raise words.fault("GATE name area output=expression;")
            words.take()
            outputs = functions.setdefault(name, {})
            if output in outputs:
                raise words.fault(f"another output than {output!r}, which cell {name!r} has already")
            outputs[output] = _expression(words, name, output)
            while words.token == "PIN":
                for _ in range(9):
                    words.take()
        else:
            raise words.fault("GATE, PIN or LATCH")
    return {
        name: Cell(name, tuple(dict.fromkeys(pin for one in outputs.values() for pin in one.inputs)), outputs)
        for name, outputs in functions.items()
    }


def _expression(words: _Words, cell: str, output: str) -> Netlist:
    """The circuit of an expression up to its semicolon."""
    tokens: list[str] = []
    while words.token != ";":
        is_name = re.fullmatch(r"[^\s\"\\=\[\]#]+", words.token) or words.token in _EXPRESSION_MARKS
        if not words.token or not is_name or len(tokens) > _MAX_TOKENS:
            raise words.fault("an expression, then ;")
        token = _AS.get(words.token, words.token)
        factor_before = bool(tokens) and tokens[-1] not in _BINARY and tokens[-1] not in ("(", "!")
        if factor_before and token not in _BINARY and token not in (")", "'"):
            tokens.append("*")
        tokens.append(token)
        words.take()
    pins = [token for token in tokens if token not in _EXPRESSION_MARKS and token not in ("CONST0", "CONST1")]
    builder = Builder("cell")
    nets = {pin: builder.input(pin, 1)[0] for pin in dict.fromkeys(pins)}
    nets |= {"CONST0": 0, "CONST1": 1}
    try:
        result = _evaluate(builder, tokens, nets)
    except IndexError:
        raise words.fault(f"a complete expression for pin {output!r} of cell {cell!r} before it") from None
    words.take()
    builder.output(output if output not in nets else f"{output}_", [result])
    return builder.build()


def _evaluate(builder: Builder, tokens: list[str], nets: Mapping[str, int]) -> int:
    """Operator precedence with two stacks; IndexError where operands or parentheses do not match."""
    values: list[int] = []
    waiting: list[str] = []

    def reduce(strength: int) -> None:
        while (
            waiting
            and waiting[-1] != "("
            and (_BINARY[waiting[-1]][0] if waiting[-1] != "!" else 4) >= strength
        ):
            operator = waiting.pop()
            right = values.pop()
            if operator == "!":
                values.append(builder.not_(right))
            else:
                values.append(builder.gate(_BINARY[operator][1], values.pop(), right))

    for token in tokens:
        if token in ("(", "!"):
            waiting.append(token)
        elif token == ")":
            reduce(0)
            if not waiting:
                raise IndexError
            waiting.pop()
        elif token == "'":
            values.append(builder.not_(values.pop()))
        elif token in _BINARY:
            reduce(_BINARY[token][0])
            waiting.append(token)
        else:
            values.append(nets[token])
    reduce(0)
    if waiting or len(values) != 1:
        raise IndexError
    return values[0]

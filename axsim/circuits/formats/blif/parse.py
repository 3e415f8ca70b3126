"""BLIF text to models: what each statement says, and nothing about what it means together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from axsim.circuits.formats.buses import shorten
from axsim.errors import NetlistError

_CONTROL = re.compile(r"[^\t -\U0010FFFF]|\x7f")
_SEQUENTIAL = "axsim simulates combinational circuits only"
_REFUSED = {
    ".latch": _SEQUENTIAL,
    ".mlatch": _SEQUENTIAL,
    ".clock_event": _SEQUENTIAL,
    ".cycle": _SEQUENTIAL,
    ".start_kiss": _SEQUENTIAL,
    ".search": "put the models of the other file into this one",
    ".blackbox": "the model's gates are needed",
}
# They are about timing, area, layout, or the program that wrote the file; the functions stay the same.
IGNORED = frozenset(
    f".{word}"
    for word in (
        *("area", "delay", "wire_load_slope", "wire", "gateinfo", "no_merge", "clock"),
        *("input_arrival", "default_input_arrival", "output_required", "default_output_required"),
        *("input_drive", "default_input_drive", "output_load", "default_output_load"),
        *("max_input_load", "default_max_input_load", "input_required", "output_arrival"),
        *("attr", "param", "cname"),
    )
)
_KNOWN = ".model, .inputs, .outputs, .names, .subckt, .gate, .conn, .barbuf, .exdc and .end"


class Fault(NetlistError):  # noqa: N818 (it becomes a BlifError)
    """What is wrong, on which line, and the word there that it is about."""

    def __init__(self, what: str, line: int, word: str | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.word = what, line, word


@dataclass(slots=True)
class Cover:
    """One ``.names``: its line, its nets (the output last), its rows and the lines they stand on."""

    line: int
    nets: list[str]
    rows: list[str] = field(default_factory=list)
    row_lines: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Instance:
    """One ``.subckt`` or ``.gate``: its line, the model's name, and (formal, actual) for each connection."""

    line: int
    model: str
    pins: list[tuple[str, str]]
    is_gate: bool


@dataclass(slots=True)
class Model:
    """One ``.model``; bits as (net, line)."""

    name: str
    line: int
    inputs: list[tuple[str, int]] = field(default_factory=list)
    outputs: list[tuple[str, int]] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    refused: Fault | None = None


def physical_lines(text: str) -> list[str]:
    """The lines as an editor counts them: ends are LF, CR LF or CR, never a form feed or U+0085.

    >>> physical_lines("a # form feed " + chr(12) + " here" + chr(13) + chr(10) + "b")
    ['a # form feed \\x0c here', 'b']
    """
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _words(line: str) -> list[str]:
    if line.isascii():
        return line.split()
    return [word for word in line.replace("\t", " ").split(" ") if word]


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and words of each line, comments taken out and continued lines joined."""
    words: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        if "#" in line:
            line = line[: line.index("#")]
        if not line.isprintable() and (control := _CONTROL.search(line)):
            what = f"the control character U+{ord(control[0]):04X}: a blank for some programs, not for others"
            raise Fault(what, number, control[0])
        if "\\" in line and (cut := line.rstrip()).endswith("\\"):
            first = first or number
            words += _words(cut[:-1])
            continue
        if first:
            words += _words(line)
            if words:
                yield first, words
            words, first = [], 0
        elif got := _words(line):
            yield number, got
    if words:
        raise Fault("the text ends in a continued line", first)


def parse(lines: list[str], default_name: str) -> list[Model]:
    """Return the models of a text, in its order.

    Args:
        lines: of :func:`physical_lines`.
        default_name: what a model without a name is called.

    Raises:
        Fault: for an unknown statement, a row outside a ``.names``, no model at all, or a last ``.names``
            without ``.end`` behind it and without rows: a text cut short.
    """
    models: list[Model] = []
    model: Model | None = None
    cover: Cover | None = None
    skipping = False  # inside .exdc
    number = 1
    for number, words in _logical_lines(lines):
        keyword = words[0]
        if keyword[0] != ".":
            if skipping:
                continue
            if cover is None:
                raise Fault(f"{shorten(keyword)!r} stands outside a .names", number, keyword)
            cover.rows.append(" ".join(words))
            cover.row_lines.append(number)
            continue
        cover = None
        if keyword == ".end":
            model, skipping = None, False
        elif keyword == ".model":
            skipping = False
            model = _open_model(words, number, default_name)
            models.append(model)
        elif skipping:
            continue
        elif keyword == ".exdc":
            skipping = True
        else:
            if model is None:
                if models:
                    raise Fault(
                        f"{shorten(keyword)!r} came behind .end, where only .model is expected", number
                    )
                model = Model(default_name, number)
                models.append(model)
            if keyword == ".names":
                if len(words) == 1:
                    raise Fault(".names without an output net", number)
                cover = Cover(number, words[1:])
                model.covers.append(cover)
            else:
                _add_statement(model, number, keyword, words)
    if not models:
        raise Fault("the text is empty", number)
    if cover is not None and not cover.rows:
        raise Fault(
            "the text ends behind a .names without rows and without .end; is it cut short?", number, ".names"
        )
    return models


def _open_model(words: list[str], line: int, default_name: str) -> Model:
    if len(words) > 2:
        raise Fault(f"one .model with one name is needed, {len(words) - 1} names came", line, words[2])
    return Model(words[1] if len(words) == 2 else default_name, line)


def _add_statement(model: Model, line: int, keyword: str, words: list[str]) -> None:
    if keyword == ".inputs":
        model.inputs += [(net, line) for net in words[1:]]
    elif keyword == ".outputs":
        model.outputs += [(net, line) for net in words[1:]]
    elif keyword in (".subckt", ".gate"):
        if len(words) < 2:
            raise Fault(f"{keyword} without the name of a {'cell' if keyword == '.gate' else 'model'}", line)
        pins = [_pin(keyword, line, word) for word in words[2:]]
        model.instances.append(Instance(line, words[1], pins, keyword == ".gate"))
    elif keyword in (".conn", ".barbuf"):
        if len(words) != 3:
            raise Fault(f"{keyword} has {len(words) - 1} nets; two are expected", line)
        model.covers.append(Cover(line, words[1:], ["1 1"], [line]))
    elif keyword in _REFUSED:
        fault = Fault(f"cannot read {' '.join(words[:2])!r}: {_REFUSED[keyword]}", line, keyword)
        model.refused = model.refused or fault
    elif keyword not in IGNORED:
        raise Fault(f"cannot read {shorten(' '.join(words[:2]))!r}: known are {_KNOWN}", line, keyword)


def _pin(keyword: str, line: int, word: str) -> tuple[str, str]:
    """(formal, actual) of one connection; the formal name has no ``=``, the actual one may."""
    formal, equals, actual = word.partition("=")
    if not (formal and equals and actual):
        raise Fault(f"{shorten(word)!r} in a {keyword}; expected FORMAL=ACTUAL", line, word)
    return formal, actual


def truth_of(rows: list[str], n_inputs: int) -> tuple[list[str], str]:
    """Return the patterns of a cover and the output value that they are for; ValueError names a bad row.

    The error has the row's number as its second argument. An empty cover is constant 0.

    >>> truth_of(["1- 1", "01 1"], 2)
    (['1-', '01'], '1')
    """
    patterns, value = [], "1"
    for number, row in enumerate(rows):
        *parts, output = row.split(" ")
        pattern = "".join(parts)
        malformed = partial("malformed cover row {!r}: {}".format, shorten(row))
        if len(parts) > 1 or len(pattern) != n_inputs or pattern.strip("01-"):
            expected = f"expected {n_inputs} characters of 0, 1 and -, then the output value"
            raise ValueError(malformed(expected), number)
        if output not in ("0", "1"):
            raise ValueError(malformed("the output value is 0 or 1"), number)
        if number and output != value:
            raise ValueError("a cover has rows for output 1 or for output 0, not both", number)
        value = output
        patterns.append(pattern)
    return patterns, value

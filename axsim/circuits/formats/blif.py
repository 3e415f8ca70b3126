"""The Berkeley Logic Interchange Format (BLIF), for combinational circuits.

Read are ``.model``, ``.inputs``, ``.outputs``, ``.names`` with on-set or off-set covers, and ``.end``;
comments and lines continued with a backslash are understood. Everything else (latches, subcircuits, cells of
a library) is refused by name. The format: Berkeley Logic Interchange Format, University of California,
Berkeley, 1992. An off-set cover (rows of output 0) means that the function is 1 elsewhere, as ABC has it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import count
from pathlib import Path

from axsim.circuits.builder import Builder
from axsim.circuits.formats.buses import with_operands
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.circuits.netlist import CONST0, CONST1, Netlist
from axsim.circuits.operands import MAX_WIDTH
from axsim.errors import BlifError, NetlistError, NetlistFileError
from axsim.files import replace_file

_REFUSED = {
    ".gate": "cells of a library are not known here; write the circuit with .names only",
    ".mlatch": "axsim simulates combinational circuits only",
    ".latch": "axsim simulates combinational circuits only",
    ".subckt": "flatten the circuit first",
}
_UNARY = (0, 3, 12, 15)  # truth tables of gates that do not depend on their second source
_INDEXED = (re.compile(r"(.+)\[(\d+)\]"), re.compile(r"(.*\D)(\d+)"))


@dataclass
class _Cover:
    """One ``.names``: its line, its input nets and the rows of its cover, all for the same output value."""

    line: int
    inputs: list[str]
    rows: list[str] = field(default_factory=list)
    value: str = "1"


@dataclass
class _Model:
    name: str = ""
    inputs: list[tuple[str, int]] = field(default_factory=list)  # (net, line)
    outputs: list[tuple[str, int]] = field(default_factory=list)
    covers: dict[str, _Cover] = field(default_factory=dict)  # output net -> cover


def read_blif(path_or_text: str | os.PathLike[str], *, signed: bool = False) -> Netlist:
    """Read a circuit from a BLIF file or text.

    Args:
        path_or_text: a path, or the text itself: a string that holds a line break is text.
        signed: whether the buses hold two's complement numbers, which the format cannot tell.

    Returns:
        Buses are recovered from names such as ``a0`` .. ``a7`` or ``a[0]`` .. ``a[7]``, in order of first
        appearance; a name without an index is a bus of one bit. A cover of two inputs becomes one gate,
        exactly as written; one of more inputs becomes several; a buffer becomes none. Covers may come in
        any order. Gates that no output depends on are left out.

    Raises:
        BlifError: for an empty text, an unknown construct, a malformed cover, a cycle (its nets are
            named), a net that nothing drives or that is driven twice, a bus with a missing bit, or a missing
            ``.end`` (without which a file cut short could pass for a whole one). The message names the line.
        OSError: if the file cannot be read.

    >>> half_adder = read_blif('''
    ... .model half_adder
    ... .inputs a b
    ... .outputs s0 s1
    ... .names a b s0   # exclusive or
    ... 10 1
    ... 01 1
    ... .names a b s1
    ... 11 1
    ... .end
    ... ''')
    >>> half_adder(1, [0, 1])
    array([1, 2])
    """
    if isinstance(path_or_text, str) and ("\n" in path_or_text or not path_or_text):
        source, text = "BLIF text", path_or_text
    else:
        source = os.fspath(path_or_text)
        try:
            text = Path(path_or_text).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BlifError(f"{source}: not a text file: {error}") from error
    try:
        return _netlist(_parse(text), signed)
    except NetlistError as error:
        raise BlifError(f"{source}: {error}") from error


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> Netlist:
    """The circuit of a BLIF text; see :func:`read_blif`."""
    content = text.decode("utf-8") if isinstance(text, bytes) else text
    try:
        return with_operands(_netlist(_parse(content), bool(options.signed)), options.operands)
    except NetlistFileError as error:
        raise NetlistFileError(error.what, path=options.path) from error


def write_blif(netlist: Netlist, path: str | os.PathLike[str] | None = None) -> str:
    """Return a circuit as BLIF text, and write it to ``path`` if given (whole or not at all).

    Bits are named ``a0``, ``a1`` ... (``x2[0]`` ... for a bus whose name ends in a digit). What is read back
    is the same circuit, except for ``signed``, which the format has no place for: see :func:`read_blif`.
    Raises OSError if the file cannot be written.

    >>> from axsim.circuits import exact
    >>> print(write_blif(exact(1)))
    .model exact1
    .inputs a0 b0
    .outputs p0 p1
    .names $false
    .names a0 b0 n0
    11 1
    .names n0 p0
    1 1
    .names $false p1
    1 1
    .end
    """
    text = "".join(f"{line}\n" for line in [*_lines(netlist), ".end"])
    if path is not None:
        replace_file(path, text.encode("utf-8"))
    return text


def _lines(netlist: Netlist) -> Iterator[str]:
    buses = list(netlist.inputs.items())
    results = [(name, len(nets)) for name, nets in netlist.outputs.items()]
    prefix = "n"
    while prefix in netlist.inputs or prefix in netlist.outputs:
        prefix += "_"
    names = ["$false", "$true", *_bit_names(buses), *(f"{prefix}{gate}" for gate in range(netlist.n_gates))]
    gates = [
        (op, sources[:1] if op in _UNARY else sources)
        for op, sources in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True)
    ]
    result_nets = [net for nets in netlist.outputs.values() for net in nets]
    read = {*result_nets, *(net for _, sources in gates for net in sources)}
    yield f".model {netlist.name}"
    yield " ".join([".inputs", *_bit_names(buses)])
    yield " ".join([".outputs", *_bit_names(results)])
    if CONST0 in read:
        yield ".names $false"
    if CONST1 in read:
        yield ".names $true"
        yield "1"
    for gate, (op, sources) in enumerate(gates, netlist.first_gate):
        yield " ".join([".names", *(names[net] for net in sources), names[gate]])
        yield from (f"{pattern} 1" for pattern in _on_set(op))
    for net, name in zip(result_nets, _bit_names(results), strict=True):
        yield f".names {names[net]} {name}"
        yield "1 1"


def _on_set(op: int) -> list[str]:
    """Inputs for which a gate's output is 1, as rows of a cover; one character a row for op in _UNARY."""
    if op in _UNARY:
        return [f"{x}" for x in (0, 1) if op >> 2 * x & 1]
    return [f"{x}{y}" for x in (0, 1) for y in (0, 1) if op >> (2 * x + y) & 1]


def _bit_names(buses: list[tuple[str, int]]) -> list[str]:
    form = {name: f"{name}[{{}}]" if name[-1].isdigit() else f"{name}{{}}" for name, _ in buses}
    return [form[name].format(bit) for name, width in buses for bit in range(width)]


def _logical_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and words of each line, comments taken out and continued lines joined."""
    words: list[str] = []
    first = 0
    for number, physical in enumerate(text.splitlines(), 1):
        line = physical.split("#", 1)[0].rstrip()
        first = first or number
        words += line.removesuffix("\\").split()
        if line.endswith("\\"):
            continue
        if words:
            yield first, words
        words, first = [], 0
    if words:
        raise BlifError(f"line {first}: the text ends in a continued line")


def _parse(text: str) -> _Model:
    model = _Model()
    cover: _Cover | None = None
    ended = False
    for line, (keyword, *words) in _logical_lines(text):
        if ended:
            raise BlifError(f"line {line}: {keyword!r} after .end; one model a file can be read")
        if not model.name and keyword != ".model":
            raise BlifError(f"line {line}: a BLIF text starts with .model NAME, not with {keyword!r}")
        if keyword.startswith("."):
            cover = _read_statement(model, line, keyword, words)
            ended = keyword == ".end"
        elif cover is None:
            raise BlifError(f"line {line}: {keyword!r} stands outside a .names")
        else:
            _add_row(cover, line, [keyword, *words])
    if not model.name:
        raise BlifError("the text is empty")
    if not ended:
        raise BlifError(f"line {len(text.splitlines())}: .end is missing; is the text cut short?")
    return model


def _read_statement(model: _Model, line: int, keyword: str, words: list[str]) -> _Cover | None:
    """Enter one statement into the model; for a .names, return the cover that its rows belong to."""
    if keyword == ".names":
        if not words:
            raise BlifError(f"line {line}: .names without an output net")
        *inputs, output = words
        if output in model.covers:
            first = model.covers[output].line
            raise BlifError(f"line {line}: net {output!r} is driven twice, first on line {first}")
        model.covers[output] = _Cover(line, inputs)
        return model.covers[output]
    if keyword == ".model":
        if model.name or len(words) != 1:
            raise BlifError(f"line {line}: one .model with one name is needed")
        model.name = words[0]
    elif keyword == ".inputs":
        model.inputs += [(net, line) for net in words]
    elif keyword == ".outputs":
        model.outputs += [(net, line) for net in words]
    elif keyword != ".end":
        reason = _REFUSED.get(keyword, "known are .model, .inputs, .outputs, .names and .end")
        raise BlifError(f"line {line}: cannot read {' '.join([keyword, *words[:1]])!r}: {reason}")
    return None


def _add_row(cover: _Cover, line: int, words: list[str]) -> None:
    *patterns, value = words
    pattern = "".join(patterns)
    if len(patterns) > 1 or len(pattern) != len(cover.inputs) or set(pattern) - set("01-"):
        raise BlifError(
            f"line {line}: malformed cover row {' '.join(words)!r}: "
            f"expected {len(cover.inputs)} characters of 0, 1 and -, then the output value"
        )
    if value not in ("0", "1"):
        raise BlifError(f"line {line}: malformed cover row {' '.join(words)!r}: the output value is 0 or 1")
    if cover.rows and value != cover.value:
        raise BlifError(f"line {line}: a cover has rows for output 1 or for output 0, not both")
    cover.value = value
    cover.rows.append(pattern)


def _netlist(model: _Model, signed: bool) -> Netlist:
    inputs = _buses(model.inputs, "input")
    outputs = _buses(model.outputs, "output")
    _check_drivers(model)
    builder = Builder(model.name, signed)
    nets: dict[str, int] = {}
    for bus, bits in inputs.items():
        nets.update(zip(bits, builder.input(bus, len(bits)), strict=True))
    for net in _evaluation_order(model.covers):
        cover = model.covers[net]
        nets[net] = _add_cover(builder, cover, [nets[name] for name in cover.inputs])
    for bus, bits in outputs.items():
        builder.output(bus, [nets[bit] for bit in bits])
    return builder.build()


def _check_drivers(model: _Model) -> None:
    input_lines = dict(model.inputs)
    for net, cover in model.covers.items():
        if net in input_lines:
            raise BlifError(
                f"line {cover.line}: net {net!r} is driven twice, it is an input on line {input_lines[net]}"
            )
    readers = [(net, cover.line) for cover in model.covers.values() for net in cover.inputs]
    for net, line in [*readers, *model.outputs]:
        if net not in input_lines and net not in model.covers:
            raise BlifError(f"line {line}: nothing drives net {net!r}")


def _buses(bits: list[tuple[str, int]], kind: str) -> dict[str, list[str]]:
    """Group net names into buses, in order of first appearance; each bus lists its nets, bit 0 first."""
    if not bits:
        raise BlifError(f"there is no {kind}; .{kind}s is missing or empty")
    found: dict[str, dict[int, str]] = {}
    for net, line in bits:
        match = next((match for form in _INDEXED if (match := form.fullmatch(net))), None)
        bus, index = (match[1], int(match[2])) if match else (net, 0)
        if index in found.setdefault(bus, {}):
            raise BlifError(
                f"line {line}: {kind} {net!r} is bit {index} of bus {bus!r}, which is there already"
            )
        if index >= MAX_WIDTH:
            raise BlifError(
                f"line {line}: {kind} {net!r} has index {index}; buses have at most {MAX_WIDTH} bits"
            )
        found[bus][index] = net
    for bus, nets in found.items():
        missing = next(index for index in count() if index not in nets)
        if missing < len(nets):
            raise BlifError(f"{kind} bus {bus!r} lacks bit {missing}; its bits are {sorted(nets)}")
    return {bus: [nets[index] for index in sorted(nets)] for bus, nets in found.items()}


def _evaluation_order(covers: dict[str, _Cover]) -> list[str]:
    """The nets of all covers, each after those it reads: the order of the text where that will do."""
    position = {net: number for number, net in enumerate(covers)}
    if all(position.get(name, -1) < position[net] for net, cover in covers.items() for name in cover.inputs):
        return list(covers)
    graph = {net: [name for name in cover.inputs if name in covers] for net, cover in covers.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = error.args[1]
        line = covers[cycle[0]].line
        raise BlifError(f"line {line}: the circuit has a cycle: {' -> '.join(cycle)}") from error


def _add_cover(builder: Builder, cover: _Cover, inputs: list[int]) -> int:
    if len(inputs) == 0:
        return CONST1 if cover.rows and cover.value == "1" else CONST0
    if len(inputs) == 1:
        return builder.gate(_truth(cover), CONST0, inputs[0])
    if len(inputs) == 2:
        return builder.raw_gate(_truth(cover), *inputs)
    if len(inputs) == 3:
        bits = _truth(cover)
        return builder.lut3([bits >> index & 1 for index in range(8)], *inputs)
    products = [
        _tree(
            builder.and_,
            CONST1,
            [_literal(builder, net, bit) for net, bit in zip(inputs, row, strict=True) if bit != "-"],
        )
        for row in cover.rows
    ]
    result = _tree(builder.or_, CONST0, products)
    return result if cover.value == "1" else builder.not_(result)


def _truth(cover: _Cover) -> int:
    """Truth table of a small cover: bit k is the output for inputs that spell k, the first on top."""
    n = len(cover.inputs)
    matched = {
        index
        for index in range(1 << n)
        for row in cover.rows
        if all(want in ("-", got) for want, got in zip(row, f"{index:0{n}b}", strict=True))
    }
    listed = sum(1 << index for index in matched)
    return listed if cover.value == "1" else ((1 << (1 << n)) - 1) ^ listed


def _literal(builder: Builder, net: int, bit: str) -> int:
    return net if bit == "1" else builder.not_(net)


def _tree(combine: Callable[[int, int], int], neutral: int, nets: list[int]) -> int:
    """Combine nets pairwise, then the results pairwise, and so on: as shallow as possible."""
    while len(nets) > 1:
        odd = nets[len(nets) & ~1 :]
        nets = [combine(x, y) for x, y in zip(nets[::2], nets[1::2], strict=False)] + odd
    return nets[0] if nets else neutral

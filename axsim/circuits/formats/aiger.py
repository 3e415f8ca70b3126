"""Circuits as and-inverter graphs in the AIGER format, ASCII (``aag``) and binary (``aig``).

A. Biere, "The AIGER And-Inverter Graph (AIG) Format Version 20071012", Johannes Kepler University, 2007, and
"AIGER 1.9 And Beyond", 2011. Symbols such as ``i0 a[0]`` tell the buses; without them the first half of the
inputs is the left operand ``a``, lowest bit first, and all outputs are the product ``p``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

from axsim.circuits.builder import Builder
from axsim.circuits.formats.buses import group_bits, with_operands
from axsim.circuits.formats.c_tokens import MAX_TEXT
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import MAX_WIDTH
from axsim.errors import NetlistError, NetlistFileError


@dataclass
class _Graph:
    """The graph as it is written: literals are twice a variable's number, and 1 more where inverted."""

    n_inputs: int
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    ands: dict[int, tuple[int, int]] = field(default_factory=dict)  # literal -> its two sources
    lines: dict[int, int] = field(default_factory=dict)
    names: dict[tuple[str, int], str] = field(default_factory=dict)


class _Text:
    """The bytes of a file, read line by line or byte by byte, and errors that name the line."""

    def __init__(self, data: bytes, options: ReadOptions) -> None:
        self.data, self.at, self.line = data, 0, 0
        self.path = str(options.path) if options.path else "AIGER text"
        if len(data) > MAX_TEXT:
            self.fail(f"the file has {len(data)} bytes, expected at most {MAX_TEXT}")

    def next_line(self) -> str | None:
        """The next line; None at the end."""
        if self.at >= len(self.data):
            return None
        end = self.data.find(b"\n", self.at)
        end = len(self.data) if end < 0 else end
        found = self.data[self.at : end].decode("latin-1").rstrip("\r")
        self.at, self.line = end + 1, self.line + 1
        return found

    def numbers(self, count: int, what: str) -> list[int]:
        """The numbers of the next line."""
        words = (self.next_line() or "").split(" ")
        if len(words) != count or not all(
            word.isascii() and word.isdigit() and len(word) < 10 for word in words
        ):
            self.fail(f"{' '.join(words)[:40]!r} came, expected {what}")
        return [int(word) for word in words]

    def fail(self, what: str) -> NoReturn:
        """Raise NetlistFileError for the line read last."""
        raise NetlistFileError(what, path=self.path, line=max(self.line, 1), column=1)


def read(text: str | bytes, options: ReadOptions = DEFAULTS) -> Netlist:
    """The circuit that an AIGER file describes, ASCII or binary.

    Args:
        text: the file's content.
        options: ``operands`` names the left and right bus; ``widths`` says the operands' bits where symbols
            do not tell buses and they differ; ``signed``.

    Raises:
        NetlistFileError: for a malformed file, latches or properties, a cycle, or names that make no buses.

    >>> half_adder = ["aag 5 2 0 2 3", "2", "4", "10", "6", "6 2 4", "8 3 5", "10 7 9"]
    >>> read("\\n".join(half_adder))([0, 1, 1], [1, 0, 1])
    array([1, 1, 2])
    """
    source = _Text(text.encode("latin-1", errors="replace") if isinstance(text, str) else text, options)
    try:
        graph = _parsed(source)
        inputs, outputs = _buses(source, graph, options)
        netlist = _netlist(source, graph, inputs, outputs, options)
        return with_operands(netlist, options.operands)
    except NetlistFileError:
        raise
    except NetlistError as problem:
        raise NetlistFileError(str(problem), path=source.path) from problem


def _parsed(source: _Text) -> _Graph:
    head = (source.next_line() or "").split(" ")
    if head[0] not in ("aag", "aig") or not all(
        w.isascii() and w.isdigit() and len(w) < 10 for w in head[1:]
    ):
        source.fail("expected a line 'aag M I L O A' or 'aig M I L O A'")
    counts = [int(word) for word in head[1:]]
    if len(counts) < 5 or any(counts[5:]) or counts[2]:
        source.fail("expected 'M I 0 O A': circuits without latches and properties are read")
    variables, n_inputs, _, n_outputs, n_ands = counts[:5]
    if max(n_inputs, n_outputs, n_ands) > len(source.data) or variables < n_inputs + n_ands:
        source.fail(f"the numbers {' '.join(head[1:])} do not fit together, or the file is cut short")
    graph = _Graph(n_inputs)
    if head[0] == "aig":
        graph.inputs = [2 * (k + 1) for k in range(n_inputs)]
    else:
        graph.inputs = [source.numbers(1, "an input's literal")[0] for _ in range(n_inputs)]
    graph.outputs = [source.numbers(1, "an output's literal")[0] for _ in range(n_outputs)]
    for literal, x, y in _binary(source, n_inputs, n_ands) if head[0] == "aig" else _ascii(source, n_ands):
        if literal & 1 or literal < 2 or literal in graph.ands:
            source.fail(f"{literal} came, expected an even literal that nothing else drives")
        graph.ands[literal], graph.lines[literal] = (x, y), source.line
    if len({*graph.inputs, *graph.ands}) != n_inputs + n_ands or any(
        lit & 1 or lit < 2 for lit in graph.inputs
    ):
        source.fail("an input is driven twice, or no even literal")
    _symbols(source, graph, n_outputs)
    return graph


def _ascii(source: _Text, count: int) -> Iterator[tuple[int, int, int]]:
    for _ in range(count):
        literal, x, y = source.numbers(3, "an and gate: its literal and two others")
        yield literal, x, y


def _binary(source: _Text, n_inputs: int, count: int) -> Iterator[tuple[int, int, int]]:
    for k in range(count):
        literal = 2 * (n_inputs + k + 1)
        x = literal - _delta(source)
        y = x - _delta(source)
        if x >= literal or y < 0:
            source.fail(f"and gate {literal} reads {x} and {y}, expected literals before it")
        yield literal, x, y


def _delta(source: _Text) -> int:
    value = shift = 0
    while True:
        if source.at >= len(source.data) or shift > 28:
            source.fail("the file ends within its and gates, or a number of them is too long")
        byte = source.data[source.at]
        source.at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def _symbols(source: _Text, graph: _Graph, n_outputs: int) -> None:
    while (line := source.next_line()) is not None and line != "c":
        kind, number, name = line[:1], line[1:].partition(" ")[0], line.partition(" ")[2]
        limit = {"i": graph.n_inputs, "o": n_outputs}.get(kind, 0)
        if (
            not (number.isascii() and number.isdigit() and len(number) < 10)
            or int(number) >= limit
            or not name
        ):
            source.fail(f"{line[:40]!r} came, expected a symbol such as 'i0 a[0]', or c before comments")
        if (kind, int(number)) in graph.names:
            source.fail(f"a second symbol for {kind}{number}")
        graph.names[kind, int(number)] = name


def _buses(
    source: _Text, graph: _Graph, options: ReadOptions
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Positions of the bits of input and output buses, lowest first."""
    counts = {"i": graph.n_inputs, "o": len(graph.outputs)}
    names = {kind: [graph.names.get((kind, k), "") for k in range(n)] for kind, n in counts.items()}
    if not any(names["i"]):
        names["i"] = _halves(source, graph.n_inputs, options)
    if not any(names["o"]):
        names["o"] = [f"p[{k}]" for k in range(counts["o"])]
    for kind, what in (("i", "inputs"), ("o", "outputs")):
        if not all(names[kind]):
            source.fail(f"of the {what} number {names[kind].index('')} has no symbol and others have")
    grouped = group_bits(names["i"], names["o"])
    places = [{name: k for k, name in enumerate(names[kind])} for kind in ("i", "o")]
    inputs, outputs = (
        {bus: [place[bit] for bit in bits] for bus, bits in buses.items()}
        for buses, place in zip(grouped, places, strict=True)
    )
    return inputs, outputs


def _halves(source: _Text, n_inputs: int, options: ReadOptions) -> list[str]:
    """Names for inputs that have none: the first half is the left operand."""
    first, second = options.widths or (n_inputs // 2, n_inputs // 2)
    if first + second != n_inputs or not all(1 <= width <= MAX_WIDTH for width in (first, second)):
        source.fail(
            f"{n_inputs} inputs without names for operands of {first} and {second} bits: "
            "say others by widths=(a_bits, b_bits)"
        )
    return [*(f"a[{k}]" for k in range(first)), *(f"b[{k}]" for k in range(second))]


def _netlist(
    source: _Text,
    graph: _Graph,
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
    options: ReadOptions,
) -> Netlist:
    builder = Builder(options.path.stem.replace(" ", "_") if options.path else "aig", bool(options.signed))
    nets = {0: builder.const0}
    for bus, places in inputs.items():
        for place, net in zip(places, builder.input(bus, len(places)), strict=True):
            nets[graph.inputs[place]] = net

    def net_of(literal: int) -> int:
        net = nets[literal & ~1]
        return builder.not_(net) if literal & 1 else net

    for literal in _order(source, graph):
        x, y = graph.ands[literal]
        nets[literal] = builder.and_(net_of(x), net_of(y))
    for bus, places in outputs.items():
        builder.output(bus, [net_of(graph.outputs[place]) for place in places])
    return builder.build()


def _order(source: _Text, graph: _Graph) -> list[int]:
    """The and gates that outputs need, each after those that it reads."""
    known = {0, *graph.inputs}
    order: list[int] = []
    open_gates: dict[int, None] = {}
    stack = [literal & ~1 for literal in reversed(graph.outputs)]
    while stack:
        literal = stack[-1]
        if literal in known:
            stack.pop()
            continue
        if literal not in graph.ands:
            source.fail(f"nothing drives literal {literal}")
        waiting = [x & ~1 for x in graph.ands[literal] if x & ~1 not in known]
        if not waiting:
            known.add(literal)
            order.append(literal)
            open_gates.pop(literal, None)
            stack.pop()
        elif literal in open_gates:
            source.line = graph.lines[literal]
            source.fail(f"and gate {literal} reads itself: the circuit has a cycle")
        else:
            open_gates[literal] = None
            stack += waiting
    return order


def write(netlist: Netlist) -> str:
    """A circuit as ASCII AIGER, with the names of buses as symbols; what no output needs is left out.

    The format has no place for the sign.

    >>> from axsim.circuits import exact
    >>> write(exact(1)).splitlines()
    ['aag 3 2 0 2 1', '2', '4', '6', '0', '6 4 2', 'i0 a[0]', 'i1 b[0]', 'o0 p[0]', 'o1 p[1]', 'c', 'exact1']
    """
    ands, outputs, n_inputs = _ands(netlist)
    lines = [f"aag {n_inputs + len(ands)} {n_inputs} 0 {len(outputs)} {len(ands)}"]
    lines += [str(2 * (k + 1)) for k in range(n_inputs)]
    lines += map(str, outputs)
    lines += [f"{2 * k} {x} {y}" for k, (x, y) in enumerate(ands, n_inputs + 1)]
    return "".join(f"{line}\n" for line in [*lines, *_symbol_lines(netlist)])


def write_binary(netlist: Netlist) -> bytes:
    """As :func:`write`, in the binary form.

    >>> from axsim.circuits import exact
    >>> read(write_binary(exact(3)))(7, 7)
    array(49)
    """
    ands, outputs, n_inputs = _ands(netlist)
    out = bytearray(f"aig {n_inputs + len(ands)} {n_inputs} 0 {len(outputs)} {len(ands)}\n".encode())
    out += "".join(f"{literal}\n" for literal in outputs).encode()
    for k, (x, y) in enumerate(ands, n_inputs + 1):
        for delta in (2 * k - x, x - y):
            while delta > 127:
                out.append(delta & 127 | 128)
                delta >>= 7
            out.append(delta)
    return bytes(out + "".join(f"{line}\n" for line in _symbol_lines(netlist)).encode())


def _symbol_lines(netlist: Netlist) -> Iterator[str]:
    for kind, buses in (
        ("i", netlist.inputs.items()),
        ("o", [(bus, len(nets)) for bus, nets in netlist.outputs.items()]),
    ):
        names = [f"{bus}[{bit}]" for bus, width in buses for bit in range(width)]
        yield from (f"{kind}{k} {name}" for k, name in enumerate(names))
    yield "c"
    yield netlist.name


def _ands(netlist: Netlist) -> tuple[list[tuple[int, int]], list[int], int]:
    """And gates (greater literal first), output literals, and the number of inputs."""
    netlist = replace(netlist).prune()
    n_inputs = netlist.first_gate - 2
    ands: list[tuple[int, int]] = []
    known: dict[tuple[int, int], int] = {}

    def both(x: int, y: int) -> int:
        x, y = max(x, y), min(x, y)
        if y == 0 or x == y ^ 1:
            return 0
        if y == 1 or x == y:
            return x
        if (x, y) not in known:
            ands.append((x, y))
            known[x, y] = 2 * (n_inputs + len(ands))
        return known[x, y]

    literals = [0, 1, *(2 * (k + 1) for k in range(n_inputs))]
    for op, (net_x, net_y) in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True):
        x, y = literals[net_x], literals[net_y]
        rows = [(x ^ (1 - p), y ^ (1 - q)) for p in (0, 1) for q in (0, 1) if op >> (2 * p + q) & 1]
        if op in (3, 5, 10, 12):
            literals.append({3: x ^ 1, 5: y ^ 1, 10: y, 12: x}[op])
        elif len(rows) in (0, 4):
            literals.append(len(rows) // 4)
        elif len(rows) == 1:
            literals.append(both(*rows[0]))
        elif len(rows) == 3:
            ((p, q),) = [(p, q) for p in (0, 1) for q in (0, 1) if not op >> (2 * p + q) & 1]
            literals.append(both(x ^ (1 - p), y ^ (1 - q)) ^ 1)
        else:  # exclusive or, or its complement
            literals.append(both(both(*rows[0]) ^ 1, both(*rows[1]) ^ 1) ^ 1)
    return ands, [literals[net] for nets in netlist.outputs.values() for net in nets], n_inputs

"""Assignments, gates, and the ports of instances: what drives which net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.cells import Cell
from axsim.circuits.formats.verilog.ast import (
    Assignment,
    Call,
    Chain,
    Concatenation,
    Connection,
    Declaration,
    Declarator,
    Expression,
    Gates,
    Name,
    Number,
    Range,
    Replication,
    Ternary,
    Text,
    Unary,
    ValueType,
)
from axsim.circuits.formats.verilog.declarations import bounds, make_signal
from axsim.circuits.formats.verilog.graph import Bits
from axsim.circuits.formats.verilog.scope import Constant, Scope, Shared
from axsim.circuits.formats.verilog.selects import find_place
from axsim.circuits.formats.verilog.statements import Procedure
from axsim.circuits.formats.verilog.tree import MeaningError

_PRIMITIVES = {
    "and": (8, 1, False),
    "nand": (8, 1, True),
    "or": (14, 0, False),
    "nor": (14, 0, True),
    "xor": (6, 0, False),
    "xnor": (6, 0, True),
    "buf": (14, 0, False),
    "not": (14, 0, True),
}


class Wiring:
    """Drives the nets of one circuit's graph."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.graph = self.shared.graph

    def evaluator(self, scope: Scope) -> Procedure:
        """What evaluates expressions in a scope."""
        procedure = Procedure(self.shared, scope)
        procedure.later = {}
        return procedure

    def assign(self, evaluator: Procedure, assignment: Assignment) -> None:
        """Connect the target of a continuous assignment to its value."""
        self.declare_implicit(evaluator.scope, assignment.target)
        width = evaluator.type_of(assignment.target)[0]
        bits = evaluator.assigned(assignment.value, width)
        self.drive(self.nets(evaluator, assignment.target), bits, assignment.pos)

    def drive(self, nets: Bits, bits: Bits, pos: int) -> None:
        """Connect nets to what drives them."""
        for net, bit in zip(nets, bits, strict=True):
            self.graph.drive(net, bit, pos)

    def declare_implicit(self, scope: Scope, expression: Expression | None) -> None:
        """Declare the names in a connection or an assignment's target that are not: nets of one bit."""
        for name in names_of(expression):
            if scope.find(name.name) is not None:
                continue
            if not scope.implicit_nets:
                raise MeaningError(
                    f"{shorten(name.name)!r} is not declared (`default_nettype none)", name.pos
                )
            declarator = Declarator(name.pos, name.name, (), None)
            declaration = Declaration(name.pos, None, "wire", ValueType(False, ()), [declarator])
            signal = make_signal(self.evaluator(scope), declaration, declarator, scope)
            scope.declare(name.name, signal, name.pos)

    def nets(self, evaluator: Procedure, target: Expression) -> Bits:
        """The nets that a target of an assignment or of an output port means, least significant first."""
        width = evaluator.type_of(target)[0]
        nets: Bits = []
        for name, part in evaluator.targets(target, [0] * width):
            symbol = evaluator.scope.get(name)
            if isinstance(symbol, Constant) or symbol.integer:
                kind = "a constant" if isinstance(symbol, Constant) else "an integer"
                raise MeaningError(f"{name.name!r} is {kind} and cannot be driven", name.pos)
            if symbol.direction == "input":
                raise MeaningError(f"input {name.name!r} is driven inside its module", name.pos)
            place = find_place(symbol, name, evaluator.index, self.shared)
            start = place.choices[0][0]
            if len(place.choices) > 1 or start is None:
                raise MeaningError(f"the place in {name.name!r} must be constant here", name.pos)
            nets += symbol.bits[start : start + len(part)]
        return nets

    # ----- primitives

    def gates(self, evaluator: Procedure, item: Gates) -> None:
        """Place the language's own gates."""
        op, neutral, inverts = _PRIMITIVES[item.kind]
        for range, terminals in item.gates:
            for terminal in terminals:
                self.declare_implicit(evaluator.scope, terminal)
            several_outputs = item.kind in ("buf", "not")
            if len(terminals) < 2:
                raise MeaningError(f"{item.kind!r} with {len(terminals)} terminals; 2 or more", item.pos)
            outputs = terminals[:-1] if several_outputs else terminals[:1]
            inputs = terminals[-1:] if several_outputs else terminals[1:]
            count = self.count(evaluator, range)
            read = [self._spread(evaluator.value(x), 1, count, x.pos, "gate") for x in inputs]
            driven = [self._spread(self.nets(evaluator, x), 1, count, x.pos, "gate") for x in outputs]
            self.shared.charge(count or 1, item.pos)
            for k, bits in enumerate(zip(*read, strict=True)):
                result = self.graph.tree(op, [bit[0] for bit in bits], neutral)
                result = self.graph.not_(result) if inverts else result
                for nets in driven:
                    self.drive(nets[k], [result], item.pos)

    def count(self, evaluator: Procedure, range: Range | None) -> int | None:
        """How many instances a range makes; None without a range."""
        if range is None:
            return None
        left, right = bounds(evaluator, range)
        return abs(left - right) + 1

    def _spread(self, bits: Bits, width: int, count: int | None, pos: int, what: str) -> list[Bits]:
        """What each of ``count`` instances gets: all the same, or each its slice, the last one lowest."""
        if count is None:
            if what == "gate" and len(bits) != width:
                raise MeaningError(f"{len(bits)} bits at a terminal of a gate; 1 is expected", pos)
            return [bits]
        if len(bits) == width:
            return [bits] * count
        if len(bits) != width * count:
            raise MeaningError(
                f"{len(bits)} bits for {count} instances with {width} each; {width} or {width * count} fit",
                pos,
            )
        return [bits[k * width : (k + 1) * width] for k in range(count)]

    # ----- instances

    def cell(
        self, evaluator: Procedure, cell: Cell, connections: list[Connection], count: int | None, pos: int
    ) -> None:
        """Place a cell of a library, whose pins go by name: no rule orders them."""
        if any(connection.name is None for connection in connections):
            raise MeaningError(f"the pins of cell {cell.name!r} must be named: .{cell.inputs[0]}(...)", pos)
        pins = dict.fromkeys((*cell.inputs, *cell.outputs))
        found = port_connections(pins, connections, f"cell {cell.name!r}", pos)
        reads: dict[str, list[Bits]] = {}
        for pin in cell.inputs:
            if pin not in found or (value := found[pin].value) is None:
                raise MeaningError(f"pin {pin!r} of cell {cell.name!r} is not connected", pos)
            reads[pin] = self.inputs(evaluator, value, 1, count)
        for pin, netlist in cell.functions.items():
            if pin not in found or (target := found[pin].value) is None:
                continue
            for k, nets in enumerate(self.outputs(evaluator, target, 1, count)):
                nodes = [0, 1, *(reads[name][k][0] for name in netlist.inputs)]
                for op, (x, y) in zip(netlist.ops.tolist(), netlist.sources.tolist(), strict=True):
                    nodes.append(self.graph.gate(op, nodes[x], nodes[y]))
                [(result,)] = netlist.outputs.values()
                self.drive(nets[:1], [nodes[result]], pos)

    def inputs(self, evaluator: Procedure, value: Expression, width: int, count: int | None) -> list[Bits]:
        """The bits for an input port of each instance."""
        self.declare_implicit(evaluator.scope, value)
        if count is None:
            return [evaluator.assigned(value, width)]
        return self._spread(evaluator.value(value), width, count, value.pos, "port")

    def outputs(self, evaluator: Procedure, target: Expression, width: int, count: int | None) -> list[Bits]:
        """The nets at an output port of each instance."""
        self.declare_implicit(evaluator.scope, target)
        return self._spread(self.nets(evaluator, target), width, count, target.pos, "port")


def names_of(expression: Expression | None) -> Iterator[Name]:
    """The names in an expression, those in the places of selects left out."""
    pending = [expression]
    while pending:
        match pending.pop():
            case Name() as name:
                yield name
            case Unary(operand=operand):
                pending.append(operand)
            case Chain(operands=operands):
                pending += operands
            case Ternary(branches=branches, otherwise=otherwise):
                pending += [part for branch in branches for part in branch]
                pending.append(otherwise)
            case Concatenation(parts=parts):
                pending += parts
            case Replication(part=part):
                pending.append(part)
            case Call(arguments=arguments):
                pending += arguments
            case Number() | Text() | None:
                pass


def port_connections(
    ports: Mapping[str, object], connections: list[Connection], what: str, pos: int
) -> dict[str, Connection]:
    """Connections by port, those without names by position. MeaningError for what does not fit."""
    named = [connection for connection in connections if connection.name is not None]
    if len(named) not in (0, len(connections)):
        raise MeaningError("connections go by position or by name, not both", pos)
    if not named:
        if len(connections) == 1 and connections[0].value is None:
            return {}
        if len(connections) > len(ports):
            listed = ", ".join(list(ports)[:12])
            raise MeaningError(f"{len(connections)} connections came; {what} has {listed}", pos)
        return dict(zip(ports, connections, strict=False))
    found: dict[str, Connection] = {}
    for connection in named:
        name = connection.name or ""
        if name not in ports:
            listed = ", ".join(list(ports)[:12])
            raise MeaningError(f"{what} has no {shorten(name)!r}; it has {listed}", connection.pos)
        if name in found:
            raise MeaningError(f"{name!r} is connected twice", connection.pos)
        found[name] = connection
    return found

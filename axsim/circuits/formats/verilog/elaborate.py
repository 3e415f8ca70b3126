"""Modules to one graph: instances put in place, generate blocks unrolled, nets connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.cells import CellLibrary
from axsim.circuits.formats.verilog.ast import (
    Always,
    Assign,
    Assignment,
    Block,
    CaseGenerate,
    Connection,
    Declaration,
    Declarator,
    ForGenerate,
    Function,
    Gates,
    IfGenerate,
    Instances,
    Item,
    Module,
    Name,
    Nothing,
    Parameters,
)
from axsim.circuits.formats.verilog.declarations import VARIABLES, bit_name, declare_parameters, make_signal
from axsim.circuits.formats.verilog.generate import blocks
from axsim.circuits.formats.verilog.graph import Bits
from axsim.circuits.formats.verilog.scope import MAX_DEPTH, Constant, FunctionSymbol, Scope, Signal
from axsim.circuits.formats.verilog.statements import Procedure
from axsim.circuits.formats.verilog.tree import MeaningError
from axsim.circuits.formats.verilog.wiring import Wiring, port_connections
from axsim.errors import NetlistFileError

MAX_INSTANCES = 50_000


@dataclass
class Unit:
    """One module in place: its scope, its ports in order, and how deep it lies."""

    module: Module
    scope: Scope
    ports: dict[str, Signal]
    depth: int


class Elaborator(Wiring):
    """Puts a circuit together.

    Args:
        modules: all that are known by name.
        failed: those that could not be read, and why.
        cells: for what is no module.
    """

    def __init__(
        self, modules: Mapping[str, Module], failed: Mapping[str, NetlistFileError], cells: CellLibrary
    ) -> None:
        super().__init__()
        self._modules, self._failed, self._cells = modules, failed, cells
        self._pending: list[Unit] = []
        self._instances = 0

    def run(self, top: Module) -> dict[str, Signal]:
        """Elaborate a circuit and return its ports, in order. MeaningError for what cannot be."""
        unit = self.open(top, "", {}, 0, is_top=True)
        while self._pending:
            self._fill(self._pending.pop())
        return unit.ports

    def find(self, name: str, pos: int) -> Module | None:
        """The module of a name, None for a cell; raises for one that could not be read, or is neither."""
        if name in self._modules:
            return self._modules[name]
        if name in self._failed:
            raise self._failed[name]
        if name in self._cells:
            return None
        known = ", ".join(sorted(self._modules)[:8])
        raise MeaningError(
            f"module {shorten(name)!r} is defined nowhere and is no cell that is known (modules: {known}); "
            "give the file or the library that has it",
            pos,
        )

    # ----- modules

    def open(
        self,
        module: Module,
        path: str,
        overrides: dict[str, tuple[Bits, bool]],
        depth: int,
        is_top: bool = False,
    ) -> Unit:
        """Declare a module's parameters, functions, ports and nets; what is in it is for later."""
        self._instances += 1
        if depth > MAX_DEPTH or self._instances > MAX_INSTANCES:
            raise MeaningError(
                f"instances more than {MAX_DEPTH} deep, or more than {MAX_INSTANCES:,} of them", module.pos
            )
        scope = Scope(path, implicit_nets=module.implicit_nets)
        evaluator = self.evaluator(scope)
        known = {name for item in module.items if isinstance(item, Parameters) for name, _, _ in item.values}
        wrong = next((name for name in overrides if name not in known), None)
        if wrong is not None:
            raise MeaningError(f"module {module.name!r} has no parameter {wrong!r}", module.pos)
        names = {name for name, _ in module.ports}
        if len(names) < len(module.ports):
            raise MeaningError(f"module {module.name!r} has a port twice", module.pos)
        ports: dict[str, Signal] = {}
        self._declare(evaluator, module.items, overrides, (names, ports, is_top))
        missing = next(((name, pos) for name, pos in module.ports if name not in ports), None)
        if missing is not None:
            raise MeaningError(f"port {missing[0]!r} is neither input nor output", missing[1])
        unit = Unit(module, scope, {name: ports[name] for name, _ in module.ports}, depth)
        self._pending.append(unit)
        return unit

    def _declare(
        self,
        evaluator: Procedure,
        items: list[Item],
        overrides: dict[str, tuple[Bits, bool]],
        header: tuple[set[str], dict[str, Signal], bool] | None,
    ) -> None:
        scope = evaluator.scope
        for item in items:
            if isinstance(item, Function):
                scope.declare(item.name, FunctionSymbol(item, scope), item.pos)
        for item in items:
            if isinstance(item, Parameters):
                declare_parameters(evaluator, item, overrides)
            elif isinstance(item, Declaration):
                for declarator in item.names:
                    self._declare_name(evaluator, item, declarator, header)
            elif isinstance(item, Block) and item.name == "":  # generate ... endgenerate is no scope
                self._declare(evaluator, item.items, overrides, None)

    def _declare_name(
        self,
        evaluator: Procedure,
        item: Declaration,
        declarator: Declarator,
        header: tuple[set[str], dict[str, Signal], bool] | None,
    ) -> None:
        scope, name = evaluator.scope, declarator.name
        if item.kind == "genvar":
            scope.declare(name, Constant([0] * 32, True), declarator.pos)
            return
        known = scope.names.get(name)
        if isinstance(known, Signal) and known.direction and not item.direction and not declarator.dimensions:
            again = make_signal(evaluator, item, declarator, scope, [0])
            if item.type.given and again.ranges != known.ranges:
                raise MeaningError(f"port {name!r} is declared with two widths", declarator.pos)
            known.signed |= item.type.signed
            known.variable |= item.kind in VARIABLES
            return
        if item.direction is None:
            signal = make_signal(evaluator, item, declarator, scope)
        else:
            if header is None or name not in header[0]:
                raise MeaningError(f"{name!r} is not in the module's list of ports", declarator.pos)
            if declarator.dimensions:
                raise MeaningError(f"port {name!r} is an array; a vector is expected", declarator.pos)
            signal = make_signal(evaluator, item, declarator, scope)
            if header[2] and item.direction == "input":
                self._make_input(signal)
            header[1][name] = signal
        scope.declare(name, signal, declarator.pos)
        if item.kind in ("supply0", "supply1"):
            for net in signal.bits:
                self.graph.drive(net, int(item.kind == "supply1"), declarator.pos)

    def _make_input(self, signal: Signal) -> None:
        signal.bits = self.graph.input_bits(signal.width, lambda k: bit_name(signal, k))

    def _fill(self, unit: Unit) -> None:
        evaluator = self.evaluator(unit.scope)
        self._items(evaluator, unit.module.items, unit.depth)

    # ----- items

    def _items(self, evaluator: Procedure, items: list[Item], depth: int) -> None:
        for item in items:
            self.shared.charge(1, getattr(item, "pos", -1))
            match item:
                case Assign():
                    for assignment in item.assignments:
                        self.assign(evaluator, assignment)
                case Declaration():
                    self._first_values(evaluator, item)
                case Gates():
                    self.gates(evaluator, item)
                case Instances():
                    self._place(evaluator, item, depth)
                case Always():
                    self._always(evaluator, item)
                case ForGenerate() | IfGenerate() | CaseGenerate() | Block():
                    for scope, block in blocks(evaluator, item):
                        inner = self.evaluator(scope)
                        if scope is not evaluator.scope:
                            self._declare(inner, block.items, {}, None)
                        self._items(inner, block.items, depth)
                case Parameters() | Function() | Nothing():
                    pass

    def _first_values(self, evaluator: Procedure, item: Declaration) -> None:
        for declarator in item.names:
            if declarator.value is None:
                continue
            if item.kind in VARIABLES:
                raise MeaningError(
                    f"{declarator.name!r} gets a first value, which only circuits with a state have",
                    declarator.pos,
                )
            target = Name(declarator.pos, declarator.name, ())
            self.assign(evaluator, Assignment(declarator.pos, target, declarator.value))

    # ----- instances

    def _place(self, evaluator: Procedure, item: Instances, depth: int) -> None:
        module = self.find(item.module, item.pos)
        for instance in item.instances:
            count = self.count(evaluator, instance.range)
            if module is None:
                cell = self._cells.get(item.module)
                assert cell is not None
                self.cell(evaluator, cell, instance.connections, count, instance.pos)
                continue
            overrides = self._overrides(evaluator, module, item.overrides, item.pos)
            units = [
                self.open(module, f"{evaluator.scope.path}{name}.", overrides, depth + 1)
                for name in (
                    [instance.name] if count is None else [f"{instance.name}[{k}]" for k in range(count)]
                )
            ]
            what = f"module {module.name!r}"
            found = port_connections(units[0].ports, instance.connections, what, instance.pos)
            for name, connection in found.items():
                self._connect(evaluator, [unit.ports[name] for unit in units], connection, count)

    def _overrides(
        self, evaluator: Procedure, module: Module, overrides: list[Connection], pos: int
    ) -> dict[str, tuple[Bits, bool]]:
        names = [
            name
            for item in module.items
            if isinstance(item, Parameters) and not item.local
            for name, _, _ in item.values
        ]
        what = f"module {module.name!r} (parameters)"
        values: dict[str, tuple[Bits, bool]] = {}
        for name, connection in port_connections(dict.fromkeys(names), overrides, what, pos).items():
            if connection.value is not None:
                width, signed = evaluator.type_of(connection.value)
                values[name] = evaluator.evaluate(connection.value, width, signed), signed
        return values

    def _connect(
        self, evaluator: Procedure, ports: list[Signal], connection: Connection, count: int | None
    ) -> None:
        if connection.value is None:
            return
        width = ports[0].width
        if ports[0].direction == "input":
            for port, bits in zip(ports, self.inputs(evaluator, connection.value, width, count), strict=True):
                self.drive(port.bits, bits, connection.pos)
        else:
            for port, nets in zip(
                ports, self.outputs(evaluator, connection.value, width, count), strict=True
            ):
                driven = min(len(nets), width)
                self.drive(nets[:driven], port.bits[:driven], connection.pos)

    # ----- procedures

    def _always(self, evaluator: Procedure, item: Always) -> None:
        for edge, _ in item.sensitivity or ():
            if edge is not None:
                raise MeaningError(
                    f"{edge!r}: axsim reads combinational circuits: no clocks, no state, no time", item.pos
                )
        procedure = self.evaluator(evaluator.scope)
        procedure.run(item.body)
        assigned = {**procedure.values, **procedure.later}
        if item.sensitivity is not None:
            # A part of a signal, or an expression, may stay as it is while the signal changes.
            listed = {v.name for _, v in item.sensitivity if isinstance(v, Name) and not v.selects}
            known = {evaluator.scope.find(name) for name in listed}
            for signal, pos in procedure.reads.items():
                if signal not in known and signal not in assigned:
                    raise MeaningError(
                        f"{signal.path!r} is read and not in the sensitivity list as a whole, so that in "
                        "simulation the block would not see it change; write always @(*)",
                        pos,
                    )
        for signal, bits in assigned.items():
            if signal.direction == "input":
                raise MeaningError(f"input {signal.path!r} is assigned", item.pos)
            for net, bit in zip(signal.bits, bits, strict=True):
                if net == bit or not self.graph.is_net(net):
                    continue
                if net in procedure.early and signal in procedure.values:
                    raise MeaningError(
                        f"{self.graph.name(net)} is read before the block assigns it", procedure.early[net]
                    )
                if signal.integer and self.graph.is_driven(net):
                    self.graph.spoil(net, f"{signal.path!r} is assigned by several always blocks", item.pos)
                else:
                    self.graph.drive(net, bit, item.pos)

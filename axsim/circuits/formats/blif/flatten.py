"""Models to one circuit: instances put in place, drivers found, gates put in order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from axsim.circuits.builder import Builder
from axsim.circuits.formats.blif.covers import Function, function_of
from axsim.circuits.formats.blif.parse import Cover, Fault, Instance, Model
from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.cells import Cell, CellLibrary
from axsim.circuits.netlist import CONST0, CONST1, Netlist

MAX_NODES = 2_000_000
"""Most covers and cells of a circuit after all instances are put in place."""
MAX_INSTANCES = 200_000
"""Most instances of models."""

_CONSTANTS = {"$false": CONST0, "$true": CONST1, "$undef": CONST0}


@dataclass
class _Local:
    """A model with its nets numbered from 0: inputs first."""

    model: Model
    names: dict[str, int]
    covers: list[tuple[Function, list[int], int, int]] = field(default_factory=list)  # inputs, output, line


@dataclass
class Flat:
    """A circuit without hierarchy; nets are numbered, ``drivers[net]`` is the node that drives it or -1."""

    nodes: list[tuple[Function | Netlist, Sequence[int], Sequence[int], int]] = field(default_factory=list)
    drivers: list[int] = field(default_factory=list)
    places: list[tuple[int, str, _Local]] = field(default_factory=list)  # first net, path, model
    size: int = 0  # literals of all covers

    def name(self, net: int) -> str:
        """The net as messages call it: with the instances that it lies in."""
        first, path, local = self.places[bisect_right(self.places, net, key=lambda place: place[0]) - 1]
        names = list(local.names)
        return path + names[net - first]


def choose_top(models: Sequence[Model], top: str | None, stem: str | None) -> Model:
    """Return the model that is the circuit.

    That is ``top``; else the only one that no other uses; else, of several, the one that is called as the
    file is, or the first of the file, as the format has it. Fault where that leaves a doubt.
    """
    named = {model.name: model for model in models}
    if top is not None:
        if top not in named:
            raise Fault(f"no model {top!r}; there are {_listed(named)}", models[0].line)
        return named[top]
    used = {instance.model for model in models for instance in model.instances}
    free = [model for model in models if model.name not in used]
    if len(free) == 1:
        return free[0]
    if stem in named and named[stem] in free:
        return named[stem]
    if free and free[0] is models[0]:
        return free[0]
    names = _listed(model.name for model in free)
    raise Fault(
        f"which model is the circuit? {names or 'none'} are used by no other; say top=", models[0].line
    )


def flatten(models: Sequence[Model], top: Model, cells: CellLibrary) -> Flat:
    """Put all instances in place. Fault for what is unknown, connected wrongly, too deep or too much."""
    known: dict[str, Model] = {}
    for model in models:
        if model.name in known:
            raise Fault(
                f"a second model {model.name!r}; the first is on line {known[model.name].line}", model.line
            )
        known[model.name] = model
    compiled: dict[str, _Local] = {}
    flat = Flat()
    local = _compile(top, compiled)
    n_inputs = len(top.inputs)
    _grow(flat, len(local.names), "", local)
    pending: list[tuple[_Local, list[int], str, tuple[str, ...]]] = [
        (local, list(range(len(local.names))), "", (top.name,))
    ]
    for net in range(n_inputs):
        flat.drivers[net] = -2
    while pending:
        local, nets, path, parents = pending.pop()
        for function, inputs, output, line in local.covers:
            _add(flat, function, [nets[k] for k in inputs], (nets[output],), line)
        for number, instance in enumerate(local.model.instances):
            actuals: dict[str, int] = {}
            for formal, actual in instance.pins:
                if actuals.get(formal, net := nets[local.names[actual]]) != net:
                    raise Fault(
                        f"pin {formal!r} is connected to two nets", instance.line, f"{formal}={actual}"
                    )
                actuals[formal] = net
            child = None if instance.is_gate and instance.model in cells else known.get(instance.model)
            if child is None:
                _add_cell(flat, instance, cells, actuals, known)
                continue
            if child.name in parents:
                raise Fault(f"model {child.name!r} is an instance in itself", instance.line, child.name)
            inside = _compile(child, compiled)
            inner = _connect(flat, instance, inside, actuals, f"{path}{instance.model}{number}.")
            pending.append((inside, inner, f"{path}{instance.model}{number}.", (*parents, child.name)))
    return flat


def _compile(model: Model, compiled: dict[str, _Local]) -> _Local:
    if model.name in compiled:
        return compiled[model.name]
    if model.refused is not None:
        raise model.refused
    names: dict[str, int] = {}
    for net, _ in model.inputs:
        names.setdefault(net, len(names))
    if len(names) < len(model.inputs):
        position = {net: k for k, (net, _) in enumerate(model.inputs)}
        net, line = next(bit for k, bit in enumerate(model.inputs) if position[bit[0]] > k)
        raise Fault(f"input {shorten(net)!r} of model {model.name!r} is there twice", line, net)
    local = compiled[model.name] = _Local(model, names)
    functions: dict[tuple[int, str], Function] = {}
    for cover in model.covers:
        numbers = [names.setdefault(net, len(names)) for net in cover.nets]
        key = (len(numbers), "\n".join(cover.rows))
        if (function := functions.get(key)) is None:
            function = functions[key] = _function(cover)
        if numbers[-1] < len(model.inputs):
            net = cover.nets[-1]
            raise Fault(
                f"net {shorten(net)!r} is driven twice, it is an input on line {dict(model.inputs)[net]}",
                cover.line,
                net,
            )
        local.covers.append((function, numbers[:-1], numbers[-1], cover.line))
    for net, _ in model.outputs:
        names.setdefault(net, len(names))
    for instance in model.instances:
        for _, net in instance.pins:
            names.setdefault(net, len(names))
    driven = {number for *_, number, _ in local.covers} | set(range(len(model.inputs)))
    for net, value in _CONSTANTS.items():
        if net in names and names[net] not in driven:
            rows = ["1"] if value == CONST1 else []
            local.covers.append((function_of(rows, 0), [], names[net], model.line))
    return local


def _function(cover: Cover) -> Function:
    try:
        return function_of(cover.rows, len(cover.nets) - 1)
    except ValueError as error:
        what, row = error.args
        raise Fault(what, cover.row_lines[row], cover.rows[row].split(" ")[0]) from None


def _grow(flat: Flat, n_nets: int, path: str, local: _Local) -> int:
    first = len(flat.drivers)
    if len(flat.places) > MAX_INSTANCES or first + n_nets > 4 * MAX_NODES:
        raise Fault(
            f"more than {MAX_INSTANCES:,} instances or {4 * MAX_NODES:,} nets after all are put in place",
            local.model.line,
        )
    flat.places.append((first, path, local))
    flat.drivers += [-1] * n_nets
    return first


def _add(
    flat: Flat, function: Function | Netlist, inputs: Sequence[int], outputs: Sequence[int], line: int
) -> None:
    flat.size += function.n_gates if isinstance(function, Netlist) else function.size
    if len(flat.nodes) >= MAX_NODES or flat.size > 4 * MAX_NODES:
        raise Fault(f"more than {MAX_NODES:,} gates after all instances are put in place", line)
    for net in outputs:
        driver = flat.drivers[net]
        if driver != -1:
            name = flat.name(net)
            first = (
                f"it is an input on line {dict(flat.places[0][2].model.inputs)[name]}"
                if driver == -2
                else f"first on line {flat.nodes[driver][3]}"
            )
            raise Fault(f"net {shorten(name)!r} is driven twice, {first}", line, name)
        flat.drivers[net] = len(flat.nodes)
    flat.nodes.append((function, inputs, outputs, line))


def _add_cell(
    flat: Flat,
    instance: Instance,
    cells: CellLibrary,
    actuals: Mapping[str, int],
    models: Mapping[str, Model],
) -> None:
    cell: Cell | None = cells.get(instance.model)
    if cell is None:
        raise Fault(
            f"{instance.model!r} is no model of this text and no cell that is known; "
            f"models: {_listed(models)}; give the cells' library (genlib) with it",
            instance.line,
            instance.model,
        )
    pins = [*cell.inputs, *cell.outputs]
    wrong = next((pin for pin in actuals if pin not in pins), None)
    missing = next((pin for pin in cell.inputs if pin not in actuals), None)
    if wrong or missing:
        what = f"has no pin {wrong!r}" if wrong else f"needs its pin {missing!r} connected"
        raise Fault(
            f"cell {cell.name!r} {what}; its pins are {', '.join(pins)}", instance.line, instance.model
        )
    for output, netlist in cell.functions.items():
        if output in actuals:
            inputs = [actuals[pin] for pin in netlist.inputs]
            _add(flat, netlist, inputs, (actuals[output],), instance.line)


def _connect(
    flat: Flat, instance: Instance, child: _Local, actuals: Mapping[str, int], path: str
) -> list[int]:
    """Numbers of all nets of a child, those of its ports being its parent's."""
    ports = {net for net, _ in (*child.model.inputs, *child.model.outputs)}
    wrong = next((pin for pin in actuals if pin not in ports), None)
    if wrong is not None:
        listed = _listed(net for net, _ in (*child.model.inputs, *child.model.outputs))
        raise Fault(
            f"model {instance.model!r} has no pin {shorten(wrong)!r}; its pins are {listed}", instance.line
        )
    missing = next((net for net, _ in child.model.inputs if net not in actuals), None)
    if missing is not None:
        raise Fault(
            f"input {shorten(missing)!r} of model {instance.model!r} is not connected",
            instance.line,
            instance.model,
        )
    first = _grow(flat, len(child.names), path, child)
    inner = list(range(first, first + len(child.names)))
    for formal, net in actuals.items():
        inner[child.names[formal]] = net
    return inner


def evaluation_order(flat: Flat, nodes: Sequence[int]) -> list[int]:
    """Return ``nodes`` and all they depend on, each behind those: the text's order where that will do.

    Fault for a cycle, which names at most eight of its nets.
    """
    if all(flat.drivers[net] < node for node, (_, inputs, _, _) in enumerate(flat.nodes) for net in inputs):
        return list(nodes)
    state = bytearray(len(flat.nodes))  # 1: on the stack's path, 2: done
    order: list[int] = []
    for root in nodes:
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(flat.nodes[root][1]))]
        while path:
            node, rest = path[-1]
            for net in rest:
                driver = flat.drivers[net]
                if driver < 0 or state[driver] == 2:
                    continue
                if state[driver] == 1:
                    raise _cycle(flat, [node for node, _ in path], driver)
                state[driver] = 1
                path.append((driver, iter(flat.nodes[driver][1])))
                break
            else:
                state[node] = 2
                order.append(node)
                path.pop()
    return order


def _cycle(flat: Flat, path: list[int], start: int) -> Fault:
    nodes = path[path.index(start) :]
    nodes = [nodes[0], *reversed(nodes[1:])]  # along the signal: what is read comes before its reader
    names = [shorten(flat.name(flat.nodes[node][2][0]), 40) for node in nodes[:8]]
    more = [f"... {len(nodes) - 8:,} nets more"] if len(nodes) > 8 else []
    text = " -> ".join([*names, *more, names[0]])
    return Fault(f"the circuit has a cycle: {text}", flat.nodes[start][3], names[0])


def _listed(names: Iterable[str], limit: int = 8) -> str:
    found = list(names)
    return ", ".join(shorten(name, 40) for name in found[:limit]) + (" ..." if len(found) > limit else "")


def place_gates(flat: Flat, builder: Builder, input_nets: Sequence[int]) -> list[int]:
    """Add all gates to a builder, whose nets of the inputs are given; return its net for each net here.

    Nets that nothing drives are a Fault if a gate reads them; what drives an output is the caller's question.
    """
    nets = [-1] * len(flat.drivers)
    nets[: len(input_nets)] = input_nets
    for _, inputs, _, line in flat.nodes:
        for net in inputs:
            if flat.drivers[net] == -1:
                name = flat.name(net)
                raise Fault(f"nothing drives net {shorten(name)!r}", line, name)
    for node in evaluation_order(flat, range(len(flat.nodes))):
        function, inputs, outputs, _ = flat.nodes[node]
        values = [nets[net] for net in inputs]
        if isinstance(function, Netlist):
            pins = {pin: [value] for pin, value in zip(function.inputs, values, strict=True)}
            nets[outputs[0]] = next(iter(builder.instance(function, pins).values()))[0]
        else:
            nets[outputs[0]] = function.place(builder, values)
    return nets

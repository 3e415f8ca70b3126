"""Verilog, as far as it describes combinational circuits: structure, and behaviour as it is written by hand.

Read are modules in any order, with parameters, ANSI and other lists of ports; nets, arrays and variables;
gates and arrays of gates; instances of modules and of the cells that come with axsim or with a library
given; ``assign`` with all operators, with the language's rules of width and sign; ``generate``;
``always @(*)`` and ``always_comb`` with ``if``, ``case``, ``casez``, ``casex`` and loops whose conditions are
constant; functions; and the preprocessor. Nothing is simulated: a value that is x, a net without a driver, a
latch or a cycle is an error as soon as an output depends on it, and so is a clock. A division by 0 gives x:
it is an error that names operands for which an output would be x, found by trying all that the divisor
depends on (20 bits at most; beyond, the text must make it plain, as b == 0 ? 0 : a / b does). A vector whose
upper bits are computed of its lower ones is followed bit by bit, as synthesis does; simulators say x where
that goes through ``+`` or ``*``, and axsim says what the gates do. Delays and ``specify`` blocks are passed
over. Test benches (modules without ports) are not looked at. The language: IEEE Std 1364-2005, with
``logic``, ``int``, ``++``, ``+=`` and ``'0`` of IEEE Std 1800.

Limits: texts of 64 MiB and two million words from macros, vectors of 65,536 bits, ports of 64 bits, two
million gates and nets before simplification, some 200,000 statements carried out and 1,024 rounds of a loop,
60 levels of instances or calls, some hundred levels of parentheses. What is over them is refused by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from axsim.circuits.builder import Builder
from axsim.circuits.formats.buses import bit_of, clean_name, group_bits, with_operands
from axsim.circuits.formats.cells import CellLibrary, read_library
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.formats.text import no_cycle_search
from axsim.circuits.formats.verilog.ast import (
    Block,
    CaseGenerate,
    ForGenerate,
    IfGenerate,
    Instances,
    Item,
    Module,
)
from axsim.circuits.formats.verilog.elaborate import Elaborator
from axsim.circuits.formats.verilog.graph import Bits
from axsim.circuits.formats.verilog.parse import Parsed, parse
from axsim.circuits.formats.verilog.scope import Signal
from axsim.circuits.formats.verilog.sources import Sources
from axsim.circuits.formats.verilog.tree import MeaningError
from axsim.circuits.formats.verilog.write import write
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import MAX_WIDTH
from axsim.errors import NetlistError, NetlistFileError

__all__ = ["read", "write"]


def read(text: str, options: ReadOptions = ReadOptions()) -> Netlist:  # noqa: B008 (it is frozen)
    """Return the circuit of a Verilog text.

    Args:
        text: the whole text.
        options: ``top`` is the module that is the circuit: by default the one that no other uses, or of
            several the one that is called as the file is; ``library`` is a genlib text, or Verilog modules;
            ``include`` are folders for `` `include ``; ``signed`` counts instead of the ports' own signs.

    Returns:
        Ports become buses, input ports in the order of the module's list. Ports that are all single bits are
        grouped by their names (:func:`axsim.circuits.formats.buses.group_bits`). The circuit is signed if
        all its input ports of more than one bit are.

    Raises:
        NetlistFileError: for anything else, with file, line and column, what came and what would be read.
        OSError: if a file that the text includes cannot be read.

    >>> circuit = read("module m(input [3:0] a, input [3:0] b, output [7:0] p); assign p = a * b; endmodule")
    >>> circuit(7, [0, 9])
    array([ 0, 63])
    """
    sources = Sources(options)
    name = "Verilog text" if options.path is None else os.fspath(options.path)
    try:
        with no_cycle_search():
            netlist = _read(text, options, sources)
        return with_operands(netlist, options.operands)
    except MeaningError as error:
        raise sources.fault(error.what, error.pos) from None
    except NetlistFileError:
        raise
    except NetlistError as error:
        raise NetlistFileError(str(error), path=name) from error
    except RecursionError:
        raise NetlistFileError("expressions or statements are nested too deeply", path=name) from None


def _read(text: str, options: ReadOptions, sources: Sources) -> Netlist:
    parsed = parse(text, sources.add(text, options.path), sources)
    modules, failed = dict(parsed.modules), dict(parsed.failed)
    cells = _library(options, sources, modules, failed)
    top = _top(parsed, options, sources)
    elaborator = Elaborator(modules, failed, cells)
    ports = elaborator.run(top)
    inputs = {name: port for name, port in ports.items() if port.direction == "input"}
    outputs = {name: port for name, port in ports.items() if port.direction != "input"}
    for kind, found in (("input", inputs), ("output", outputs)):
        if not found:
            raise MeaningError(f"module {top.name!r} has no {kind}", top.pos)
    signed = options.signed
    if signed is None:
        signs = {port.signed for port in inputs.values() if port.width > 1}
        if len(signs) == 2:
            raise MeaningError("some inputs are signed and some are not; say signed= for all", top.pos)
        signed = signs == {True}
    in_buses, out_buses = _buses(inputs, outputs)
    builder = Builder(clean_name(top.name), signed)
    numbers: dict[int, int] = {}
    for bus, bits in in_buses.items():
        numbers.update(zip(bits, builder.input(bus, len(bits)), strict=True))
    nodes = [node for bits in out_buses.values() for node in bits]
    nets = iter(elaborator.graph.build(builder, numbers, nodes, top.pos))
    for bus, bits in out_buses.items():
        builder.output(bus, [next(nets) for _ in bits])
    return builder.build()


def _library(
    options: ReadOptions, sources: Sources, modules: dict[str, Module], failed: dict[str, NetlistFileError]
) -> CellLibrary:
    """The cells of a genlib library; modules of a Verilog library join the circuit's own, which go first."""
    text = options.library
    if text is None or "endmodule" not in text:
        return read_library(text)
    parsed = parse(text, sources.add(text, None, "library"), sources)
    modules.update({name: module for name, module in parsed.modules.items() if name not in modules})
    failed.update({name: error for name, error in parsed.failed.items() if name not in modules})
    return read_library(None)


def _top(parsed: Parsed, options: ReadOptions, sources: Sources) -> Module:
    modules = parsed.modules
    if options.top is not None:
        if options.top in parsed.failed:
            raise parsed.failed[options.top]
        if options.top not in modules:
            raise MeaningError(f"no module {options.top!r}; there are {_listed(modules)}", -1)
        return modules[options.top]
    if parsed.failed:
        raise next(iter(parsed.failed.values()))
    if not modules:
        benches = f"; {_listed(parsed.ignored)} have no ports" if parsed.ignored else ""
        raise MeaningError(f"there is no module with ports{benches}", -1)
    used = {name for module in modules.values() for name in _used(module.items)}
    free = [module for name, module in modules.items() if name not in used]
    stem = None if options.path is None else options.path.stem
    if len(free) == 1:
        return free[0]
    if stem in modules and (modules[stem] in free or not free):
        return modules[stem]
    names = _listed(module.name for module in free)
    raise MeaningError(f"which module is the circuit? {names or 'none'} are used by no other; say top=", -1)


def _used(items: list[Item]) -> Iterator[str]:
    for item in items:
        match item:
            case Instances():
                yield item.module
            case Block():
                yield from _used(item.items)
            case ForGenerate():
                yield from _used(item.body.items)
            case IfGenerate():
                yield from _used(item.then.items)
                yield from _used([] if item.otherwise is None else item.otherwise.items)
            case CaseGenerate():
                for _, block in item.branches:
                    yield from _used(block.items)


def _listed(names: object) -> str:
    found = list(names)  # type: ignore[call-overload]
    return ", ".join(found[:8]) + (" ..." if len(found) > 8 else "")


def _buses(
    inputs: Mapping[str, Signal], outputs: Mapping[str, Signal]
) -> tuple[dict[str, Bits], dict[str, Bits]]:
    """Ports as buses; single bits are grouped by their names where all ports of a kind are that."""
    wide = next((port for port in (*inputs.values(), *outputs.values()) if port.width > MAX_WIDTH), None)
    if wide is not None:
        raise MeaningError(
            f"port {wide.path!r} has {wide.width} bits; at most {MAX_WIDTH} are read", wide.pos
        )
    found = []
    grouped = (
        group_bits(list(inputs), list(outputs)) if _single_bits(inputs) and _single_bits(outputs) else None
    )
    for number, ports in enumerate((inputs, outputs)):
        if grouped is not None:
            found.append({bus: [ports[bit].bits[0] for bit in bits] for bus, bits in grouped[number].items()})
        elif _single_bits(ports):
            own = group_bits(list(ports), ["none"])[0]
            found.append({bus: [ports[bit].bits[0] for bit in bits] for bus, bits in own.items()})
        else:
            found.append({clean_name(name): port.bits for name, port in ports.items()})
    return found[0], found[1]


def _single_bits(ports: Mapping[str, Signal]) -> bool:
    return all(not port.ranges for port in ports.values()) and any(
        bit_of(name)[1] is not None for name in ports
    )

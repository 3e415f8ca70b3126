"""The Berkeley Logic Interchange Format (BLIF), for combinational circuits.

Read are ``.model`` (several, before or behind ``.end``; the name and ``.end`` may be missing), ``.inputs``,
``.outputs``, ``.names`` with on-set or off-set covers, ``.subckt``, ``.gate`` with the cells that come with
axsim or a genlib given, Yosys's ``.conn``, ``.barbuf``, ``$false``, ``$true`` and ``$undef`` (which is 0, as
Yosys writes it), comments and lines continued with a backslash. Blanks are spaces and tabs: other control
characters, which programs take for blanks or do not, are an error outside comments. Statements about timing,
area and such are passed over; so are don't-cares (``.exdc`` to ``.end``): the circuit is taken as it is
written. ``.latch`` and ``.mlatch`` are refused. The format: Berkeley Logic Interchange Format, University of
California, Berkeley, 1992. An off-set cover (rows of output 0) means that the function is 1 elsewhere, as
ABC has it.

Limits: texts of 64 MiB, two million covers and cells and 200,000 instances of models after all are put in
place, buses of 64 bits. Time and memory grow with the size of the text and of the circuit, not faster.
"""

from __future__ import annotations

import os
from pathlib import Path

from axsim.circuits.builder import Builder
from axsim.circuits.formats.blif.flatten import Flat, choose_top, flatten, place_gates
from axsim.circuits.formats.blif.parse import Fault, Model, parse, physical_lines
from axsim.circuits.formats.blif.write import write
from axsim.circuits.formats.buses import BusError, clean_name, group_bits, shorten, with_operands
from axsim.circuits.formats.cells import read_library
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.formats.text import check_size, load_text, no_cycle_search
from axsim.circuits.netlist import Netlist
from axsim.errors import BlifError, NetlistError, NetlistFileError
from axsim.files import replace_file

__all__ = ["read", "read_blif", "write", "write_blif"]


def read(text: str, options: ReadOptions = ReadOptions()) -> Netlist:  # noqa: B008 (it is frozen)
    """Return the circuit of a BLIF text.

    Args:
        text: the whole text.
        options: ``top`` is the model that is the circuit: by default the one that no other uses, or of
            several the first of the text; ``library`` is a genlib text.

    Returns:
        Buses are recovered from the names of bits, in order of first appearance: see
        :func:`axsim.circuits.formats.buses.group_bits`. A cover of two inputs becomes one gate, exactly as
        written; one of more inputs becomes several; a buffer becomes none. Covers may come in any order.
        Gates that no output depends on are left out.

    Raises:
        BlifError: for an empty text, an unknown statement, a malformed cover, a cycle (of which up to eight
            nets are named), a net that nothing drives or that is driven twice, a model or pin that is not
            there, a bus with a missing bit, a text that ends behind a ``.names`` without rows, and what is
            over the limits.
        NetlistFileError: for a library that is no genlib.

    >>> read(".inputs a b\\n.outputs p\\n.names a b p\\n11 1\\n.end")
    <Netlist circuit: a[1], b[1] -> p[1], unsigned, 1 gates>
    """
    name = "BLIF text" if options.path is None else os.fspath(options.path)
    try:
        check_size(text, name)
    except NetlistFileError as error:
        raise BlifError(error.what, path=name) from None
    cells = read_library(options.library)
    stem = None if options.path is None else clean_name(options.path.stem)
    lines = physical_lines(text)
    try:
        with no_cycle_search():
            models = parse(lines, stem or "circuit")
            top = choose_top(models, options.top, stem)
            flat = flatten(models, top, cells)
            netlist = _netlist(flat, top, bool(options.signed))
        return with_operands(netlist, options.operands)
    except Fault as fault:
        line, column = _place(lines, fault)
        raise BlifError(fault.what, path=name, line=line, column=column) from None
    except NetlistError as error:
        raise BlifError(str(error), path=name) from error


def read_blif(path_or_text: str | os.PathLike[str], *, signed: bool = False) -> Netlist:
    """Read a circuit from a BLIF file or text.

    Args:
        path_or_text: a path, or the text itself: a string that holds a line break is text.
        signed: whether the buses hold two's complement numbers, which the format cannot tell.

    Returns:
        The circuit, as from :func:`read`. Raises as that, and OSError if the file cannot be read.

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
        return read(path_or_text, ReadOptions(signed=signed))
    path = Path(path_or_text)
    try:
        text = load_text(path)
    except NetlistFileError as error:
        raise BlifError(error.what, path=path) from None
    return read(text, ReadOptions(path=path, signed=signed))


def write_blif(netlist: Netlist, path: str | os.PathLike[str] | None = None) -> str:
    """Return a circuit as BLIF text (:func:`write`), and write it to ``path`` if given: whole or not at all.

    Raises OSError if the file cannot be written.

    >>> from axsim.circuits import exact
    >>> read_blif(write_blif(exact(4)))(7, 9)
    array(63)
    """
    text = write(netlist)
    if path is not None:
        replace_file(path, text.encode("utf-8"))
    return text


def _netlist(flat: Flat, top: Model, signed: bool) -> Netlist:
    where = dict([*top.outputs, *top.inputs])
    try:
        inputs, outputs = group_bits([net for net, _ in top.inputs], [net for net, _ in top.outputs])
    except BusError as error:
        if error.bit is None:
            raise
        raise Fault(str(error), where[error.bit], error.bit) from error
    builder = Builder(clean_name(top.name), signed)
    number = flat.places[0][2].names
    input_nets = [-1] * len(top.inputs)
    for bus, bits in inputs.items():
        for bit, net in zip(bits, builder.input(bus, len(bits)), strict=True):
            input_nets[number[bit]] = net
    for name, line in top.outputs:
        if flat.drivers[number[name]] == -1:
            raise Fault(f"nothing drives net {shorten(name)!r}", line, name)
    nets = place_gates(flat, builder, input_nets)
    for bus, bits in outputs.items():
        builder.output(bus, [nets[number[bit]] for bit in bits])
    return builder.build()


def _place(lines: list[str], fault: Fault) -> tuple[int, int]:
    """Line and column of the word that a fault is about: on its line, or on those that continue it."""
    line = fault.line
    while fault.word is not None and line <= len(lines):
        if (found := lines[line - 1].find(fault.word)) >= 0:
            return line, found + 1
        if not lines[line - 1].split("#", 1)[0].rstrip().endswith("\\"):
            break
        line += 1
    return fault.line, 1

"""Multipliers from files: ``axsim.read`` takes any format that designers write."""

from __future__ import annotations

import errno
import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from axsim.circuits import Netlist
from axsim.circuits.formats.detect import FORMATS, detect
from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.formats.text import decode
from axsim.errors import NetlistError, NetlistFileError
from axsim.files import read_regular
from axsim.multipliers.closeness import Closeness, measure, table_patterns
from axsim.multipliers.integer import Multiplier
from axsim.multipliers.known import table_facts
from axsim.multipliers.reading import Reading
from axsim.tables.formats.figures import published_figures
from axsim.tables.product import MAX_INPUT_BITS, ProductTable

MAX_FILE_BYTES = 64 << 20
"""Largest file that is looked at."""

_MEASURED_BITS = 20  # up to which closeness is measured on all operand pairs
_SAMPLES = 1 << 17
_READERS = {
    "blif": ("axsim.circuits.formats.blif", "read"),
    "verilog": ("axsim.circuits.formats.verilog", "read"),
    "c": ("axsim.circuits.formats.c", "read_noted"),
    "cgp": ("axsim.circuits.formats.cgp", "read"),
    "aiger": ("axsim.circuits.formats.aiger", "read"),
    "npy": ("axsim.tables.formats.array_files", "read_npy"),
    "npz": ("axsim.tables.formats.array_files", "read_npz"),
    "hdf5": ("axsim.tables.formats.array_files", "read_hdf5"),
    "bin": ("axsim.tables.formats.array_files", "read_bin"),
    "text": ("axsim.tables.formats.text", "read"),
    "c header": ("axsim.tables.formats.c_header", "read"),
}


class ReadingWarning(UserWarning):
    """A file was probably not read as it was meant; the message says what speaks for that."""


def read(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    signed: bool | None = None,
    operands: tuple[str, str] | None = None,
    widths: tuple[int, int] | None = None,
    top: str | None = None,
    library: str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Multiplier:
    """The multiplier that a file describes: a netlist, a C function, or a table of products.

    Nothing is run: files are parsed. The result is not registered; ``axsim.register(name, multiplier.table)``
    or ``multiplier.netlist`` gives it a name.

    Args:
        path: BLIF, Verilog, C, CGP, AIGER, or a table: ``.npy``, ``.npz``, HDF5, ``.bin``, text, C header.
        format: one of ``axsim.circuits.formats.detect.FORMATS``; told from the content unless given.
        signed: whether operands are two's complement; as the file says, else unsigned.
        operands: names of the left and right operand's bus or parameter; in the file's order unless given.
        widths: bits of the operands, for files that do not say them.
        top: the module, model, function, array or table that is meant, where there are several.
        library: file of the cells that the circuit is made of.
        name: of the multiplier; the file's unless given.

    Returns:
        A Multiplier; its ``reading`` says what was concluded, ``print(*m.reading.sentences(), sep="\\\\n")``.

    Raises:
        NetlistFileError: the file is too large, in no known format or malformed; it names file, line, column.
        OSError: the file cannot be read.

    Warns:
        ReadingWarning: another sign or order of bits lies nearer to products, or it is an adder.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "mine.c"
    >>> _ = file.write_text("int mul4u_mine(int B, int A) { return (B & ~1) * A; }")
    >>> mine = read(file)
    >>> mine, mine(3, 5), mine.reading.left
    (Multiplier('mine', 4x4 bits, unsigned), array(10, dtype=int32), 'B')
    """
    path = Path(path)
    data = read_bytes(path)
    if format is not None and format not in FORMATS:
        raise ValueError(f"format is {format!r}, expected one of {', '.join(FORMATS)}")
    kind = format or detect(data, path)
    options = ReadOptions(
        path=path,
        top=top,
        signed=signed,
        operands=operands,
        widths=widths,
        library=None if library is None else decode(read_bytes(Path(library))),
    )
    multiplier = from_text(data, kind, options, name or clean_name(path.stem))
    assert multiplier.reading is not None
    for sentence in multiplier.reading.warnings:
        warnings.warn(f"{path}: {sentence}", ReadingWarning, stacklevel=2)
    return multiplier


def from_text(data: bytes, kind: str, options: ReadOptions, name: str) -> Multiplier:
    """The multiplier that a file's content describes in format ``kind``; errors as for :func:`read`."""
    module, function = _READERS[kind]
    try:
        reader: Callable[..., Any] = getattr(import_module(module), function)
        found = reader(decode(data) if kind in ("blif", "verilog") else data, options)
    except NetlistFileError:
        raise
    except NetlistError as problem:
        raise NetlistFileError(str(problem), path=options.path) from problem
    notes: tuple[str, ...] = ()
    parameters = None
    if kind == "c":
        found, about = found
        notes, parameters = about.sentences, (about.function, about.parameters)
    figures = published_figures(data[:8192].decode("latin-1")) if kind in ("c", "verilog", "blif") else None
    if isinstance(found, ProductTable):
        return _of_table(found, kind, options, name)
    try:
        return _of_netlist(found, kind, options, name, notes, parameters, figures)
    except NetlistFileError:
        raise
    except ValueError as problem:
        raise NetlistFileError(str(problem), path=options.path) from problem


def _of_table(table: ProductTable, kind: str, options: ReadOptions, name: str) -> Multiplier:
    if options.operands is not None:
        wanted = options.operands
        if sorted(wanted) != ["columns", "rows"]:
            raise NetlistFileError(
                f"operands={wanted}: a table's operands are called rows and columns", path=options.path
            )
        if wanted[0] == "columns":
            table = ProductTable.from_array(table.values.T, table.signed, out_bits=table.out_bits)
    left, right = options.operands or ("rows", "columns")
    widths = (table.a_bits, table.b_bits, table.out_bits)
    reading = Reading(
        format=kind,
        left=left,
        right=right,
        reason="as operands= says" if options.operands else "tables have a row for each left operand",
        a_bits=table.a_bits,
        b_bits=table.b_bits,
        out_bits=table.out_bits,
        signed=table.signed,
        closeness=measure(table_patterns(table.values, widths), widths),
        unused=_unused(table, "bit {1} of the {0}", (left, right)),
        **table_facts(table),  # type: ignore[arg-type]
    )
    return Multiplier(
        name=name,
        a_bits=table.a_bits,
        b_bits=table.b_bits,
        signed=table.signed,
        simulate=partial(_same, table),
        source=str(options.path or kind),
        reading=reading,
    )


def _of_netlist(
    netlist: Netlist,
    kind: str,
    options: ReadOptions,
    name: str,
    notes: tuple[str, ...],
    parameters: tuple[str, tuple[str, str]] | None,
    figures: dict[str, Any] | None,
) -> Multiplier:
    left, right = netlist.operands
    widths = (netlist.a_bits, netlist.b_bits, netlist.out_bits)
    facts: dict[str, Any] = {"symmetric": None}
    table = None
    if sum(widths[:2]) <= MAX_INPUT_BITS and widths[2] <= 31:
        table = ProductTable.from_netlist(netlist)
        facts = table_facts(table)
        closeness = measure(table_patterns(table.values, widths), widths)
        unused = _unused(table, "{}[{}]", (left, right))
    else:
        unused = _unconnected(netlist)
        closeness, facts["sampled"] = _measured(netlist, widths)
    reading = Reading(
        format=kind,
        left=left,
        right=right,
        reason=_reason(netlist, options, parameters),
        a_bits=widths[0],
        b_bits=widths[1],
        out_bits=widths[2],
        signed=netlist.signed,
        closeness=closeness,
        unused=unused,
        notes=notes,
        **facts,
    )
    return Multiplier(
        name=name,
        a_bits=widths[0],
        b_bits=widths[1],
        signed=netlist.signed,
        simulate=partial(_same, table) if table is not None else partial(ProductTable.from_netlist, netlist),
        make_netlist=partial(_same, netlist),
        source=str(options.path or kind),
        published=figures or None,
        reading=reading,
    )


def _unused(table: ProductTable, form: str, names: tuple[str, str]) -> tuple[str, ...]:
    """The bits of the operands that no product depends on."""
    found = []
    for name, values, bits in zip(
        names, (table.values, table.values.T), (table.a_bits, table.b_bits), strict=True
    ):
        for k in range(bits):
            pairs = values.reshape(-1, 2, 1 << k, values.shape[1])
            if np.array_equal(pairs[:, 0], pairs[:, 1]):
                found.append(form.format(name, k))
    return tuple(found)


def _unconnected(netlist: Netlist) -> tuple[str, ...]:
    """The bits of the operands of a wide circuit that are connected to no gate and no output."""
    used = {
        *netlist.sources.reshape(-1).tolist(),
        *(net for nets in netlist.outputs.values() for net in nets),
    }
    bits = [f"{bus}[{k}]" for bus, width in netlist.inputs.items() for k in range(width)]
    return tuple(bit for net, bit in enumerate(bits, 2) if net not in used)


def _reason(netlist: Netlist, options: ReadOptions, parameters: tuple[str, tuple[str, str]] | None) -> str:
    if options.operands is not None:
        return "as operands= says"
    if parameters is not None:
        function, (first, second) = parameters
        return f"{first} is the first parameter of the C function {function}({first}, {second})"
    if netlist.operands == ("a", "b"):
        return "the buses are called so"
    return "of the two it comes first in the file"


def _measured(netlist: Netlist, widths: tuple[int, int, int]) -> tuple[Closeness, int]:
    """Closeness of a circuit whose table is too large to keep; and on how many operand pairs, 0 for all."""
    bits = widths[0] + widths[1]
    every = bits <= _MEASURED_BITS

    def chunks() -> Iterator[tuple[Any, Any, Any]]:
        rng = np.random.default_rng(0)
        for start in range(0, 1 << bits if every else _SAMPLES, 1 << 16):
            if every:
                a, b = np.divmod(np.arange(start, min(start + (1 << 16), 1 << bits)), 1 << widths[1])
            else:
                a, b = (rng.integers(0, 1 << width, 1 << 16) for width in widths[:2])
            yield a, b, _product_patterns(netlist, a, b, widths)

    return measure(chunks(), widths), 0 if every else _SAMPLES


def _product_patterns(netlist: Netlist, a: Any, b: Any, widths: tuple[int, int, int]) -> Any:
    plain = replace(netlist, signed=False)
    return np.asarray(plain(a, b)).astype(np.int64)


def read_bytes(path: Path) -> bytes:
    """The content of a file; NetlistFileError, without reading it, for one that is too large, or is none."""
    try:
        return read_regular(path, MAX_FILE_BYTES)
    except IsADirectoryError:
        raise NetlistFileError("this is a folder; `axsim import` reads all files of one", path=path) from None
    except OSError as problem:
        if problem.errno != errno.EINVAL:
            raise
        raise NetlistFileError(str(problem.strerror), path=path) from None


def clean_name(text: str) -> str:
    """A multiplier's name made of a file's.

    >>> clean_name("_größe (1)"), clean_name("***")
    ('gr_e_1', 'multiplier')
    """
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_.+-") or "multiplier"


def _same(thing: Any) -> Any:
    return thing

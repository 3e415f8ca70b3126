"""Multipliers as files of every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from axsim.circuits import Netlist, write_blif
from axsim.circuits.formats import aiger, c, cgp, testbench, verilog
from axsim.circuits.ordered import ordered
from axsim.multipliers.circuit_files import clean_name
from axsim.multipliers.integer import Multiplier
from axsim.tables.formats import array_files, c_header, text
from axsim.tables.product import ProductTable

_OF_NETLISTS: dict[str, tuple[str, Callable[[Netlist], str | bytes]]] = {
    "blif": ("blif", write_blif),
    "verilog": ("v", verilog.write),
    "c": ("c", c.write),
    "cgp": ("cgp", cgp.write),
    "aag": ("aag", aiger.write),
    "aig": ("aig", aiger.write_binary),
    "testbench": ("v", testbench.write),
}
_OF_TABLES: dict[str, tuple[str, Callable[[ProductTable], str | bytes]]] = {
    "bin": ("bin", array_files.write_bin),
    "npy": ("npy", array_files.write_npy),
    "csv": ("csv", text.write),
    "header": ("h", c_header.write),
}

EXPORTS = {name: ending for name, (ending, _) in {**_OF_NETLISTS, **_OF_TABLES}.items()}
"""Formats that can be written, and the endings of their files."""


def export(multiplier: Multiplier, format: str) -> bytes:
    """The content of a file that holds a multiplier.

    Args:
        multiplier: one with a netlist, for formats of circuits: BLIF, Verilog, C, CGP, AIGER, a testbench.
        format: one of ``EXPORTS``.

    Raises:
        ValueError: the format is unknown, the multiplier has no netlist or does not fit the format.

    >>> import axsim
    >>> export(axsim.get("exact1"), "cgp")
    b'{2,2,1,1,2,1,0}([4]2,3,2)(4,0)'
    """
    if format in _OF_TABLES:
        content = _OF_TABLES[format][1](multiplier.table)
    elif format in _OF_NETLISTS:
        if multiplier.netlist is None:
            raise ValueError(
                f"{multiplier.name} has no netlist, only a table: export it as {', '.join(_OF_TABLES)}"
            )
        content = _OF_NETLISTS[format][1](ordered(multiplier.netlist))
    else:
        raise ValueError(f"format is {format!r}, expected one of {', '.join(EXPORTS)}")
    return content.encode("utf-8") if isinstance(content, str) else content


def default_path(multiplier: Multiplier, format: str) -> Path:
    """The file that a multiplier is exported to where none is named.

    >>> import axsim
    >>> str(default_path(axsim.get("L40"), "testbench"))
    'mul8u_L40_tb.v'
    """
    ending = "_tb.v" if format == "testbench" else f".{EXPORTS.get(format, format)}"
    return Path(f"{clean_name(multiplier.name)}{ending}")

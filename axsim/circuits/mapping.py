"""A circuit mapped to the cells of a named library, by ABC where that is installed.

ABC is R. Brayton, A. Mishchenko, ABC: An academic industrial-strength verification tool, CAV 2010, doi
10.1007/978-3-642-14295-6_5; it comes with Yosys (as ``yosys-abc``) and by itself (``abc``, ``berkeley-abc``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from axsim.circuits.formats.blif import write_blif
from axsim.circuits.netlist import Netlist
from axsim.errors import NetlistFileError, ToolUnavailableError
from axsim.files import read_regular

PROGRAMS = ("yosys-abc", "berkeley-abc", "abc")

SCRIPT = "strash; dch; map"
"""What ABC does: structural hashing, choices of equivalent structures, mapping for the least delay."""

_MAX_LIBRARY = 256 << 20
_SECONDS = 120
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NUMBER = r"([-+0-9.eE]+)"
_CELL = re.compile(rf"^(\S+)\s+Fanin =\s*\d+\s+Instance =\s*(\d+)\s+Area =\s*{_NUMBER}", re.M)
_TOTAL = re.compile(rf"area\s*=\s*{_NUMBER}\s+delay\s*=\s*{_NUMBER}")


@dataclass(frozen=True)
class Mapped:
    """A circuit in cells.

    Attributes:
        library: what the library's file is called.
        area: of all cells, in the library's unit.
        delay: of the longest path, in the library's unit, without wires.
        cells: how many of each.
        program: the one that mapped it.
    """

    library: str
    area: float
    delay: float
    cells: Mapping[str, int]
    program: str


def find_program() -> str:
    """Return the path of ABC; ToolUnavailableError where none of ``PROGRAMS`` is installed."""
    for name in PROGRAMS:
        if (found := shutil.which(name)) is not None:
            return found
    raise ToolUnavailableError(
        f"none of {', '.join(PROGRAMS)} is installed; they come with Yosys (Debian: apt-get install yosys)"
    )


def map_cells(netlist: Netlist, library: str | Path) -> Mapped:
    """Map a circuit to the cells of a library; area and delay are the library's, and no layout's.

    Args:
        netlist: the circuit.
        library: a file in genlib or Liberty format.

    Raises:
        ToolUnavailableError: ABC is not installed, or took more than two minutes.
        NetlistFileError: ABC cannot read the library, or map to it.
        OSError: the library's file cannot be read.
    """
    return _mapped(netlist, Path(library))[0]


def _mapped(netlist: Netlist, library: Path) -> tuple[Mapped, str]:
    """What became of the circuit, and its BLIF text in cells."""
    content = read_regular(library, _MAX_LIBRARY)
    program = find_program()
    load = "read_lib" if re.search(rb"^\s*library\s*\(", content, re.M) else "read_genlib"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "library").write_bytes(content)
        write_blif(netlist, Path(folder, "circuit.blif"))
        commands = (
            f"{load} library; read_blif circuit.blif; {SCRIPT}; print_stats; print_gates; write_blif mapped"
        )
        try:
            done = subprocess.run(
                [program, "-c", commands],
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise ToolUnavailableError(f"{program} took more than {_SECONDS} s for {netlist.name}") from None
        said = _COLOUR.sub("", done.stdout)
        total, mapped = _TOTAL.search(said), Path(folder, "mapped")
        if total is None or not mapped.exists():
            last = [line for line in f"{said}\n{done.stderr}".splitlines() if line.strip()][-1:]
            raise NetlistFileError(
                f"{Path(program).name} could not map {netlist.name} to this library ({' '.join(last)}); "
                "it needs an inverter, gates of two inputs and, for constant outputs, CONST0 and CONST1",
                path=library,
            )
        text = mapped.read_text(encoding="utf-8")
    cells = {name: int(count) for name, count, _ in _CELL.findall(said)}
    area, delay = float(total[1]), float(total[2])
    return Mapped(library.name, area, delay, MappingProxyType(cells), Path(program).name), text

"""How long a folder of circuit files takes to become a library: tables, readings, error figures, costs.

    python -m benchmarks.imports --files 250

The files are multipliers of 8 by 2 to 8 by 8 bits in C, Verilog, BLIF, AIGER and CGP: written by axsim and,
where it is installed, by ariths-gen, flat and hierarchical.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from axsim.circuits import Netlist, array_multiplier, broken_array, library, load_library, truncated
from axsim.circuits.formats import aiger, blif, c, cgp, verilog
from axsim.multipliers.libraries import import_files
from axsim.tables import compute, write_tables

WRITERS = {
    "c": c.write,
    "v": verilog.write,
    "blif": blif.write,
    "aag": aiger.write,
    "cgp": cgp.write,
}
ARITHS_GEN = {
    "c": ("get_c_code_flat", "get_c_code_hier"),
    "v": ("get_v_code_flat", "get_v_code_hier"),
    "blif": ("get_blif_code_flat",),
    "cgp": ("get_cgp_code_flat",),
}


def circuits() -> Iterator[Netlist]:
    """Multipliers of up to 8 by 8 bits, each of another function."""
    yield from map(load_library, library())
    for width in range(2, 9):
        for cell in ("exact", "ama1", "ama2", "ama3", "ama4", "ama5", "or"):
            yield array_multiplier(8, width, cell=cell)
    for k in range(1, 12):
        yield truncated(8, k)
    for h in range(4):
        for v in range(1, 9):
            yield broken_array(8, h, v)


def generated() -> Iterator[tuple[str, str]]:
    """Files of ariths-gen by name; none where it is not installed."""
    try:
        from ariths_gen.multi_bit_circuits import multipliers
        from ariths_gen.wire_components import Bus
    except ImportError:
        return
    for name in ("UnsignedArrayMultiplier", "UnsignedDaddaMultiplier", "SignedArrayMultiplier"):
        for bits in (4, 6, 8):
            circuit = getattr(multipliers, name)(Bus(N=bits, prefix="a"), Bus(N=bits, prefix="b"))
            for ending, methods in ARITHS_GEN.items():
                for method in methods:
                    text = io.StringIO()
                    getattr(circuit, method)(text)
                    yield f"{circuit.prefix}_{name[0].lower()}{bits}_{method}.{ending}", text.getvalue()


def write_files(folder: Path, count: int) -> Counter[str]:
    """Write so many files, each format in turn; how many of each there are."""
    own = (
        (f"{netlist.name}_{ending}.{ending}", write(netlist))
        for number, netlist in enumerate(circuits())
        for ending, write in islice(WRITERS.items(), number % 3, None, 2)
        if ending != "cgp" or netlist.a_bits == netlist.b_bits  # such a string does not say the widths
    )
    found: Counter[str] = Counter()
    for name, text in islice((pair for source in (generated(), own) for pair in source), count):
        (folder / name.rpartition(".")[2]).mkdir(exist_ok=True)
        (folder / name.rpartition(".")[2] / name).write_text(text, encoding="utf-8")
        found[name.rpartition(".")[2]] += 1
    return found


def run(
    files: Annotated[int, typer.Option(help="How many files.")] = 250,
    jobs: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Write files, and time how long it takes to read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write_files(folder, files)
        start = time.perf_counter()
        imported = import_files([folder], jobs=jobs)
        write_tables(folder / "library.h5", imported.records.values())
        tables = time.perf_counter() - start
        figures = [compute(record.table) for record in imported.records.values()]
        total = time.perf_counter() - start
    typer.echo(", ".join(f"{count} {ending}" for ending, count in sorted(written.items())))
    typer.echo(f"{len(imported.records)} tables, {len(imported.skipped)} files skipped, {jobs} processes")
    typer.echo(f"read and written in {tables:.1f} s, with {len(figures)} error figures {total:.1f} s")
    for path, reason in imported.skipped:
        typer.echo(f"skipped: {path.name}: {reason[:100]}")


if __name__ == "__main__":
    typer.run(run)

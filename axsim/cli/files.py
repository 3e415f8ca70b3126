"""``axsim import`` and ``axsim export``: multipliers from files and to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axsim.cli.app import (
    Operands,
    Signed,
    Top,
    Widths,
    app,
    find,
    made_folder,
    pair,
    plain_errors,
    two_widths,
    written,
)


@app.command("import")
@plain_errors
def import_command(
    paths: Annotated[list[Path], typer.Argument(help="Files of circuits and tables, or folders of them.")],
    name: Annotated[str | None, typer.Option(help="Name of the only circuit.")] = None,
    signed: Signed = None,
    operands: Operands = None,
    widths: Widths = None,
    top: Top = None,
    library: Annotated[Path | None, typer.Option(help="File of the cells that circuits are made of.")] = None,
    out: Annotated[Path | None, typer.Option(help="HDF5 file to write; library.h5 for folders.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
) -> None:
    """Read circuits of any format, say how they were read, and write their tables to one HDF5 file.

    axsim.load_library(FILE) then gives them names. A single file is only told about unless --out is given.
    Exits with status 1 where nothing could be read.
    """
    from axsim.circuits.formats.options import ReadOptions
    from axsim.circuits.formats.text import decode
    from axsim.multipliers.circuit_files import read_bytes
    from axsim.multipliers.libraries import import_files
    from axsim.tables import compute, write_tables

    options = ReadOptions(
        top=top,
        signed=signed,
        operands=pair("--operands", operands),
        widths=two_widths(widths),
        library=None if library is None else decode(read_bytes(library)),
    )
    imported = import_files(paths, options, jobs=jobs, name=name)
    if len(imported.records) == 1:
        (record,) = imported.records.values()
        figures = compute(record.table)
        print(f"{record.name}: MAE {figures.mae:.6g}, WCE {figures.wce}, MRE {figures.mre_percent:.4g} %")
        print("\n".join(f"  {sentence}" for sentence in str(record.attributes["reading"]).splitlines()))
    else:
        for path, warning in imported.warnings:
            print(f"warning: {path}: {warning}")
    for path, reason in imported.skipped:
        print(f"skipped: {path}: {reason}")
    if not imported.records:
        print("nothing could be read")
        raise typer.Exit(1)
    if out is None and any(path.is_dir() for path in paths):
        out = Path("library.h5")
    if out is None:
        print("no file was written: --out library.h5 keeps what was read")
    else:
        where, count = f"{out}{made_folder(out)}", len(imported.records)
        write_tables(out, imported.records.values())
        tables = "table" if count == 1 else "tables"
        print(f"{count} {tables} written to {where}; axsim.load_library({str(out)!r}) names them")


@app.command("export")
@plain_errors
def export_command(
    name: Annotated[str, typer.Argument(help="A multiplier, such as L40 or drum8_4, or a file of one.")],
    format: Annotated[
        str, typer.Option(help="blif, verilog, c, cgp, aag, aig, testbench; bin, npy, csv, header.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File to write; named for the multiplier if not given.")
    ] = None,
) -> None:
    """Write a multiplier as a file of another format."""
    from axsim.files import replace_file
    from axsim.multipliers import FloatMultiplier
    from axsim.multipliers.export import default_path, export

    m = find(name)
    if isinstance(m, FloatMultiplier):
        raise ValueError(f"{m.name} is a float multiplier; integer ones can be exported: try L40")
    content = export(m, format)
    path = out or default_path(m, format)
    written("written", path, lambda: replace_file(path, content))

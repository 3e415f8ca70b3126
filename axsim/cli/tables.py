"""``axsim build``: all tables as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axsim.cli.app import app, made_folder, plain_errors


@app.command()
@plain_errors
def build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Multipliers; all of them if none is given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("tables"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with what is there; write nothing.")
    ] = False,
) -> None:
    """Make tables afresh from their circuits and write the HDF5 files, or check those that are there.

    With NAMES, the other tables of an existing file are left as they are. --check exits with status 1 where
    anything differs.
    """
    from axsim.files import check_folder
    from axsim.multipliers.catalogue import plan
    from axsim.tables.build import build_tables, check_tables

    chosen = plan(names or ())
    fresh = made_folder(out / "tables.h5")
    if not check:
        check_folder(out, "--out")
    count = sum(map(len, chosen.values()))
    if not check:
        paths = build_tables(chosen, out, jobs=jobs, keep_others=bool(names))
        print(f"{count} tables written to {', '.join(map(str, paths))}{fresh}")
    elif differences := check_tables(chosen, out, jobs=jobs, allow_others=bool(names)):
        print("\n".join(differences))
        raise typer.Exit(1)
    else:
        print(f"{count} tables in {out} are as their circuits make them")

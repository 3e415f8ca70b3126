"""``axsim robustness run``, ``status`` and ``report``: experiments that a TOML file declares."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axsim.cli.app import app, plain_errors

if TYPE_CHECKING:
    from axsim.robustness.declare import Declaration
    from axsim.robustness.store import Measured, Store

group = typer.Typer(no_args_is_help=True, help="Attacks on networks: measure an experiment, report on it.")
app.add_typer(group, name="robustness")

File = Annotated[Path, typer.Argument(help="The experiment, a TOML file.")]
Images = Annotated[
    int | None, typer.Option(help="Images of each cell, in place of what FILE says. Default: as last time.")
]
Out = Annotated[Path | None, typer.Option(help="Folder of the results; out/robustness/NAME if not given.")]

_INTERRUPTED = 130


@group.command("run")
@plain_errors
def run_command(
    file: File,
    images: Annotated[
        int | None, typer.Option(help="Images of each cell, in place of what FILE says.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes to use; one for each CPU if not given.")] = None,
    out: Out = None,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask cluster: tcp://host:8786.")] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Use the Ray cluster that RAY_ADDRESS names.")] = False,
) -> None:
    """Measure an experiment, or go on with it, and write its report.

    Whatever ends it, the same command goes on: what is measured is kept. Exits with status 1 where cells
    failed (the report says which), with 2 where something else stopped it.
    """
    import axsim.robustness.kinds  # noqa: F401  makes the kinds known
    from axsim.files import check_folder
    from axsim.results import write_json
    from axsim.robustness.declare import read_declaration
    from axsim.robustness.store import Shared
    from axsim.robustness.sweep import run_sweep

    if dask is not None and ray:
        raise ValueError("--dask and --ray came, one of them was expected")
    declared = read_declaration(file, images)
    folder = check_folder(_folder(file, out), "--out")
    store = _store(declared, folder)
    write_json(folder / "run.json", {"images": images})
    run = declared.experiment.with_shared(Shared(folder / "shared", declared.experiment.code()))
    if others := store.others(declared.cells):
        print(f"axsim: {others} cells in {folder} are of other settings or code; they stay", file=sys.stderr)
    try:
        summary = run_sweep(
            declared.cells, run, store, jobs=jobs, backend=dask or ("ray" if ray else "local")
        )
    except KeyboardInterrupt:
        kept = sum(m is not None for m in _read_all(declared, store))
        print(f"axsim: interrupted; {kept} of {len(declared.cells)} cells are kept", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    print(f"{summary.there + summary.measured} of {len(declared.cells)} cells are measured in {folder}")
    if summary.failed:
        print(f"{len(summary.failed)} cells failed; the same command tries them again")
    if summary.there + summary.measured:
        _report(declared, store, folder)
    raise typer.Exit(summary.status)


@group.command()
@plain_errors
def status(file: File, images: Images = None, out: Out = None) -> None:
    """Say how much of an experiment is measured. Exits with status 1 where something failed or is missing."""
    declared, store, folder = _existing(file, images, out)
    found = _read_all(declared, store, tell=True)
    failed = [m for m in found if m is not None and m.error]
    measured = sum(m is not None and not m.error for m in found)
    print(f"{measured} of {len(declared.cells)} cells are measured in {folder}")
    if others := store.others(declared.cells):
        print(f"{others} cells there are of other settings, or of another version of the code")
    for one in failed:
        print(f"failed: {one.cell}: {one.error.strip().rpartition(chr(10))[2]}")
    raise typer.Exit(0 if measured == len(declared.cells) else 1)


@group.command()
@plain_errors
def report(file: File, images: Images = None, out: Out = None) -> None:
    """Write the report of what is measured so far: report.html, which needs no other file, report.md, and
    results.json with all numbers."""
    declared, store, folder = _existing(file, images, out)
    _report(declared, store, folder)


def _folder(file: Path, out: Path | None) -> Path:
    return Path("out/robustness") / file.stem if out is None else out


def _store(declared: Declaration, folder: Path) -> Store:
    from axsim.robustness.store import Store

    return Store(folder, declared.experiment.code_and_files(declared.cells))


def _existing(file: Path, images: int | None, out: Path | None) -> tuple[Declaration, Store, Path]:
    import axsim.robustness.kinds  # noqa: F401  makes the kinds known
    from axsim.robustness.declare import read_declaration

    folder = _folder(file, out)
    if images is None and (last := folder / "run.json").is_file():
        try:
            images = json.loads(last.read_text(encoding="utf-8"))["images"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{last} is damaged: give --images, or delete it") from None
    declared = read_declaration(file, images)
    return declared, _store(declared, folder), folder


def _read_all(declared: Declaration, store: Store, tell: bool = False) -> Sequence[Measured | None]:
    """What is kept of each cell; a damaged file is said to be so, and counts for nothing."""
    from axsim.robustness.store import DamagedFileError

    found: list[Measured | None] = []
    for cell in declared.cells:
        try:
            found.append(store.read(cell))
        except DamagedFileError as problem:
            found.append(None)
            if tell:
                print(f"{problem}; `axsim robustness run` measures it again")
    return found


def _report(declared: Declaration, store: Store, folder: Path) -> None:
    from axsim.robustness.report.build import Reported, build
    from axsim.robustness.report.write import write_report, write_results

    kept = [m for m in _read_all(declared, store) if m is not None]
    good = [m for m in kept if not m.error]
    if not good:
        raise ValueError(f"nothing is measured in {folder}: `axsim robustness run {declared.path}` does that")
    checks = declared.experiment.checks(good)
    document = build(Reported(declared.title, declared.note, declared.cells, kept, declared.layout, checks))
    page, text = write_report(document, folder)
    numbers = write_results(declared.title, good, folder)
    print(f"report: {page}, {text}; numbers: {numbers}")

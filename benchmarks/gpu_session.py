"""One visit to a GPU: all checks, then the timings, within a limit of time, and one file of what was found.

    python -m benchmarks.gpu_session FOLDER [--seconds 570] [--checks 300] [--quick]

Runs ``pytest tests/gpu`` for at most ``--checks`` seconds and ``benchmarks.gpu`` in what is left. Both write
what they have after every check and case, so that a visit cut short leaves all that it found. FOLDER then
holds gpu_checks.json, gpu.json, gpu.png, and the first two together, named for the GPU:
``nvidia-h100-80gb-hbm3.json``. Needs what these two need (``benchmarks/gpu.py``). Exit status 1: a check or a
case failed, or did not end.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from axsim.files import check_folder
from axsim.results import write_json

FOUND = {"gpu_checks.json": "checks", "gpu.json": "timings"}
RESERVE = 45  # seconds that the last case and its report may take, beyond the time for cases
LAST_WORDS = 20  # seconds that a run has to end when it is asked to

Run = Callable[[Sequence[str], float], int | None]


def run(command: Sequence[str], seconds: float) -> int | None:
    """The exit status of a command, or None if it was stopped after so many seconds."""
    # What it has printed is there when it is stopped.
    process = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            process.wait(timeout=LAST_WORDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return None


def visit(
    out: Path,
    seconds: float,
    checks: float,
    quick: bool,
    *,
    run: Run = run,
    now: Callable[[], float] = time.monotonic,
) -> tuple[Path, bool]:
    """Checks and timings; the file of both, and whether all went well."""
    begin = now()
    for name in FOUND:
        (out / name).unlink(missing_ok=True)  # what an earlier visit found is not this one's
    python = (sys.executable, "-m")
    checked = run((*python, "pytest", "tests/gpu", "-q", "-p", "no:cacheprovider", "--out", str(out)), checks)
    left = seconds - (now() - begin)
    command = (*python, "benchmarks.gpu", str(out), "--seconds", str(max(0, round(left - RESERVE))))
    timed = run((*command, "--quick") if quick else command, left)
    found: dict[str, Any] = {
        **{part: _read(out / name) for name, part in FOUND.items()},
        "ended": {"checks": checked is not None, "timings": timed is not None},
    }
    return write_json(out / f"{name_of(found)}.json", found), checked == timed == 0


def name_of(found: dict[str, Any]) -> str:
    """The GPU's name as a file's.

    >>> name_of({"timings": {"machine": {"gpu": {"name": "NVIDIA H100 80GB HBM3"}}}})
    'nvidia-h100-80gb-hbm3'
    """
    for part in ("timings", "checks"):
        gpu = ((found.get(part) or {}).get("machine") or {}).get("gpu")
        if gpu:
            return re.sub(r"[^a-z0-9]+", "-", gpu["name"].lower()).strip("-")
    return "no-gpu"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def main(
    out: Annotated[Path, typer.Argument(help="Folder for all files.")],
    seconds: Annotated[float, typer.Option(help="For all of it.")] = 570,
    checks: Annotated[float, typer.Option(help="For the checks at most.")] = 300,
    quick: Annotated[bool, typer.Option("--quick", help="Small shapes, few rounds.")] = False,
) -> None:
    """Check and time the GPU of this machine."""
    try:
        check_folder(out, "FOLDER")
    except ValueError as problem:
        typer.echo(f"error: {problem}", err=True)
        raise typer.Exit(2) from problem
    path, well = visit(out, seconds, checks, quick)
    print(f"found: {path}")
    if not well:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

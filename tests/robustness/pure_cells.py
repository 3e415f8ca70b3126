"""Cells of no network at all, and what measures them in the tests of sweeps.

Apart from the tests, so that the processes of a sweep need not load pytest.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from axsim.robustness.cells import Cell
from axsim.robustness.store import Store
from axsim.robustness.sweep import run_sweep
from axsim.threads import get_num_threads


def cells(count: int) -> list[Cell]:
    return [Cell({"budget": 0.25 * i, "seed": i % 3}) for i in range(count)]


def measure(log: Path, pause: float, cell: Cell) -> dict[str, Any]:
    """A pure function of the cell, that leaves a line in the log when it starts."""
    with open(log, "a") as file:
        file.write(f"{cell.text}\n")
    time.sleep(pause)
    draw = np.random.default_rng(cell["seed"])
    return {
        "rate": {"count": int(4 * cell["budget"]), "of": 100},
        "noise": draw.random(3),
        "psnr": float("inf"),
    }


def sweep_in_a_group(count: int, log: Path, pause: float, out: Path) -> None:
    """Measure cells by two processes; all three are a group of their own, and say nothing."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    run_sweep(cells(count), partial(measure, log, pause), Store(out, "1"), jobs=2)


def fail_for(errors: Mapping[Cell, str], cell: Cell) -> dict[str, Any]:
    if cell not in errors:
        return {"budget": cell["budget"]}
    error = errors[cell]
    if error == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if error == "exit":
        sys.exit(3)
    if error == "unkept":
        return {"what": object()}
    raise RuntimeError("no such network")


def full_once(folder: Path, cell: Cell) -> dict[str, Any]:
    """The disk is full when the cell is to be kept, and has room again a moment later."""
    if cell["budget"] == 0:
        cells_folder = folder / "cells"
        shutil.rmtree(cells_folder, ignore_errors=True)
        cells_folder.write_text("in the way")
    return {"budget": cell["budget"]}


def share(log: Path, cell: Cell) -> dict[str, Any]:
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return {"axsim": get_num_threads(), **threads, "process": os.getpid()}


def die_once(once: Path, cell: Cell) -> dict[str, Any]:
    if cell["budget"] == 0.5 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"budget": cell["budget"]}


def kill_worker(log: Path, killed: Path, cell: Cell) -> dict[str, Any]:
    found = measure(log, 0.02, cell)
    if cell["budget"] == 2.5 and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return found

"""Speed of all engines on an NVIDIA GPU, beside torch's exact operations and beside what bounds each kernel.

    python -m benchmarks.gpu FOLDER [--quick] [--seconds 440] [--only TEXT] [--profile]

Times with CUDA events, after warm-up, calls in turn, operands rotated past the second-level cache; prints
medians and quartiles. Before a case is timed, its results are computed into memory full of garbage and
compared with sums made by other means (``tests/gpu``). Writes gpu.json after every case, so that a run cut
short leaves its results, and gpu.png (if matplotlib is there). The most important cases come first; after
``--seconds`` no new one is begun, and what was left out is named. Exit status 1: a case failed.

Runs from the source tree on PYTHONPATH, without the compiled module ``axsim._native``. Besides CuPy it takes
axsim's own dependencies (``pyproject.toml``). Two of them are pure Python; where they cannot be installed:

    pip install --target build/gpu_deps array-api-compat platformdirs    # anywhere
    PYTHONPATH=.:build/gpu_deps python -m benchmarks.gpu FOLDER          # where the GPU is

Without array-api-compat axsim cannot be imported. platformdirs is asked only for the folder where tables are
kept, and not if AXSIM_CACHE_DIR names one, as this program and the tests see to. Tables come from the
circuits in ``axsim/circuits/library``.

Where a kernel's time goes: ``--profile`` times some kernels with equal operands too, for which no two
look-ups of a warp meet in a bank, and runs NVIDIA's ``ncu`` on them if it is there (``gpu_profile``).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from axsim.engines.gpu.runtime.current import current
from axsim.errors import GpuUnavailableError
from axsim.files import check_folder
from axsim.plots import save_figure
from axsim.results import write_json
from benchmarks.gpu_cases import FULL, QUICK, Case, Sizes, Work, cases
from benchmarks.gpu_clock import Gpu, GpuTiming, measure
from benchmarks.gpu_limits import Rates, rates
from benchmarks.gpu_machine import machine
from benchmarks.gpu_report import (
    picture,
    print_limits,
    print_rows,
    print_summary,
    rows_of,
    summary,
)

CASE_SECONDS, ROUNDS = 1.5, 25
QUICK_SECONDS, QUICK_ROUNDS = 0.4, 7


class Run:
    """Cases one after the other, and the file that says what became of them.

    Args:
        gpu: where.
        sizes: of the cases.
        out: folder of the file.
        now: the time in seconds, for tests.
    """

    def __init__(self, gpu: Gpu, sizes: Sizes, out: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.gpu, self.sizes, self.out, self.now = gpu, sizes, out, now
        self.began = now()
        self.rows: list[dict[str, Any]] = []
        self.details: dict[str, Any] = {}
        self.failed: dict[str, str] = {}
        self.left_out: list[str] = []
        self.machine = machine()
        self.rates: Rates | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.now() - self.began

    def all(self, todo: Sequence[Case], seconds: float) -> None:
        """Time cases until the seconds are over."""
        sizes = self.sizes
        self.rates, problems = rates(self.gpu, sizes.plain, sizes.steps, sizes.copied, sizes.blocks)
        self.failed |= {f"rate of {name}": problem for name, problem in problems.items()}
        for name, rate in asdict(self.rates).items():
            told = f"measured {name}: {rate:.4g}/s" if rate else f"FAILED rate of {name}: {problems[name]}"
            print(told, flush=True)
        self.write()
        for i, case in enumerate(todo):
            if self.elapsed > seconds:
                self.left_out = [left.name for left in todo[i:]]
                break
            self.one(case)
            self.write()
        self.write()

    def one(self, case: Case) -> None:
        """Prepare, check and time a case; one that fails costs no other's results."""
        begin = self.now()
        try:
            work, times = self.timed(case)
        except Exception as error:  # whatever it is: the GPU may be there for this run only
            self.failed[case.name] = f"{type(error).__name__}: {error}"
            print(f"FAILED {case.name}: {self.failed[case.name]}", flush=True)
            return
        for what, problem in work.not_captured.items():
            self.failed[f"{case.name}, {what}"] = problem
            print(f"FAILED {case.name}, {what}: {problem}", flush=True)
        rows = rows_of(case, work, times, self.sizes.full)
        self.rows += rows
        self.details[case.name] = {
            **work.facts,
            "clock_hz": self.gpu.clock_hz(),
            "seconds_in_all": self.now() - begin,
        }
        told = ", ".join(f"{r['what']} {1e3 * r['seconds']['median']:.4g} ms" for r in rows)
        print(f"[{self.elapsed:4.0f} s] {case.name}: {told}", flush=True)

    def timed(self, case: Case) -> tuple[Work, dict[str, GpuTiming]]:
        """A case whose results are right, and its times."""
        assert self.rates is not None
        work = case.prepare(self.gpu, self.rates)
        work.check()
        rounds, seconds = (ROUNDS, CASE_SECONDS) if self.sizes.full else (QUICK_ROUNDS, QUICK_SECONDS)
        return work, measure(self.gpu, work.calls, rounds=rounds, seconds=seconds, now=self.now)

    def write(self) -> Path:
        """The file as it is now, whole."""
        content = {
            "machine": self.machine,
            "sizes": "full" if self.sizes.full else "quick",
            "measured_rates_per_second": asdict(self.rates) if self.rates else None,
            "summary": summary(self.rows, self.sizes.full),
            "failed": self.failed,
            "left_out": self.left_out,
            "seconds": self.elapsed,
            "cases": self.details,
            "rows": self.rows,
        }
        return write_json(self.out / "gpu.json", content)

    def report(self) -> None:
        """Tables, limits and summary on the terminal, and the picture."""
        print_rows(self.rows)
        print_limits(self.rows)
        print_summary(summary(self.rows, self.sizes.full))
        for name, problem in self.failed.items():
            print(f"FAILED {name}: {problem}")
        if self.left_out:
            print(f"Left out for want of time ({len(self.left_out)}): {'; '.join(self.left_out)}")
        print(f"figures: {self.write()}")
        name = self.gpu.runtime.device.name
        try:
            print(f"picture: {save_figure(picture(self.rows, name), self.out / 'gpu.png')}")
        except ImportError as problem:
            print(f"no picture: {problem}")


def chosen(todo: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """Cases whose name or group contains one of the texts, upper and lower case alike; all without a text.

    Raises:
        ValueError: there is none.
    """
    found = [
        case
        for case in todo
        if not only or any(text.lower() in f"{case.group}: {case.name}".lower() for text in only)
    ]
    if not found:
        raise ValueError(f"no case is called {', '.join(only)}; there are: {'; '.join(c.name for c in todo)}")
    return found


def main(
    out: Annotated[Path, typer.Argument(help="Folder for gpu.json and gpu.png.")],
    quick: Annotated[bool, typer.Option("--quick", help="Small shapes, few layers and rounds.")] = False,
    seconds: Annotated[float, typer.Option(help="Begin no new case after so many.")] = 440,
    only: Annotated[
        list[str] | None, typer.Option(help="Cases with this text in their name or group.")
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Bank conflicts and issue rates instead of times.")
    ] = False,
) -> None:
    """Time all engines on a GPU."""
    sizes = QUICK if quick else FULL
    try:
        check_folder(out, "FOLDER")
        todo = chosen(cases(sizes), only or [])
        gpu = Gpu(current())
    except (ValueError, GpuUnavailableError) as problem:
        typer.echo(f"error: {problem}", err=True)
        raise typer.Exit(2) from problem
    tables = nullcontext() if "AXSIM_CACHE_DIR" in os.environ else tempfile.TemporaryDirectory()
    with tables as folder:
        if folder:
            os.environ["AXSIM_CACHE_DIR"] = folder
        if profile:
            from benchmarks.gpu_profile import profile_all

            profile_all(gpu, sizes, out)
            return
        if gpu.torch is None:
            print("torch has no CUDA here: nothing exact is timed beside axsim")
        run = Run(gpu, sizes, out)
        run.all(todo, seconds)
        run.report()
    if run.failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)

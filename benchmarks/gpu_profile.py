"""Where the time of a kernel goes: bank conflicts, and how many instructions are issued.

Two ways. By times alone: with operands that are all equal, the look-ups of a warp read one word, and no two
meet in a bank; what random operands take longer is the conflicts' share. (For kernels whose loads do not
depend on the operands the quotient is 1 but for the clocks, which fall with the power that random bits take.)
And by NVIDIA's Nsight Compute, where ``ncu`` is on the PATH: it runs this module with the names of calls and
reads the hardware's counters; the clocks are left as they are.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import axsim
from axsim.engines.gpu.runtime.current import current
from axsim.files import replace_file
from axsim.results import print_table, write_json
from benchmarks.gpu_cases import FULL, QUICK, WIDE, Sizes
from benchmarks.gpu_clock import Gpu, measure
from benchmarks.gpu_machine import machine

NCU_SECONDS = 100
_SECTIONS = ("SpeedOfLight", "MemoryWorkloadAnalysis", "SchedulerStats", "WarpStateStats", "Occupancy")
_METRICS = (
    "Duration",
    "SM Frequency",
    "Issue Slots Busy",
    "Compute (SM) Throughput",
    "Memory Throughput",
    "L1/TEX Cache Throughput",
    "L2 Cache Throughput",
    "DRAM Throughput",
    "Mem Pipes Busy",
    "Issued Warp Per Scheduler",
    "Achieved Occupancy",
)

Profiled = dict[str, tuple[Callable[[Any, Any], Any], tuple[Any, ...]]]


def profiled(sizes: Sizes) -> Profiled:
    """By name: what is called with two operands; their shapes and type."""
    n, layer, depthwise, batch = sizes.medium, sizes.windows, sizes.depthwise, max(1, sizes.batch // 8)
    square = (n, n), (n, n)
    return {
        "gather, columns": (lambda a, b: axsim.matmul(a, b, "L40", engine="gather"), (*square, np.uint8)),
        "gather, columns of 17 bits": (
            lambda a, b: axsim.matmul(a, b, WIDE, engine="gather"),
            (*square, np.uint8),
        ),
        "gather, few rows": (
            lambda a, b: axsim.matmul(a, b, "L40", engine="gather"),
            ((4, n), (n, n), np.uint8),
        ),
        "gather, windows": (
            lambda x, w: axsim.conv2d(x, w, "L40", padding=1, engine="gather"),
            (layer.x_shape(batch), layer.w_shape, np.uint8),
        ),
        "depthwise": (
            lambda x, w: axsim.conv2d(x, w, "L40", padding=1, groups=depthwise.groups),
            (depthwise.x_shape(batch), depthwise.w_shape, np.uint8),
        ),
        "factored": (lambda a, b: axsim.matmul(a, b, "JQQ", engine="factored"), (*square, np.uint8)),
        "axfpm": (lambda a, b: axsim.matmul(a, b, "axfpm"), (*square, np.float32)),
        "float32[L40]": (lambda a, b: axsim.matmul(a, b, "float32[L40]"), (*square, np.float32)),
    }


def profile_all(gpu: Gpu, sizes: Sizes, out: Path) -> None:
    """Print and write gpu_profile.json, and what ncu said to gpu_ncu.csv."""
    found: dict[str, Any] = {"machine": machine(), "seconds": {}, "ncu": {}}
    rows = []
    for name, (call, shapes) in profiled(sizes).items():
        random, equal = operands(gpu, shapes, random=True), operands(gpu, shapes, random=False)
        calls = {"random": lambda i, c=call, o=random: c(*o), "equal": lambda i, c=call, o=equal: c(*o)}
        times = measure(gpu, calls, rounds=9, seconds=1)
        seconds = {kind: time.median for kind, time in times.items()}
        found["seconds"][name] = seconds | {"quotient": seconds["random"] / seconds["equal"]}
        rows.append(
            (
                name,
                *(f"{1e3 * s:.4g}" for s in seconds.values()),
                f"{seconds['random'] / seconds['equal']:.2f}",
            )
        )
    print_table("Random operands beside equal ones", ("call", "random ms", "equal ms", "quotient"), rows)
    report, problem = ncu(list(found["seconds"]), sizes)
    if problem:
        print(f"no hardware counters: {problem}")
    else:
        print(f"counters: {replace_file(out / 'gpu_ncu.csv', report.encode())}")
        found["ncu"] = counters(report)
        for kernel, metrics in found["ncu"].items():
            print(f"{kernel}: " + ", ".join(f"{name} {value}" for name, value in metrics.items()))
    print(f"figures: {write_json(out / 'gpu_profile.json', found)}")


def operands(gpu: Gpu, shapes: tuple[Any, ...], random: bool) -> list[Any]:
    """Two arrays of the shapes and type, of random values or all of one."""
    *sizes, dtype = shapes
    generator = np.random.default_rng(0)

    def made(shape: tuple[int, ...]) -> Any:
        if dtype is np.float32:
            return generator.standard_normal(shape, np.float32) if random else np.full(shape, 1.7, np.float32)
        return generator.integers(0, 256, shape, np.uint8) if random else np.full(shape, 173, np.uint8)

    return [gpu.xp.asarray(made(shape)) for shape in sizes]


def ncu(names: list[str], sizes: Sizes) -> tuple[str, str]:
    """What ncu says of the kernels of the calls, as CSV; or else why it says nothing."""
    if shutil.which("ncu") is None:
        return "", "ncu is not on the PATH"
    sections = [argument for section in _SECTIONS for argument in ("--section", section)]
    kernels = (
        "regex:^(gather_columns|gather_table|gather_depthwise|expand_|combine|float_forms|float_segments)"
    )
    command = [
        *("ncu", "--csv", "--page", "details", "--clock-control", "none", "--kernel-name", kernels),
        *(
            *sections,
            sys.executable,
            "-m",
            "benchmarks.gpu_profile",
            "full" if sizes.full else "quick",
            *names,
        ),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=NCU_SECONDS, env=os.environ)
    except subprocess.TimeoutExpired:
        return "", f"ncu took more than {NCU_SECONDS} seconds"
    if done.returncode or '"Kernel Name"' not in done.stdout:
        return "", f"ncu ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-600:]}"
    return done.stdout[done.stdout.index('"ID"') :], ""


def counters(report: str) -> dict[str, dict[str, str]]:
    """The figures of ``_METRICS`` for each launch: "number kernel" -> name -> value and unit."""
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(io.StringIO(report)):
        if row.get("Metric Name") in _METRICS:
            launch = found.setdefault(f"{row['ID']} {row['Kernel Name']}", {})
            launch[row["Metric Name"]] = f"{row['Metric Value']} {row['Metric Unit']}".strip()
    return found


if __name__ == "__main__":
    which, *wanted = sys.argv[1:]
    here, todo = Gpu(current()), profiled(FULL if which == "full" else QUICK)
    for name in wanted:
        call, shapes = todo[name]
        call(*operands(here, shapes, random=True))
        here.xp.cuda.Device().synchronize()

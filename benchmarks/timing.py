"""Timing that survives a shared machine: everything in turn, many rounds, medians."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axsim.results import versions


@dataclass(frozen=True)
class Timing:
    """Seconds a call took: the median over the rounds, and the quartiles around it."""

    median: float
    lower: float
    upper: float
    rounds: int


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, rounds: int, seconds: float
) -> dict[str, Timing]:
    """Time every call once a round, so that a busy moment meets all of them alike.

    Args:
        calls: what to time, by name. Each is called once beforehand, untimed.
        rounds: most rounds; at least three are made.
        seconds: no new round is begun after this long.
    """
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    for done in range(max(rounds, 3)):
        if done >= 3 and time.perf_counter() - begin > seconds:
            break
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - start)
    return {name: _timing(times) for name, times in taken.items()}


def _timing(times: list[float]) -> Timing:
    lower, median, upper = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, lower, upper, len(times))


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, instruction set in use, cores, versions."""
    import torch

    from axsim import _native

    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "isa": _native.isa(),
        "system": platform.platform(),
        "versions": {**versions(), "torch": torch.__version__},
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

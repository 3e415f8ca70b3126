"""Timing that survives a shared machine: everything in turn, many rounds, medians and quartiles."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, TypeVar

import axsim
from axsim.engines.cpu.blas_threads import REST, blas_libraries, limited_threads
from axsim.engines.isa import cpu_name, native_isa, runnable_isas
from axsim.results import versions

K = TypeVar("K")

BLOCK = 2e-3  # a shorter call is repeated for this long, and the mean taken
LONG, QUICK_LONG = 3.0, 0.3  # a call that takes longer is timed once


@dataclass(frozen=True)
class Timing:
    """Seconds a call took: the median over the rounds, and the quartiles around it."""

    median: float
    lower: float
    upper: float
    rounds: int


def interleaved(
    calls: Mapping[K, Callable[[], object]], *, rounds: int, seconds: float, long: float = LONG
) -> dict[K, Timing]:
    """Time every call once a round, so that a busy moment meets all of them alike.

    Calls of NumPy's BLAS belong at the end: there is a rest between rounds, so that its threads do not take
    processors from the others.

    Args:
        calls: what to time, by name. Each is called once beforehand, untimed.
        rounds: most rounds; at least three are made.
        seconds: no new round is begun after this long.
        long: seconds from which on a call takes part in the first round only.
    """
    for call in calls.values():
        call()
    taken: dict[K, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    for done in range(max(rounds, 3)):
        if done >= 3 and time.perf_counter() - begin > seconds:
            break
        time.sleep(REST)
        for name, call in calls.items():
            if not (taken[name] and taken[name][0] > long):
                taken[name].append(_settled(call))
    return {name: timing_of(times) for name, times in taken.items()}


def _settled(call: Callable[[], object]) -> float:
    """Seconds of a call; of a short one the mean of several, once the threads of the call before it rest."""
    once = _seconds(call)
    if once > 10 * BLOCK:
        return once
    count = max(1, round(BLOCK / once))
    return _seconds(lambda: [call() for _ in range(count)]) / count


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def timing_of(times: list[float]) -> Timing:
    """Median and quartiles of the seconds that calls took."""
    if len(times) == 1:
        return Timing(times[0], times[0], times[0], 1)
    lower, median, upper = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, lower, upper, len(times))


def how(quick: bool) -> dict[str, Any]:
    """Arguments of ``interleaved`` for a quick benchmark and for a whole one."""
    return {"rounds": 3, "seconds": 4, "long": QUICK_LONG} if quick else {"rounds": 15, "seconds": 40}


@contextmanager
def threads_set_to(count: int) -> Iterator[None]:
    """The same number of threads for axsim and torch, and no more for NumPy's BLAS."""
    if torch := torch_or_none():
        before = torch.get_num_threads()
        torch.set_num_threads(count)
    try:
        with own_threads_set_to(count):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)


@contextmanager
def own_threads_set_to(count: int) -> Iterator[None]:
    """The same without torch, which is then not loaded."""
    axsim.set_num_threads(count)
    try:
        with limited_threads():
            yield
    finally:
        axsim.set_num_threads(None)


def torch_or_none() -> Any:
    """The module torch; None where it is not installed."""
    if find_spec("torch") is None:
        return None
    import torch

    return torch


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, instruction set in use, cores, load, versions, date."""
    torch = version("torch") if find_spec("torch") is not None else "none"
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "isa": native_isa(),
        "isas": runnable_isas(),
        "blas": [f"{b['internal_api']} {b['version']} {b.get('architecture', '')}" for b in blas_libraries()],
        "load_average": list(os.getloadavg()),
        "system": platform.platform(),
        "versions": {**versions(), "torch": torch},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }

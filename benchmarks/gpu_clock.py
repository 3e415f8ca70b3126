"""Timing on a GPU: CUDA events, everything in turn, medians and quartiles.

What is timed is queued while the GPU is kept busy, so that events take the GPU's time alone; what the host
takes to ask for it is told apart. How long the GPU must be kept busy is found out: if the first event has
passed by the time that the host is done, it was too short, and the calls are made again with more.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from axsim.engines.gpu.runtime.interface import Runtime
from benchmarks.timing import Timing, timing_of, torch_or_none

LIMITS = Path(__file__).with_name("gpu_limits.cu")
POISON = 0xA9
BLOCK = 2e-3  # a shorter call is repeated for this long, and the mean taken
MOST_REPEATS = 20
HOLD = 5e-4  # seconds that the GPU is kept busy at first, for each call that is timed
TRIES = 3  # with more and more; a call that still is not queued waits for the GPU itself
_CLOCK_CYCLES = 2_000_000  # that the clock is counted for

Call = Callable[[int], object]


@dataclass(frozen=True)
class Taken:
    """Seconds that calls took.

    Attributes:
        device: the GPU, for what they asked of it.
        host: to ask for it.
        queued: whether the GPU began after the host was done; else ``device`` holds time of the host's too.
    """

    device: float
    host: float
    queued: bool

    def each(self, count: int) -> Taken:
        """Of one of so many calls."""
        return Taken(self.device / count, self.host / count, self.queued)


@dataclass(frozen=True)
class GpuTiming(Timing):
    """Seconds that the GPU took for a call; beside them the host's, and whether they are apart: ``Taken``."""

    host: Timing
    queued: bool


class Gpu:
    """A GPU that calls are timed on. Work goes to the default stream, CuPy's and torch's current one.

    Attributes:
        runtime, xp: as engines know it.
        torch: the module, if it is there and has CUDA; else None.
    """

    def __init__(self, runtime: Runtime, now: Callable[[], float] = time.perf_counter) -> None:
        self.runtime, self.xp, self.now = runtime, runtime.xp, now
        torch = torch_or_none()
        self.torch: Any = torch if torch and torch.cuda.is_available() else None

    def take(self, calls: Callable[[], object], hold: float) -> Taken:
        """How long ``calls`` take; the GPU is kept busy for ``hold`` seconds before it begins with them."""
        cuda = self.xp.cuda
        start, stop = cuda.Event(), cuda.Event()
        if hold:
            self._spin(round(hold * self.runtime.device.clock_hz))
        start.record()
        begin = self.now()
        calls()
        host = self.now() - begin
        queued = not start.done
        stop.record()
        stop.synchronize()
        return Taken(float(cuda.get_elapsed_time(start, stop)) / 1e3, host, queued)

    def clock_hz(self) -> float:
        """The multiprocessors' clock just now: cycles that a kernel counted, over the time that it took."""
        cuda = self.xp.cuda
        start, stop = cuda.Event(), cuda.Event()
        start.record()
        counted = self._spin(_CLOCK_CYCLES)
        stop.record()
        stop.synchronize()
        return int(counted[0]) / (float(cuda.get_elapsed_time(start, stop)) / 1e3)

    def poison(self, size: int) -> None:
        """Have the next arrays, of up to ``size`` bytes together, begin with garbage."""
        self.xp.get_default_memory_pool().free_all_blocks()
        if self.torch:
            self.torch.cuda.empty_cache()
        self.xp.empty(size, np.uint8).fill(POISON)

    def graph(self, call: Callable[[], object]) -> Callable[[], object]:
        """What replays the call, made once before, as a CUDA graph."""
        self.xp.cuda.Device().synchronize()  # the operands, made on another stream, are complete
        with self.xp.cuda.Stream(non_blocking=True) as stream:
            call()
            stream.synchronize()
            stream.begin_capture()
            try:
                result = call()
            except BaseException:
                with suppress(RuntimeError):  # the capture is broken; what broke it is the news
                    stream.end_capture()
                raise
            graph = stream.end_capture()

        def replay() -> object:
            graph.launch()
            return result

        return replay

    def release(self) -> None:
        """Give all memory back that no array holds."""
        self.poison(1)

    def _spin(self, cycles: int) -> Any:
        counted = self.xp.empty(1, np.int64)
        self.runtime.kernel(LIMITS, "spin")((1, 1, 1), (1, 1, 1), (counted, np.int64(cycles)))
        return counted


def measure(
    gpu: Gpu,
    calls: Mapping[str, Call],
    *,
    rounds: int,
    seconds: float,
    now: Callable[[], float] = time.monotonic,
) -> dict[str, GpuTiming]:
    """Time every call once a round, so that a change of clocks meets all of them alike.

    Args:
        gpu: where.
        calls: by name; each takes a number that grows from call to call, to choose operands by.
        rounds: most rounds; at least three are made.
        seconds: no new round is begun after this long.
        now: the time, for tests.
    """
    numbers: dict[str, itertools.count[int]] = {name: itertools.count() for name in calls}
    holds = dict.fromkeys(calls, HOLD)

    def timed(name: str, count: int) -> Taken:
        def repeated() -> None:
            for _ in range(count):
                calls[name](next(numbers[name]))

        for _ in range(TRIES):
            taken = gpu.take(repeated, holds[name] * count).each(count)
            if taken.queued or not holds[name]:
                return taken
            holds[name] = max(2 * holds[name], 2 * taken.host)
        holds[name] = 0.0
        return gpu.take(repeated, 0.0).each(count)

    for name in calls:  # twice: what is set up in a first call, and what a library tries out
        gpu.take(lambda name=name: [calls[name](next(numbers[name])) for _ in range(2)], 0.0)  # type: ignore[misc]
    repeats = {name: min(MOST_REPEATS, max(1, round(BLOCK / timed(name, 1).device))) for name in calls}
    taken: dict[str, list[Taken]] = {name: [] for name in calls}
    begin = now()
    for done in range(max(rounds, 3)):
        if done >= 3 and now() - begin > seconds:
            break
        for name, count in repeats.items():
            taken[name].append(timed(name, count))
    return {name: _timing(of_call) for name, of_call in taken.items()}


def _timing(taken: list[Taken]) -> GpuTiming:
    device, host = (timing_of([getattr(t, part) for t in taken]) for part in ("device", "host"))
    return GpuTiming(
        device.median, device.lower, device.upper, device.rounds, host, all(t.queued for t in taken)
    )

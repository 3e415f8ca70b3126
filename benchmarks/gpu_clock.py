"""Timing on a GPU: CUDA events, everything in turn, medians and quartiles."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from axsim.engines.gpu.runtime.interface import Runtime
from benchmarks.timing import Timing, torch_or_none

LIMITS = Path(__file__).with_name("gpu_limits.cu")
POISON = 0xA9
BLOCK = 2e-3  # a shorter call is repeated for this long, and the mean taken
MOST_REPEATS = 20
_HELD = 2_000_000  # cycles that the GPU is kept busy while the host asks for what is timed

Call = Callable[[int], object]


class Gpu:
    """A GPU that calls are timed on. Work goes to the default stream, CuPy's and torch's current one.

    Attributes:
        runtime, xp: as engines know it.
        torch: the module, if it is there and has CUDA; else None.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.xp = runtime, runtime.xp
        torch = torch_or_none()
        self.torch: Any = torch if torch and torch.cuda.is_available() else None

    def seconds(self, calls: Callable[[], object]) -> float:
        """How long the GPU takes for what ``calls`` asks of it, all in the queue before it begins."""
        cuda = self.xp.cuda
        start, stop = cuda.Event(), cuda.Event()
        self._spin(_HELD)
        start.record()
        calls()
        stop.record()
        stop.synchronize()
        return float(cuda.get_elapsed_time(start, stop)) / 1e3

    def clock_hz(self) -> float:
        """The multiprocessors' clock just now: cycles that a kernel counted, over the time that it took."""
        cuda = self.xp.cuda
        start, stop = cuda.Event(), cuda.Event()
        start.record()
        counted = self._spin(_HELD)
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
) -> dict[str, Timing]:
    """Time every call once a round, so that a change of clocks meets all of them alike.

    Args:
        gpu: where.
        calls: by name; each takes a number that grows from call to call, to choose operands by.
        rounds: most rounds; at least three are made.
        seconds: no new round is begun after this long.
        now: the time, for tests.
    """
    numbers: dict[str, itertools.count[int]] = {name: itertools.count() for name in calls}

    def timed(name: str, count: int) -> float:
        def repeated() -> None:
            for _ in range(count):
                calls[name](next(numbers[name]))

        return gpu.seconds(repeated) / count

    for name in calls:  # twice: what is set up in a first call, and what a library tries out
        timed(name, 2)
    repeats = {name: min(MOST_REPEATS, max(1, round(BLOCK / timed(name, 1)))) for name in calls}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    begin = now()
    for done in range(max(rounds, 3)):
        if done >= 3 and now() - begin > seconds:
            break
        for name, count in repeats.items():
            taken[name].append(timed(name, count))
    made = {}
    for name, times in taken.items():
        lower, median, upper = statistics.quantiles(times, n=4, method="inclusive")
        made[name] = Timing(median, lower, upper, len(times))
    return made

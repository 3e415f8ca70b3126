"""Measuring the costs that the planner predicts with: every engine on a few shapes, in under two seconds.

Engines take turns, a round of all shapes each, and the median over the rounds counts: a busy moment of the
machine falls on one round. Every engine has an equal share of the time, so that a slow one is measured on
fewer shapes, the smaller ones, instead of taking longer. Compiled engines come first, by themselves: threads
of a BLAS keep processors busy for some time after each of their products.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axsim.engines import NATIVE_IS_BUILT, Sums, select
from axsim.engines.blas_threads import REST, limited_threads
from axsim.engines.costs import BUILT_IN, FEATURES, Seconds, prefer_isa, runnable_isas
from axsim.engines.factored_table import CARRIERS, FactoredTable, known_form
from axsim.engines.fold import FoldedTable, fold
from axsim.engines.geometry import Geometry, geometry
from axsim.engines.planner import FactoredSums, Work, features, obstacle
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.families import resolve
from axsim.multipliers.integer import Multiplier
from axsim.threads import get_num_threads

SECONDS = 1.2  # for all engines together; with what is around them it stays under two

GEMMS = (
    (64, 64, 64),
    (192, 192, 192),
    (320, 320, 320),
    (1024, 288, 64),
    (64, 1024, 64),
    (64, 64, 1024),
    (400, 32, 400),
    (1, 1024, 1024),
    (16, 1024, 512),
    (512, 1024, 4),
)
# N, C, side, O, kernel, groups
CONVOLUTIONS = (
    (1, 16, 32, 16, 3, 1),
    (1, 32, 28, 64, 3, 1),
    (1, 64, 28, 64, 3, 1),
    (1, 64, 14, 32, 3, 4),
    (1, 32, 28, 32, 3, 32),
    (1, 64, 14, 128, 1, 1),
    (1, 128, 7, 128, 3, 1),
    (1, 3, 64, 32, 7, 1),
)
ISA_GEMM = (192, 192, 192)
# Another instruction set than the best must take less than this share of its time: measurements scatter.
ISA_ADVANTAGE = 0.9

_UINT8 = np.dtype(np.uint8)
_MOST_ROUNDS = 15
_PROBE, _PROBES, _BUSY = 384, 7, 1.5
# How much a cost that is twice the usual one counts, beside a prediction that is wrong by all of the time.
_TRUST = 0.1
_LEAST_ROUNDS = 3  # of comparisons of instruction sets

Bytes = NDArray[np.uint8]
Case = tuple[Work, Callable[[Sums, FoldedTable], object]]


def multipliers_to_time() -> tuple[Multiplier, ...]:
    """One exact product and four, whatever was registered under their names since."""
    exact = resolve("exact8")
    assert exact is not None  # it is a family's
    return exact, evoapprox()["mul8u_JQQ"]


class Measured(NamedTuple):
    """Costs of the engines with the number of threads in use, and the instruction set for look-ups."""

    seconds: Seconds
    isa: str


@dataclass
class _Task:
    """One engine on one shape."""

    operation: str
    amounts: tuple[float, ...]
    call: Callable[[], object]
    times: list[float] = field(default_factory=list)


def calibrate(multipliers: tuple[Multiplier, ...]) -> Measured:
    """Seconds for each feature of each engine, with as many threads as ``axsim.get_num_threads()`` says.

    ``multipliers`` are those to time with, which have factors; of different numbers of terms, so that the
    cost of a term shows. torch's products are measured where torch is loaded.
    """
    cases = [*_gemms(), *_convolutions()]
    isa = fastest_isa(multipliers[0], runnable_isas())
    prefer_isa(isa)
    tasks = _tasks(multipliers, cases)
    compiled = {engine: tasks[engine] for engine in tasks if engine.endswith("native")}
    others = {engine: tasks[engine] for engine in tasks if engine not in compiled}
    for group in (compiled, others):
        time.sleep(REST)
        _take_turns(group, SECONDS * len(group) / len(tasks))
    seconds: dict[str, dict[str, tuple[float, ...]]] = {"matmul": {}, "conv2d": {}}
    for operation, engines in seconds.items():
        for engine, all_of_it in tasks.items():
            timed = [t for t in all_of_it if t.times and t.operation == operation]
            if timed:
                rows = [(t.amounts, statistics.median(t.times)) for t in timed]
                engines[engine] = fit(rows, BUILT_IN[operation].get(engine, ()))
    return Measured(seconds, isa)


def is_busy() -> bool:
    """Whether other programs keep processors from the threads in use, so that measuring with them misleads.

    A BLAS thread that waits for its processor holds up all others, up to a scheduler's turn: products then
    take longer on several threads than on one, which they never do on a machine at rest.
    """
    if get_num_threads() == 1:
        return False
    operand = np.ones((_PROBE, _PROBE), np.float32)
    with limited_threads(most=1):
        one = min(_seconds(lambda: operand @ operand) for _ in range(_PROBES))
    with limited_threads():
        several = statistics.median(_seconds(lambda: operand @ operand) for _ in range(_PROBES))
    return several > _BUSY * one


def fastest_isa(multiplier: Multiplier, names: list[str]) -> str:
    """The instruction set of ``names`` that looks up fastest here; "" for the first, which is the best."""
    if len(names) < 2:
        return ""
    m, k, n = ISA_GEMM
    folded = fold(multiplier.table, _UINT8, _UINT8)
    _, gemm = _gemm_case(m, k, n)
    times: dict[str, list[float]] = {name: [] for name in names}
    try:
        for _ in range(_LEAST_ROUNDS):
            for name in names:
                prefer_isa(name)
                gemm(select("native"), folded)
                times[name].append(_seconds(partial(gemm, select("native"), folded)))
    finally:
        prefer_isa("")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    fastest = min(names, key=medians.__getitem__)
    return fastest if medians[fastest] < ISA_ADVANTAGE * medians[names[0]] else ""


def engines(form: FactoredTable | None, work: Work) -> list[tuple[str, Sums, FactoredTable | None]]:
    """The engines that can do that work, by the planner's names; the reference, far slower, left out."""
    found: list[tuple[str, Sums, FactoredTable | None]] = []
    if NATIVE_IS_BUILT:
        found.append(("native", select("native"), None))
    if form is not None:
        usable = [carrier for carrier in CARRIERS if not obstacle(form, carrier, work)]
        found += [(f"factored {carrier}", FactoredSums(form, carrier), form) for carrier in usable]
    return found


def fit(rows: list[tuple[tuple[float, ...], float]], usual: tuple[float, ...] = ()) -> tuple[float, ...]:
    """Costs, none negative, with the least squared relative error of ``features . costs`` for the seconds.

    ``usual``: costs of another machine. What the rows do not tell apart is as there, faster or slower
    throughout: so few measurements, each a little wrong, would not give every cost by themselves.

    >>> rows = [((1, n, n * n), 3 + 2 * n) for n in range(1, 6)]
    >>> [round(cost, 9) for cost in fit(rows)]
    [3.0, 2.0, 0.0]
    >>> [round(cost, 9) for cost in fit([((1, 2), 16.0)] * 3, usual=(1.0, 1.5))]
    [4.0, 6.0]
    """
    seconds = np.array([s for _, s in rows])
    amounts = np.array([f for f, _ in rows], np.float64) / seconds[:, None]
    scale, wanted = 1 / np.maximum(np.abs(amounts).max(axis=0), 1e-300), np.ones(len(rows))
    if usual:
        scale = np.array(usual) / np.median(amounts @ usual)
    relative = amounts * scale
    if usual:
        relative = np.vstack([relative, _TRUST * np.eye(len(usual))])
        wanted = np.append(wanted, np.full(len(usual), _TRUST))
    costs: NDArray[np.float64] = np.zeros(len(scale))
    used = np.ones(len(costs), bool)
    while used.any():
        solution = np.linalg.lstsq(relative[:, used], wanted, rcond=None)[0]
        if solution.min() >= 0:
            costs[used] = solution
            break
        used[np.flatnonzero(used)[solution.argmin()]] = False
    return tuple((costs * scale).tolist())


def _tasks(multipliers: tuple[Multiplier, ...], cases: list[Case]) -> dict[str, list[_Task]]:
    """What to time, by engine; small work first. Look-ups need one table only."""
    found: dict[str, list[_Task]] = {}
    for multiplier in multipliers:
        folded = fold(multiplier.table, _UINT8, _UINT8)
        form = known_form(multiplier.table, folded, _UINT8, _UINT8)
        for work, call in cases:
            for name, engine, table in engines(form, work):
                if name in FEATURES and (table is not None or multiplier is multipliers[0]):
                    amounts = features(name, work, table, get_num_threads())
                    task = _Task(work.operation, amounts, partial(call, engine, folded))
                    found.setdefault(name, []).append(task)
    for tasks in found.values():
        tasks.sort(key=lambda task: task.amounts[1])
    return found


def _take_turns(tasks: dict[str, list[_Task]], seconds: float) -> None:
    """Time every engine's tasks in rounds until its share of the seconds is spent."""
    left = dict.fromkeys(tasks, seconds / max(1, len(tasks)))
    for _ in range(_MOST_ROUNDS):
        for engine, its_tasks in tasks.items():
            if left[engine] <= 0:
                continue
            begin = time.perf_counter()
            its_tasks[0].call()  # threads of the engine before it come to rest
            for task in its_tasks:
                if not task.times:
                    task.call()  # tables are laid out, memory is claimed
                task.times.append(_seconds(task.call))
                if time.perf_counter() - begin > left[engine]:
                    break
            left[engine] -= time.perf_counter() - begin


def _gemms() -> list[Case]:
    return [_gemm_case(*shape) for shape in GEMMS]


def _gemm_case(m: int, k: int, n: int) -> Case:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 256, (m, k), np.uint8), random.integers(0, 256, (k, n), np.uint8)
    return Work.of_gemm(a.shape, b.shape), partial(_gemm, a, b)


def _convolutions() -> list[Case]:
    random = np.random.default_rng(0)
    cases: list[Case] = []
    for images, channels, side, filters, kernel, groups in CONVOLUTIONS:
        x = random.integers(0, 256, (images, channels, side, side), np.uint8)
        w = random.integers(0, 256, (filters, channels // groups, kernel, kernel), np.uint8)
        where = geometry(x_shape=x.shape, w_shape=w.shape, padding=kernel // 2, groups=groups)
        cases.append((Work.of_conv2d(x.shape, w.shape, where), partial(_conv2d, x, w, where)))
    return cases


def _gemm(a: Bytes, b: Bytes, engine: Sums, table: FoldedTable) -> NDArray[Any]:
    return engine.gemm(table, a, b, np.int32)


def _conv2d(x: Bytes, w: Bytes, where: Geometry, engine: Sums, table: FoldedTable) -> NDArray[Any]:
    return engine.conv2d(table, x, w, where, 0, np.int32)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start

"""Measuring the costs that the planner predicts with: every engine on a few shapes, in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import NATIVE_IS_BUILT, Sums, factored, select
from axsim.engines.costs import Seconds
from axsim.engines.factored_table import FactoredTable, known_form
from axsim.engines.fold import FoldedTable, fold
from axsim.engines.geometry import Geometry, geometry
from axsim.engines.planner import FactoredSums, Work, features
from axsim.multipliers.integer import Multiplier
from axsim.threads import get_num_threads, set_num_threads

GEMMS = (
    (64, 64, 64),
    (192, 192, 192),
    (320, 320, 320),
    (1024, 288, 64),
    (64, 1024, 64),
    (64, 64, 1024),
    (400, 32, 400),
    (1, 512, 512),
    (512, 512, 1),
)
# N, C, side, O, kernel, groups
CONVOLUTIONS = (
    (1, 16, 32, 16, 3, 1),
    (1, 32, 28, 64, 3, 1),
    (1, 32, 28, 32, 3, 32),
    (1, 64, 14, 128, 1, 1),
    (1, 128, 7, 128, 3, 1),
)
_UINT8 = np.dtype(np.uint8)
_REPEATS = 2


def calibrate(multipliers: tuple[Multiplier, ...]) -> Seconds:
    """Seconds for each feature of each engine, on one thread.

    ``multipliers`` are those to time with, which have factors; of different numbers of terms, so that the
    cost of a term shows. The thread count of axsim is set to its default afterwards.
    """
    set_num_threads(1)
    try:
        return {"matmul": _measure(multipliers, _gemms()), "conv2d": _measure(multipliers, _convolutions())}
    finally:
        set_num_threads(None)


Bytes = NDArray[np.uint8]
Case = tuple[Work, Callable[[Sums, FoldedTable], object]]


def _gemms() -> list[Case]:
    random = np.random.default_rng(0)
    cases: list[Case] = []
    for m, k, n in GEMMS:
        a, b = random.integers(0, 256, (m, k), np.uint8), random.integers(0, 256, (k, n), np.uint8)
        cases.append((Work.of_gemm(a.shape, b.shape), partial(_gemm, a, b)))
    return cases


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


def _measure(multipliers: tuple[Multiplier, ...], cases: list[Case]) -> dict[str, tuple[float, ...]]:
    rows: dict[str, list[tuple[tuple[float, ...], float]]] = {}
    for multiplier in multipliers:
        folded = fold(multiplier.table, _UINT8, _UINT8)
        form = known_form(multiplier.table, folded, _UINT8, _UINT8)
        for name, engine, table in _engines(form):
            for work, call in cases:
                seconds = _best(partial(call, engine, folded))
                rows.setdefault(name, []).append((features(name, work, table, get_num_threads()), seconds))
    return {name: fit(measured) for name, measured in rows.items()}


def _engines(form: FactoredTable | None) -> list[tuple[str, Sums, FactoredTable | None]]:
    """Those that are worth measuring: the reference is far from any other."""
    engines: list[tuple[str, Sums, FactoredTable | None]] = []
    if NATIVE_IS_BUILT:
        engines.append(("native", select("native"), None))
    if form is not None:
        carriers = [*(["native"] if NATIVE_IS_BUILT else []), "float32", "float64"]
        if find_spec("torch") is not None and factored.int8_is_exact():
            carriers.append("int8")
        engines += [(f"factored {carrier}", FactoredSums(form, carrier), form) for carrier in carriers]
    return engines


def fit(rows: list[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
    """Costs, none negative, with the least squared relative error of ``features . costs`` for the seconds.

    >>> rows = [((1, n, n * n), 3 + 2 * n) for n in range(1, 6)]
    >>> [round(cost, 9) for cost in fit(rows)]
    [3.0, 2.0, 0.0]
    """
    seconds = np.array([s for _, s in rows])
    amounts = np.array([f for f, _ in rows], np.float64) / seconds[:, None]
    scale = np.maximum(np.abs(amounts).max(axis=0), 1e-300)
    costs: NDArray[np.float64] = np.zeros(amounts.shape[1])
    used = np.ones(len(costs), bool)
    while used.any():
        solution = np.linalg.lstsq((amounts / scale)[:, used], np.ones(len(rows)), rcond=None)[0]
        if solution.min() >= 0:
            costs[used] = solution
            break
        used[np.flatnonzero(used)[solution.argmin()]] = False
    return tuple((costs / scale).tolist())


def _best(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)

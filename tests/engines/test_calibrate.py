"""Measuring costs: the fit on made-up times, and one small run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import axsim
from axsim.engines import calibrate, factored
from axsim.engines.costs import FEATURES, runnable_isas


def test_costs_are_found_from_exact_times() -> None:
    random = np.random.default_rng(0)
    costs = np.array([1e-5, 3e-11, 0.0, 2e-9])
    amounts = np.column_stack([np.ones(12), *random.integers(1, 10**7, (3, 12))])
    rows = [(tuple(row), float(row @ costs)) for row in amounts]
    np.testing.assert_allclose(calibrate.fit(rows), costs, rtol=1e-6, atol=1e-16)


def test_costs_are_never_negative() -> None:
    found = calibrate.fit([((1, n), 10.0 - n) for n in range(1, 9)])  # falls as the amount grows
    assert found[1] == 0
    assert found[0] > 0


@pytest.fixture
def small_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "GEMMS", ((8, 8, 8), (20, 9, 4), (40, 30, 20), (3, 50, 60), (64, 64, 9)))
    monkeypatch.setattr(
        calibrate, "CONVOLUTIONS", ((1, 2, 8, 4, 3, 1), (1, 4, 6, 4, 3, 4), (2, 3, 9, 5, 1, 1))
    )
    monkeypatch.setattr(calibrate, "ISA_GEMM", (8, 8, 8))
    monkeypatch.setattr(calibrate, "SECONDS", 0.1)


@pytest.mark.usefixtures("small_cases")
@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_is_measured(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(calibrate, "get_num_threads", lambda: threads)
    monkeypatch.setattr(factored, "int8_is_exact", lambda: False)
    measured, isa = calibrate.calibrate(calibrate.multipliers_to_time())
    assert isa in ("", *runnable_isas())
    assert measured.keys() == {"matmul", "conv2d"}
    for engines in measured.values():
        assert engines.keys() >= {"native", "factored float32", "factored float64"}
        assert "factored int8" not in engines
        for engine, costs in engines.items():
            assert len(costs) == FEATURES[engine]
            assert min(costs) >= 0
            assert max(costs) > 0


def test_a_slow_engine_does_not_take_the_others_time() -> None:
    def tasks(seconds: float) -> list[calibrate._Task]:
        return [
            calibrate._Task("matmul", (1.0, size), lambda size=size: time.sleep(seconds * size))
            for size in (1, 2, 3)
        ]

    slow, quick = tasks(0.05), tasks(0.001)
    begin = time.perf_counter()
    calibrate._take_turns({"slow": slow, "quick": quick}, 0.2)
    assert time.perf_counter() - begin < 0.5
    assert [len(task.times) for task in slow] == [1, 0, 0]
    assert min(len(task.times) for task in quick) >= 3
    assert statistics.median(quick[2].times) >= 0.003


def test_the_time_is_kept_for_many_engines() -> None:
    many = {str(k): [calibrate._Task("matmul", (1.0,), lambda: time.sleep(0.001))] for k in range(10)}
    begin = time.perf_counter()
    calibrate._take_turns(many, 0.1)
    assert 0.05 < time.perf_counter() - begin < 0.3
    assert min(len(tasks[0].times) for tasks in many.values()) >= 2


def test_the_fastest_instruction_set_is_the_one_that_takes_least(monkeypatch: pytest.MonkeyPatch) -> None:
    now = ""

    def prefer(name: str) -> None:
        nonlocal now
        now = name

    took = {"best": 1.0, "near": 0.95, "far": 0.5}
    monkeypatch.setattr(calibrate, "prefer_isa", prefer)
    monkeypatch.setattr(calibrate, "_seconds", lambda call: took[now])
    exact = axsim.get("exact8")
    assert calibrate.fastest_isa(exact, ["best", "near"]) == ""  # within the scatter of measurements
    assert now == ""
    assert calibrate.fastest_isa(exact, ["best", "near", "far"]) == "far"
    assert calibrate.fastest_isa(exact, ["best"]) == ""
    assert calibrate.fastest_isa(exact, []) == ""


@pytest.mark.skipif("avx2" not in runnable_isas(), reason="this processor has no AVX2")
def test_avx2_looks_up_faster_than_portable_kernels() -> None:
    assert calibrate.fastest_isa(axsim.get("exact8"), ["portable", "avx2"]) == "avx2"


def test_a_machine_is_busy_where_more_threads_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int | None] = []

    @contextmanager
    def limited(*, most: int | None = None) -> Iterator[None]:
        limits.append(most)
        yield

    times = {1: 1.0, None: 1.4}
    monkeypatch.setattr(calibrate, "limited_threads", limited)
    monkeypatch.setattr(calibrate, "_seconds", lambda call: times[limits[-1]])
    monkeypatch.setattr(calibrate, "get_num_threads", lambda: 2)
    assert not calibrate.is_busy()
    times[None] = 1.6
    assert calibrate.is_busy()
    assert limits == [1, None] * 2
    monkeypatch.setattr(calibrate, "get_num_threads", lambda: 1)
    assert not calibrate.is_busy()  # nothing to compare

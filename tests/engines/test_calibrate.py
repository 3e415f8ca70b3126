"""Measuring costs: the fit on made-up times, and one small run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import axsim
from axsim.engines import calibrate, factored
from axsim.engines.costs import FEATURES, native_isa, runnable_isas


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


def test_costs_that_measurements_do_not_tell_apart_are_as_usual() -> None:
    random = np.random.default_rng(1)
    usual = (2e-5, 4e-11, 5e-10, 0.0, 3e-10)
    amounts = np.column_stack([np.ones(9), *random.integers(1, 10**7, (4, 9))]) * [1, 1, 1, 1, 1e-3]
    seconds = 3 * amounts @ usual * random.uniform(0.9, 1.1, 9)  # a machine of a third of the speed
    rows = [(tuple(row), float(s)) for row, s in zip(amounts, seconds, strict=True)]
    alone, found = calibrate.fit(rows), calibrate.fit(rows, usual)
    wanted = 3 * np.array(usual)
    np.testing.assert_allclose(found, wanted, rtol=0.15, atol=0)
    assert np.abs(np.array(alone) - wanted)[4] > 10 * np.abs(np.array(found) - wanted)[4]
    # Where measurements do tell, they have the last word.
    there = (1.0, 0.5, 0.25)
    plain = random.uniform(1, 10, (40, 3))
    rows = [(tuple(row), float(row @ there)) for row in plain]
    np.testing.assert_allclose(calibrate.fit(rows, (1.0, 1.0, 0.1)), there, rtol=0.15)


@pytest.fixture
def small_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "GEMMS", ((8, 8, 8), (20, 9, 4), (40, 30, 20), (3, 50, 60), (64, 64, 9)))
    monkeypatch.setattr(
        calibrate, "CONVOLUTIONS", ((1, 2, 8, 4, 3, 1), (1, 4, 6, 4, 3, 4), (2, 3, 9, 5, 1, 1))
    )
    monkeypatch.setattr(calibrate, "ISA_GEMM", (8, 8, 8))
    monkeypatch.setattr(calibrate, "SECONDS", 2.0)  # not spent: rounds are few


@pytest.mark.usefixtures("small_cases")
@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_is_measured(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    monkeypatch.setattr(calibrate, "get_num_threads", lambda: threads)
    monkeypatch.setattr(factored, "int8_is_exact", lambda: False)
    measured, isa = calibrate.calibrate(calibrate.multipliers_to_time())
    assert isa in ("", *runnable_isas())
    assert measured.keys() == {"matmul", "conv2d"}
    for engines in measured.values():
        assert engines.keys() >= {"native", "factored native", "factored float32", "factored float64"}
        assert "factored int8" not in engines
        for engine, costs in engines.items():
            assert len(costs) == FEATURES[engine]
            assert min(costs) >= 0
            assert max(costs) > 0


@pytest.mark.usefixtures("small_cases")
def test_compiled_engines_are_measured_before_those_whose_threads_look_for_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[object] = []
    seconds = 0.0

    def take_turns(tasks: dict[str, list[calibrate._Task]], share: float) -> None:
        nonlocal seconds
        events.append(set(tasks) - {"factored int8"})
        seconds += share

    monkeypatch.setattr(calibrate, "_take_turns", take_turns)
    monkeypatch.setattr(calibrate.time, "sleep", lambda _: events.append("rest"))
    calibrate.calibrate(calibrate.multipliers_to_time())
    compiled, others = {"native", "factored native"}, {"factored float32", "factored float64"}
    assert events == ["rest", compiled, "rest", others]
    assert seconds == pytest.approx(calibrate.SECONDS)


class Clock:
    """Time that passes only where a task takes it."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def task(self, seconds: float) -> calibrate._Task:
        def call() -> None:
            self.now += seconds

        return calibrate._Task("matmul", (1.0, seconds), call)


def test_a_slow_engine_does_not_take_the_others_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "time", clock := Clock())
    slow, quick = [clock.task(0.05 * k) for k in (1, 2, 3)], [clock.task(0.001 * k) for k in (1, 2, 3)]
    calibrate._take_turns({"slow": slow, "quick": quick}, 0.2)
    assert clock.now < 0.3
    assert [len(task.times) for task in slow] == [1, 0, 0]
    assert min(len(task.times) for task in quick) >= 3
    assert [statistics.median(task.times) for task in quick] == pytest.approx([0.001, 0.002, 0.003])


def test_the_time_is_kept_for_many_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "time", clock := Clock())
    many = {str(k): [clock.task(0.001)] for k in range(10)}
    calibrate._take_turns(many, 0.1)
    assert 0.09 < clock.now < 0.15
    assert min(len(tasks[0].times) for tasks in many.values()) >= 2
    calibrate._take_turns(many, 1000)
    assert clock.now < 1  # enough is enough


def test_the_fastest_instruction_set_is_the_one_that_takes_least(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
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


@pytest.mark.skipif(len(runnable_isas()) < 2, reason="one instruction set only")
def test_every_instruction_set_is_timed_with_its_own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    best, *others = runnable_isas()
    monkeypatch.setattr(calibrate, "ISA_GEMM", (8, 8, 8))
    monkeypatch.setattr(
        calibrate, "_seconds", lambda call: {best: 2.0, others[0]: 1.0}.get(native_isa(), 3.0)
    )
    assert calibrate.fastest_isa(axsim.get("exact8"), [best, *others]) == others[0]
    assert native_isa() == best


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

"""Timing: who is called when, what counts, and what is put back afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

import axsim
from axsim.threads import get_num_threads
from benchmarks import timing
from benchmarks.timing import Timing, interleaved, machine, threads_set_to


class Clock:
    """Time that passes only where a call takes it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.order.append("rest")

    def call(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds
            self.order.append(name)

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_calls_take_turns_and_medians_are_theirs(clock: Clock) -> None:
    calls = {"long": clock.call("long", 0.03), "longer": clock.call("longer", 0.04)}
    times = interleaved(calls, rounds=4, seconds=10)
    assert clock.order == ["long", "longer", *["rest", "long", "longer"] * 4]  # the first time untimed
    assert times["longer"].rounds == 4
    assert (times["long"].median, times["longer"].median) == pytest.approx((0.03, 0.04))


def test_short_calls_are_repeated_and_their_mean_counts(clock: Clock) -> None:
    times = interleaved({"short": clock.call("short", 1e-4)}, rounds=3, seconds=10)
    assert clock.order.count("short") == 1 + 3 * (1 + 20)  # to begin with; and once untimed, for 2 ms timed
    assert times["short"].median == pytest.approx(1e-4)


def test_a_short_call_is_timed_once_it_has_settled(clock: Clock) -> None:
    settling = iter([0.0, 0.01, 0.004, 0.01, 0.004, 0.01, 0.004])

    def call() -> None:
        clock.now += next(settling)

    assert interleaved({"x": call}, rounds=3, seconds=10)["x"].median == pytest.approx(0.004)


def test_no_round_is_begun_after_the_time_is_up(clock: Clock) -> None:
    assert interleaved({"x": clock.call("x", 0.1)}, rounds=1000, seconds=0)["x"].rounds == 3
    assert interleaved({"x": clock.call("x", 0.1)}, rounds=1000, seconds=0.95)["x"].rounds == 5  # with rests


def test_a_long_call_is_timed_once(clock: Clock) -> None:
    calls = {"long": clock.call("long", 0.4), "short": clock.call("short", 0.2)}
    times = interleaved(calls, rounds=3, seconds=10, long=0.3)
    assert (times["long"].rounds, times["short"].rounds) == (1, 3)
    assert times["long"] == Timing(*[times["long"].median] * 3, rounds=1)


def test_quartiles_are_those_of_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([1.0, 9.0, 3.0, 2.0, 5.0])
    monkeypatch.setattr(timing, "_settled", lambda call: next(taken))
    assert interleaved({"x": lambda: None}, rounds=5, seconds=99, long=99)["x"] == Timing(3.0, 2.0, 5.0, 5)


def test_thread_counts_are_equal_and_put_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    inside = []

    def fail() -> None:
        with threads_set_to(3):
            inside.append((get_num_threads(), torch.get_num_threads()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [(3, 3)]
    assert get_num_threads() != 3
    assert torch.get_num_threads() == before


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "find_spec", lambda name: None)
    assert timing.torch_or_none() is None
    assert machine()["versions"]["torch"] == "none"
    with threads_set_to(2):
        assert get_num_threads() == 2


def test_the_machine_is_described() -> None:
    facts = json.loads(json.dumps(machine()))
    assert facts["versions"]["axsim"] == axsim.__version__
    assert len(facts["load_average"]) == 3
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert facts["date"].endswith("+00:00")
    assert facts["isa"]
    assert facts["cpu"]

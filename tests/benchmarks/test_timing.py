"""Timing: who is called when, what counts, and what is put back afterwards."""

from __future__ import annotations

import json
import os
import time

import pytest

import axsim
from axsim.threads import get_num_threads
from benchmarks import timing
from benchmarks.timing import Timing, interleaved, machine, threads_set_to


def test_calls_take_turns_and_medians_are_theirs() -> None:
    order: list[str] = []

    def call(name: str, seconds: float) -> None:
        order.append(name)
        time.sleep(seconds)

    times = interleaved(
        {"long": lambda: call("long", 0.021), "longer": lambda: call("longer", 0.04)}, rounds=4, seconds=10
    )
    assert order == ["long", "longer"] * 5  # the first time untimed
    assert times["longer"].rounds == 4
    assert times["long"].lower <= times["long"].median <= times["long"].upper
    assert times["longer"].median >= 0.04 > times["long"].lower >= 0.021


def test_short_calls_are_repeated_and_their_mean_counts() -> None:
    count = 0

    def call() -> None:
        nonlocal count
        count += 1
        time.sleep(1e-4)

    times = interleaved({"short": call}, rounds=3, seconds=10)
    assert 3 * 4 < count < 3 * 40
    assert 1e-4 <= times["short"].median < 1e-3


def test_no_round_is_begun_after_the_time_is_up() -> None:
    assert interleaved({"x": lambda: time.sleep(0.01)}, rounds=1000, seconds=0)["x"].rounds == 3


def test_a_long_call_is_timed_once() -> None:
    calls = {"long": lambda: time.sleep(0.03), "short": lambda: time.sleep(0.001)}
    times = interleaved(calls, rounds=3, seconds=10, long=0.02)
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
    assert "/" not in facts["engine_costs"]

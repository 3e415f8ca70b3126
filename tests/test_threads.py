from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from axsim import threads


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AXSIM_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    threads.set_num_threads(None)
    yield
    threads.set_num_threads(None)


def test_default_is_every_cpu_of_the_process() -> None:
    assert threads.get_num_threads() == len(os.sched_getaffinity(0))


def test_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5, 2")
    assert threads.get_num_threads() == 5
    monkeypatch.setenv("AXSIM_NUM_THREADS", "3")
    assert threads.get_num_threads() == 3
    threads.set_num_threads(7)
    assert threads.get_num_threads() == 7
    threads.set_num_threads(None)
    assert threads.get_num_threads() == 3


@pytest.mark.parametrize("value", ["", "all", "0", "-2"])
def test_meaningless_openmp_variable_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.get_num_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("value", ["two", "0", "-1", "1.5"])
def test_meaningless_variable_of_ours_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AXSIM_NUM_THREADS", value)
    with pytest.raises(ValueError, match="AXSIM_NUM_THREADS"):
        threads.get_num_threads()


@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("2", TypeError)]
)
def test_bad_number_is_refused(n: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        threads.set_num_threads(n)

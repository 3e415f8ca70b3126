from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import axsim
from axsim import threads


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AXSIM_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # another test may have loaded it
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


@pytest.mark.parametrize("value", ["", "all", "0", "-2", "99999999999999999999", "\u0663"])
def test_meaningless_openmp_variable_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.get_num_threads() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "value", ["two", "0", "-1", "1.5", "65537", "99999999999999999999", "9" * 5000, "\u0663"]
)
def test_meaningless_variable_of_ours_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AXSIM_NUM_THREADS", value)
    with pytest.raises(ValueError, match="AXSIM_NUM_THREADS"):
        threads.get_num_threads()


@pytest.mark.parametrize(
    ("n", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (2**16 + 1, ValueError),
        (2**31, ValueError),
        (1.0, TypeError),
        ("2", TypeError),
    ],
)
def test_bad_number_is_refused(n: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^n is .*expected"):
        threads.set_num_threads(n)
    assert threads.get_num_threads() == len(os.sched_getaffinity(0))


def test_a_number_that_python_does_not_spell_is_refused() -> None:
    with pytest.raises(ValueError, match="n is an integer of thousands of digits, expected 1 to 65536"):
        threads.set_num_threads(10**5000)


def test_the_largest_number_computes() -> None:
    threads.set_num_threads(2**16)
    a = np.arange(81, dtype=np.uint8).reshape(9, 9)
    assert np.array_equal(axsim.matmul(a, a), a.astype(int) @ a)


class Torch:
    """What is asked of torch."""

    def __init__(self, count: int) -> None:
        self.count = count

    def get_num_threads(self) -> int:
        return self.count


def test_no_more_threads_than_torch_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setitem(sys.modules, "torch", Torch(3))
    assert threads.get_num_threads() == 3
    monkeypatch.setitem(sys.modules, "torch", Torch(7))
    assert threads.get_num_threads() == 5
    monkeypatch.setitem(sys.modules, "torch", object())  # while it is being imported
    assert threads.get_num_threads() == 5
    monkeypatch.setitem(sys.modules, "torch", Torch(3))
    monkeypatch.setenv("AXSIM_NUM_THREADS", "4")
    assert threads.get_num_threads() == 4
    threads.set_num_threads(6)
    assert threads.get_num_threads() == 6


def test_torchs_own_number() -> None:
    if find_spec("torch") is None:
        pytest.skip("torch is not installed")
    code = "import torch, axsim; torch.set_num_threads(1); print(axsim.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"

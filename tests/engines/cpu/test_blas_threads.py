"""Thread counts of the libraries that multiply matrices."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

import axsim
from axsim.engines.cpu import blas_threads
from axsim.engines.cpu.blas_threads import limited_threads


class Library:
    """Something with a thread count, as threadpoolctl presents one."""

    def __init__(self, count: int | None) -> None:
        self.num_threads = count

    def set_num_threads(self, count: int) -> None:
        self.num_threads = count


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Library]]:
    own = [Library(8), Library(2), Library(None)]
    monkeypatch.setattr(blas_threads, "_libraries", lambda: own)
    axsim.set_num_threads(3)
    yield own
    axsim.set_num_threads(None)


def counts(libraries: list[Library]) -> list[int | None]:
    return [library.num_threads for library in libraries]


def test_counts_are_lowered_and_put_back(libraries: list[Library]) -> None:
    inside: list[int | None] = []

    def fail() -> None:
        with limited_threads():
            inside.extend(counts(libraries))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [3, 2, None]
    assert counts(libraries) == [8, 2, None]


def test_the_last_of_several_threads_puts_the_count_back(libraries: list[Library]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with limited_threads():
            entered.set()
            leave.wait(600)

    thread = threading.Thread(target=other)
    with limited_threads():
        thread.start()
        assert entered.wait(600)
    assert counts(libraries) == [3, 2, None]
    leave.set()
    thread.join()
    assert counts(libraries) == [8, 2, None]


def test_numpys_own_blas_is_found() -> None:
    before = [library["num_threads"] for library in blas_threads.blas_libraries()]
    assert before
    axsim.set_num_threads(1)
    with limited_threads():
        assert {library["num_threads"] for library in blas_threads.blas_libraries()} == {1}
    axsim.set_num_threads(None)
    assert [library["num_threads"] for library in blas_threads.blas_libraries()] == before


def test_a_fork_waits_for_the_products_of_other_threads(libraries: list[Library]) -> None:
    entered, left = threading.Event(), threading.Event()

    def other() -> None:
        with limited_threads():
            entered.set()
            time.sleep(0.2)  # the fork is called meanwhile
            left.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(600)
    child = os.fork()
    if not child:
        with limited_threads():
            inside = counts(libraries)
        right = (inside, counts(libraries)) == ([3, 2, None], [8, 2, None])
        os._exit(0 if right and left.is_set() else 1)
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert counts(libraries) == [8, 2, None]

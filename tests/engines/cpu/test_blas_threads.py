"""Thread counts of the libraries that multiply matrices."""

from __future__ import annotations

import os
import threading
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
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Library]]]:
    own = {"blas": [Library(8), Library(2), Library(None)], "openmp": [Library(16)]}
    monkeypatch.setattr(blas_threads, "_libraries", own.__getitem__)
    axsim.set_num_threads(3)
    yield own
    axsim.set_num_threads(None)


def counts(libraries: list[Library]) -> list[int | None]:
    return [library.num_threads for library in libraries]


def test_counts_are_lowered_and_put_back(libraries: dict[str, list[Library]]) -> None:
    inside = {}

    def fail() -> None:
        with limited_threads(torch=True):
            inside.update({kind: counts(libraries[kind]) for kind in libraries})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == {"blas": [3, 2, None], "openmp": [3]}
    assert counts(libraries["blas"]) == [8, 2, None]
    assert counts(libraries["openmp"]) == [16]


def test_torch_is_left_alone_where_it_takes_no_part(libraries: dict[str, list[Library]]) -> None:
    with limited_threads():
        assert counts(libraries["openmp"]) == [16]


def test_the_last_of_several_threads_puts_the_count_back(libraries: dict[str, list[Library]]) -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with limited_threads():
            entered.set()
            leave.wait(600)

    thread = threading.Thread(target=other)
    with limited_threads():
        thread.start()
        assert entered.wait(600)
    assert counts(libraries["blas"]) == [3, 2, None]
    leave.set()
    thread.join()
    assert counts(libraries["blas"]) == [8, 2, None]


def test_numpys_own_blas_is_found() -> None:
    before = [library["num_threads"] for library in blas_threads.blas_libraries()]
    assert before
    axsim.set_num_threads(1)
    with limited_threads():
        assert {library["num_threads"] for library in blas_threads.blas_libraries()} == {1}
    axsim.set_num_threads(None)
    assert [library["num_threads"] for library in blas_threads.blas_libraries()] == before


def test_another_limit_than_the_thread_count(libraries: dict[str, list[Library]]) -> None:
    with limited_threads(most=1):
        assert counts(libraries["blas"]) == [1, 1, None]
    assert counts(libraries["blas"]) == [8, 2, None]


@pytest.mark.parametrize("locked", [False, True], ids=["inside", "in the lock"])
def test_a_child_does_not_wait_for_threads_that_stayed_with_the_parent(
    libraries: dict[str, list[Library]], locked: bool
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with limited_threads():
            if locked:
                with blas_threads._lock:
                    entered.set()
                    leave.wait(600)
            entered.set()
            leave.wait(600)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(600)
    child = os.fork()
    if not child:
        with limited_threads(most=1):
            inside = counts(libraries["blas"])
        os._exit(0 if (inside, counts(libraries["blas"])) == ([1, 1, None], [8, 2, None]) else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert counts(libraries["blas"]) == [8, 2, None]

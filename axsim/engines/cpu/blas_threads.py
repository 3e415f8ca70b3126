"""The thread count of axsim for NumPy's BLAS, which has one of its own that threadpoolctl reads and sets.

It is only ever lowered, so that a limit that the user gave stays.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axsim.forks import unforked
from axsim.threads import get_num_threads

REST = 0.12  # seconds until a BLAS's threads sleep: OpenBLAS's look for work for 2**28 cycles

_lock = threading.Lock()
_inside = 0
_before: list[tuple[Any, int]] = []


@contextmanager
def limited_threads() -> Iterator[None]:
    """No more than ``axsim.get_num_threads()`` threads for NumPy's BLAS, and no fork by another thread.

    A BLAS has one count for the whole process: of several Python threads in here at once, the first lowers it
    and the last puts it back. A fork waits: OpenBLAS would end the threads that the products wait for.
    """
    global _inside
    with unforked:
        with _lock:
            if not _inside:
                _before[:] = _lower(get_num_threads())
            _inside += 1
        try:
            yield
        finally:
            with _lock:
                _inside -= 1
                if not _inside:
                    _restore(_before)
                    _before.clear()


def blas_libraries() -> list[dict[str, Any]]:
    """What threadpoolctl says about the BLAS libraries in this process."""
    return [library.info() for library in _libraries()]


def _lower(limit: int) -> list[tuple[Any, int]]:
    above = [(library, library.num_threads) for library in _libraries()]
    above = [(library, count) for library, count in above if count is not None and count > limit]
    for library, _ in above:
        library.set_num_threads(limit)
    return above


def _restore(before: list[tuple[Any, int]]) -> None:
    for library, count in before:
        library.set_num_threads(count)


@functools.cache
def _libraries() -> list[Any]:
    with unforked:  # the import system and the loader have locks
        from threadpoolctl import ThreadpoolController

        return list(ThreadpoolController().select(user_api="blas").lib_controllers)

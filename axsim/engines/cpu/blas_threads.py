"""The thread count of axsim for the libraries that multiply matrices for it.

NumPy's BLAS and torch's OpenMP have thread counts of their own, which threadpoolctl reads and sets. They are
only ever lowered, so that a limit that the user gave them stays.
"""

from __future__ import annotations

import functools
import os
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


def _after_fork_in_child() -> None:
    """The threads that were inside stayed with the parent: nobody is inside, and nobody holds the lock.

    What they lowered is put back by the next one to come in: a BLAS has locks of its own.
    """
    global _lock, _inside
    _lock = threading.Lock()
    _inside = 0


os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def limited_threads(*, torch: bool = False, most: int | None = None) -> Iterator[None]:
    """No more than ``axsim.get_num_threads()`` threads for NumPy's BLAS, and with ``torch`` for torch.

    ``most``: another limit than that one.

    A BLAS has one count for the whole process: of several Python threads in here at once, the first lowers it
    and the last puts it back. OpenMP has one for each Python thread.
    """
    global _inside
    limit = get_num_threads() if most is None else most
    own = _lower("openmp", limit) if torch else []
    with _lock:
        if not _inside:
            _restore(_before)  # what a fork left
            _before[:] = _lower("blas", limit)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _restore(_before)
                _before.clear()
        _restore(own)


def blas_libraries() -> list[dict[str, Any]]:
    """What threadpoolctl says about the BLAS libraries in this process."""
    return [library.info() for library in _libraries("blas")]


def _lower(kind: str, limit: int) -> list[tuple[Any, int]]:
    above = [(library, library.num_threads) for library in _libraries(kind)]
    above = [(library, count) for library, count in above if count is not None and count > limit]
    for library, _ in above:
        library.set_num_threads(limit)
    return above


def _restore(before: list[tuple[Any, int]]) -> None:
    for library, count in before:
        library.set_num_threads(count)


@functools.cache  # "openmp" is asked for once torch is loaded
def _libraries(kind: str) -> list[Any]:
    with unforked:  # the import system and the loader have locks
        from threadpoolctl import ThreadpoolController

        return list(ThreadpoolController().select(user_api=kind).lib_controllers)

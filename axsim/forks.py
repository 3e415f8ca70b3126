"""Forks and other threads: what a child must not inherit half done.

A forked child has only the thread that forked. A lock that another thread held stays held in it for ever,
those of Python's import system among them. So axsim computes without locks (``axsim.once``), loads what it
needs with the package, and holds forks off while it does what cannot do without: ``with unforked:``. That is
short but for products by a BLAS, which waits for its own threads when the process forks.
"""

from __future__ import annotations

import os
import threading


class _Unforked:
    """Any number of threads may be inside at once; a fork waits for all but its own thread to leave.

    Who wants in waits for a fork that waits: else threads that come and go would hold it off for ever.
    """

    def __init__(self) -> None:
        self._mine = threading.local()
        self._begin()

    def _begin(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._forks = 0

    def __enter__(self) -> None:
        if not self._depth:
            with self._changed:
                while self._forks:
                    self._changed.wait()
                self._inside += 1
        self._mine.depth = self._depth + 1

    def __exit__(self, *_: object) -> None:
        self._mine.depth = self._depth - 1
        if not self._depth:
            self._leave()

    @property
    def _depth(self) -> int:
        depth: int = getattr(self._mine, "depth", 0)
        return depth

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._inside -= bool(self._depth)  # what is inside and forks keeps no fork waiting
            self._changed.notify_all()
            while self._inside:
                self._changed.wait()

    def after_in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._inside += bool(self._depth)
            self._changed.notify_all()

    def after_in_child(self) -> None:
        self._begin()
        self._inside += bool(self._depth)


unforked = _Unforked()
"""While a thread is inside, no other thread forks: ``os.fork`` waits."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=unforked.before_fork,
        after_in_parent=unforked.after_in_parent,
        after_in_child=unforked.after_in_child,
    )

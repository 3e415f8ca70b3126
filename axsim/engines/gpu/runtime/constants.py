"""Arrays on a GPU that are made once, for an owner: when they are made, kept and freed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, finalize

from axsim.engines.gpu.runtime.interface import Host


class Constants:
    """The constants of one GPU.

    An array lives as long as its owner, and longer in two cases. What a call saw that was captured into a
    CUDA graph is kept for good: every replay reads it, and which graphs live cannot be seen here. And when an
    owner dies, any stream may still have to read its arrays, while the allocator would give their memory to
    whoever asks next on the stream that they were made on: they are let go when the next constant is made,
    which waits for the GPU anyway, after all streams are through with what they were given.

    Args:
        place: makes an array on the GPU, to be read on every stream; raises where that cannot be now.
        capturing: whether the current stream records a graph.
        wait: for all streams of the GPU.
    """

    def __init__(
        self, place: Callable[[Host], Any], capturing: Callable[[], bool], wait: Callable[[], object]
    ) -> None:
        self._place, self._capturing, self._wait = place, capturing, wait
        self._of_owner: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()
        self._of_dead_owners: list[dict[Hashable, Any]] = []
        self._captured: dict[int, Any] = {}
        self._freeing = Lock()

    def get(self, host: Host, owner: object, key: Hashable) -> Any:
        """The array for an owner and key, made of ``host`` if need be."""
        of_owner = self._of_owner.get(owner)
        if of_owner is None:
            of_owner = self._of_owner[owner] = {}
            finalize(owner, self._of_dead_owners.append, of_owner).atexit = False
        if key not in of_owner:
            made = self._place(host)
            self._let_go()
            of_owner[key] = made
        found = of_owner[key]
        if self._capturing():
            self._captured[id(found)] = found
        return found

    def _let_go(self) -> None:
        with self._freeing:
            if count := len(self._of_dead_owners):
                self._wait()
                del self._of_dead_owners[:count]

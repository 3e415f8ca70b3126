"""What is made once, without locks."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from axsim.once import Kept, cached_property, once


class Slow:
    """Its property is being computed from ``started`` on, until ``go``."""

    def __init__(self) -> None:
        self.started, self.go, self.count = threading.Event(), threading.Event(), 0

    @cached_property
    def value(self) -> object:
        """A new thing."""
        self.count += 1
        self.started.set()
        if self.count == 1:
            self.go.wait(300)
        return object()


def test_a_property_is_computed_once() -> None:
    slow = Slow()
    slow.go.set()
    assert slow.value is slow.value
    assert slow.count == 1
    assert Slow.value.__doc__ == "A new thing."


def test_nobody_waits_for_a_thread_that_computes() -> None:
    """With a lock, this thread would wait for the other one, and a forked child for ever."""
    slow = Slow()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: slow.value)
        assert slow.started.wait(300)
        mine = slow.value
        child = os.fork()
        if not child:
            os._exit(0 if slow.value is mine else 1)
        assert os.waitpid(child, 0)[1] == 0
        slow.go.set()
        assert other.result() is mine  # what was kept, not what it made


def test_once_gives_all_threads_the_same() -> None:
    barrier = threading.Barrier(4)

    @once
    def made() -> object:
        barrier.wait(300)
        return object()

    with ThreadPoolExecutor(4) as pool:
        assert len({id(thing) for thing in pool.map(lambda _: made(), range(4))}) == 1
    assert made() is made()


def test_kept_things_are_the_last_ones() -> None:
    kept: Kept[str] = Kept(2)
    for key in "abc":
        kept.get(key, key.upper)
    assert [kept.get(key, lambda: "new") for key in "cba"] == ["C", "B", "new"]
    nothing: Kept[None] = Kept(2)
    assert nothing.get(1, lambda: None) is None

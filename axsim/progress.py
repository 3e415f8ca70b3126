"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield ``items`` and show on standard error how many of ``total`` are done.

    On a terminal that is one moving bar; elsewhere (a log, a pipe) it is a line at every tenth of the way.

    >>> list(track("ab", "letters", 2))
    ['a', 'b']
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as bar

        yield from bar(items, description, total=total, console=Console(stderr=True))
        return
    shown = 0
    for done, item in enumerate(items, start=1):
        yield item
        if done * 10 // max(total, 1) > shown or done == total:
            shown = done * 10 // max(total, 1)
            print(f"{description}: {done}/{total}", file=sys.stderr, flush=True)

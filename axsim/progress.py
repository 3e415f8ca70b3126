"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_SHORT = 10.0  # seconds: shorter work needs no word of the time left
_SILENT = 60.0  # seconds after which a line comes before the next tenth


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yield ``items`` and show on standard error how many of ``total`` are done.

    On a terminal that is one moving bar; elsewhere (a log, a pipe) it is a line at every tenth of the way,
    and after a minute without one. Both say how much time is left, as far as what is done tells.

    >>> list(track("ab", "letters", 2))
    ['a', 'b']
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as bar

        yield from bar(items, description, total=total, console=Console(stderr=True))
        return
    start = last = time.monotonic()
    shown = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done * 10 // max(total, 1) > shown or done == total or now - last > _SILENT:
            shown, last = done * 10 // max(total, 1), now
            left = (now - start) / done * (total - done)
            more = f", about {spell(left)} left" if now - start > _SHORT and done < total else ""
            print(f"{description}: {done}/{total}{more}", file=sys.stderr, flush=True)


def spell(seconds: float) -> str:
    """A duration in words, for readers.

    >>> spell(7.4), spell(100), spell(12_000), spell(200_000)
    ('7 s', '1 min 40 s', '3 h 20 min', '2 d 7 h')
    """
    parts, rest = [], round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"

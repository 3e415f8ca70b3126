"""What an interception met: the calls, and what became of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Met:
    """Calls of one function at one place, with operands of the same shapes.

    Attributes:
        name: where: the module's name, the function, and its number among the module's calls of it.
        function: as torch calls it.
        shapes: of the tensors that it was called with.
        macs: products that were made and added up, in all calls; 0 where they were left to torch.
        calls: how many.
        multiplier: the multiplier's name; None where they were left to torch.
        why: why they were left; empty where they were not.
    """

    name: str
    function: str
    shapes: Shapes
    macs: int
    calls: int
    multiplier: str | None
    why: str


class Record:
    """Calls as they come, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: dict[tuple[str, Shapes, str], Met] = {}

    def add(self, met: Met) -> None:
        """A call beside those that are alike."""
        with self._lock:
            key = met.name, met.shapes, met.why
            old = self._met.get(key)
            if old is not None:
                met = replace(met, macs=old.macs + met.macs, calls=old.calls + met.calls)
            self._met[key] = met

    @property
    def calls(self) -> tuple[Met, ...]:
        """In the order in which they came first."""
        with self._lock:
            return tuple(self._met.values())

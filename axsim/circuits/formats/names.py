"""What the names of circuits say: ``mul8u_1JFF`` multiplies unsigned integers of 8 bits."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"(?:[a-z]+_)??(mult?|add|sub)_?(\d+)(?:x(\d+))?(se|ue|s|u)?(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Named:
    """What a name says; None where it says nothing.

    Attributes:
        widths: of the operands A and B.
        signed: whether operands are two's complement.
        adds: whether it is an adder or a subtractor.
    """

    widths: tuple[int, int] | None = None
    signed: bool | None = None
    adds: bool = False

    def out_bits(self, widths: tuple[int, int]) -> int:
        """The usual width of the result for operands of ``widths`` bits."""
        return max(widths) + 1 if self.adds else sum(widths)


def named(name: str) -> Named | None:
    """What a circuit's name says in EvoApproxLib's way, or None for another name.

    >>> named("mul8x4u_0AB")
    Named(widths=(8, 4), signed=False, adds=False)
    >>> named("add12se_5Z8").out_bits((12, 12))
    13
    """
    found = _NAME.match(name)
    if found is None:
        return None
    first = int(found[2])
    widths = (first, int(found[3] or first))
    if not all(1 <= width <= 64 for width in widths):
        return None
    sign = (found[4] or "").lower()
    return Named(widths, sign.startswith("s") if sign else None, not found[1].lower().startswith("mul"))

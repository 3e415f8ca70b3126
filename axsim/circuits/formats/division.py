"""Division of numbers by gates, whatever makes these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Gates(Protocol):
    """Makes nets of nets, numbered, of which 0 and 1 are the constants; those of constants cost nothing."""

    def not_(self, x: int) -> int:
        """NOT x."""

    def and_(self, x: int, y: int) -> int:
        """Return x AND y."""

    def or_(self, x: int, y: int) -> int:
        """Return x OR y."""

    def xor(self, x: int, y: int) -> int:
        """Return x XOR y."""


def divide(gates: Gates, x: Sequence[int], y: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return quotient and remainder of unsigned numbers, as wide as x and y: anything where y is 0.

    Restoring division: y is taken from what is left of x as far as it goes, a bit of the quotient a row. Bits
    that are 0 at the top cost nothing, and a power of two costs no gate.

    >>> from axsim.circuits import Builder
    >>> builder = Builder("by3")
    >>> quotient, remainder = divide(builder, builder.input("a", 4), [1, 1, 0, 0])
    >>> builder.output("q", quotient)
    >>> builder.build().simulate(a=[0, 7, 15])["q"].tolist()
    [0, 2, 5]
    """
    wide = _significant(y)
    quotient = [0] * len(x)
    rest: list[int] = []
    for place in reversed(range(_significant(x))):
        rest = [x[place], *rest]
        low = [*y[: len(rest)], *[0] * (len(rest) - len(y))]
        difference, fits = _difference(gates, rest, low)
        for bit in y[len(rest) : wide]:
            fits = gates.and_(fits, gates.not_(bit))
        rest = [_mux(gates, fits, at_1, at_0) for at_1, at_0 in zip(difference, rest, strict=True)][:wide]
        quotient[place] = fits
    return quotient, rest + [0] * (len(y) - len(rest))


def negated(gates: Gates, bits: Sequence[int], negative: int) -> list[int]:
    """Return the number where ``negative`` is 0, and its two's complement where it is 1, as wide as it is."""
    carry, result = negative, []
    for bit in bits:
        inverted = gates.xor(bit, negative)
        result.append(gates.xor(inverted, carry))
        carry = gates.and_(inverted, carry)
    return result


def _significant(bits: Sequence[int]) -> int:
    """How many bits there are below the zeros at the top."""
    return next((k + 1 for k in reversed(range(len(bits))) if bits[k] != 0), 0)


def _difference(gates: Gates, x: Sequence[int], y: Sequence[int]) -> tuple[list[int], int]:
    """x - y, and whether it is not negative."""
    bits, carry = [], 1
    for a, b in zip(x, y, strict=True):
        if b == 0 and carry == 1:
            bits.append(a)
            continue
        inverted = gates.not_(b)
        differs = gates.xor(a, inverted)
        bits.append(gates.xor(differs, carry))
        carry = gates.or_(gates.and_(a, inverted), gates.and_(differs, carry))
    return bits, carry


def _mux(gates: Gates, select: int, at_1: int, at_0: int) -> int:
    if select <= 1 or at_1 == at_0:
        return at_1 if select else at_0
    return gates.or_(gates.and_(select, at_1), gates.and_(gates.not_(select), at_0))

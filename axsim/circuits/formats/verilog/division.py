"""Division of vectors, as gates."""

from __future__ import annotations

from axsim.circuits.formats.verilog.graph import Bits, Graph, add


def divide(graph: Graph, x: Bits, y: Bits, signed: bool, pos: int) -> tuple[Bits, Bits]:
    """Return quotient and remainder of numbers of one width, rounded towards 0: both are x where y is 0.

    The remainder has the sign of x, as in the language. Restoring division, a bit of the quotient a row.
    """
    zero = graph.not_(graph.tree(14, y, 0))
    if not signed:
        quotient, remainder = _unsigned(graph, x, y)
    else:
        quotient, remainder = _unsigned(graph, _negated(graph, x, x[-1]), _negated(graph, y, y[-1]))
        quotient = _negated(graph, quotient, graph.xor(x[-1], y[-1]))
        remainder = _negated(graph, remainder, x[-1])
    if zero == 0:
        return quotient, remainder
    reason = graph.reason("a division by 0 gives x", pos)
    return tuple([graph.unless(zero, bit, reason) for bit in bits] for bits in (quotient, remainder))  # type: ignore[return-value]


def _unsigned(graph: Graph, x: Bits, y: Bits) -> tuple[Bits, Bits]:
    wide = _significant(y)
    quotient: Bits = [0] * len(x)
    rest: Bits = []
    for place in reversed(range(_significant(x))):
        rest = [x[place], *rest]
        low = y[: len(rest)] + [0] * (len(rest) - len(y))
        difference, fits = _difference(graph, rest, low)
        fits = graph.and_(fits, graph.not_(graph.tree(14, y[len(rest) : wide], 0)))
        rest = [graph.mux(fits, at_1, at_0) for at_1, at_0 in zip(difference, rest, strict=True)][:wide]
        quotient[place] = fits
    return quotient, rest + [0] * (len(x) - len(rest))


def _significant(bits: Bits) -> int:
    """How many bits there are below the zeros at the top."""
    return next((k + 1 for k in reversed(range(len(bits))) if bits[k] != 0), 0)


def _difference(graph: Graph, x: Bits, y: Bits) -> tuple[Bits, int]:
    """x - y, and whether it is not negative."""
    bits, carry = [], 1
    for a, b in zip(x, y, strict=True):
        if b == 0 and carry == 1:
            bits.append(a)
            continue
        inverted = graph.not_(b)
        differs = graph.xor(a, inverted)
        bits.append(graph.xor(differs, carry))
        carry = graph.or_(graph.and_(a, inverted), graph.and_(differs, carry))
    return bits, carry


def _negated(graph: Graph, bits: Bits, negative: int) -> Bits:
    """The number, or its complement where ``negative`` is 1."""
    if negative == 0:
        return bits
    return add(graph, [graph.xor(bit, negative) for bit in bits], [0] * len(bits), negative)

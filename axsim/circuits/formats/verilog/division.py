"""Division as Verilog has it: rounded towards 0, and x where the divisor is 0."""

from __future__ import annotations

from axsim.circuits.formats import division
from axsim.circuits.formats.division import negated
from axsim.circuits.formats.verilog.graph import Bits, Graph


def divide(graph: Graph, x: Bits, y: Bits, signed: bool, pos: int) -> tuple[Bits, Bits]:
    """Return quotient and remainder of numbers of one width; the remainder has the sign of x."""
    if not signed:
        quotient, remainder = division.divide(graph, x, y)
    else:
        quotient, remainder = division.divide(graph, negated(graph, x, x[-1]), negated(graph, y, y[-1]))
        quotient = negated(graph, quotient, graph.xor(x[-1], y[-1]))
        remainder = negated(graph, remainder, x[-1])
    zero = graph.not_(graph.tree(14, y, 0))
    if zero == 0:
        return quotient, remainder
    reason = graph.reason("a division by 0 gives x", pos)
    return (
        [graph.unless(zero, bit, reason) for bit in quotient],
        [graph.unless(zero, bit, reason) for bit in remainder],
    )

"""Operators on vectors of one width; those of constants cost nothing."""

from __future__ import annotations

from axsim.circuits.formats.verilog.division import divide
from axsim.circuits.formats.verilog.graph import Bits, Graph, add, multiply, shift, subtract
from axsim.circuits.formats.verilog.scope import Shared, constant_bits, constant_value
from axsim.circuits.formats.verilog.tree import MeaningError

_BITWISE = {"&": 8, "|": 14, "^": 6, "~^": 9, "^~": 9}


def arithmetic(shared: Shared, operator: str, x: Bits, y: Bits, signed: bool, pos: int) -> Bits:
    """x operator y for bits of one width."""
    graph = shared.graph
    if operator in _BITWISE:
        op = _BITWISE[operator]
        return [graph.gate(op, a, b) for a, b in zip(x, y, strict=True)]
    unknown = graph.first_unknown(x, y)
    if unknown is not None:
        return [unknown] * len(x)
    left, right = constant_value(x, signed), constant_value(y, signed)
    if left is not None and right is not None:
        return constant_bits(_integers(operator, left, right, pos), len(x))
    shared.charge(len(x) if operator in "+-" else len(x) ** 2 // 4, pos)
    if operator == "+":
        return add(graph, x, y)
    if operator == "-":
        return subtract(graph, x, y)
    if operator == "*":
        return multiply(graph, x, y)
    return divide(graph, x, y, signed, pos)[operator == "%"]


def negated(graph: Graph, bits: Bits) -> Bits:
    """0 - x."""
    unknown = graph.first_unknown(bits)
    if unknown is not None:
        return [unknown] * len(bits)
    return subtract(graph, [0] * len(bits), bits)


def shifted(graph: Graph, operator: str, bits: Bits, amount: Bits, signed: bool) -> Bits:
    """Bits shifted by << or >>, or by <<< or >>>, which brings the sign in."""
    unknown = graph.first_unknown(amount)
    if unknown is not None:
        return [unknown] * len(bits)
    fill = bits[-1] if operator == ">>>" and signed else 0
    return shift(graph, bits, amount, operator in ("<<", "<<<"), fill)


def _integers(operator: str, x: int, y: int, pos: int) -> int:
    if operator in "/%":
        if y == 0:
            raise MeaningError("division by 0", pos)
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        return quotient if operator == "/" else x - quotient * y
    return {"+": x + y, "-": x - y, "*": x * y}[operator]

"""Declarations to signals and constants."""

from __future__ import annotations

from axsim.circuits.formats.verilog.ast import Declaration, Declarator, Parameters, Range, ValueType
from axsim.circuits.formats.verilog.expressions import Evaluator
from axsim.circuits.formats.verilog.graph import Bits
from axsim.circuits.formats.verilog.literals import MAX_WIDTH
from axsim.circuits.formats.verilog.scope import Constant, Scope, Signal, constant_bits, constant_value
from axsim.circuits.formats.verilog.tree import MeaningError

_MAX_INDEX = 1 << 31
VARIABLES = frozenset(("reg", "logic", "integer", "int"))
"""Kinds that procedures assign."""


def bounds(evaluator: Evaluator, range: Range) -> tuple[int, int]:
    """Left and right of a range; ``[n]`` is ``[0:n-1]``."""
    left = evaluator.constant(range.left)
    if range.right is None:
        left, right = 0, left - 1
        if right < 0:
            raise MeaningError("a dimension of no elements", range.pos)
    else:
        right = evaluator.constant(range.right)
    if max(abs(left), abs(right)) >= _MAX_INDEX or abs(left - right) >= MAX_WIDTH:
        raise MeaningError(f"the range [{left}:{right}] has more than {MAX_WIDTH:,} elements", range.pos)
    return left, right


def type_width(evaluator: Evaluator, declared: ValueType) -> int:
    """Bits of a type."""
    width = 32 if declared.integer else 1
    for range in declared.ranges:
        left, right = bounds(evaluator, range)
        width *= abs(left - right) + 1
        if width > MAX_WIDTH:
            raise MeaningError(f"{width:,} bits; {MAX_WIDTH:,} are the limit", range.pos)
    return width


def make_signal(
    evaluator: Evaluator,
    declaration: Declaration,
    declarator: Declarator,
    scope: Scope,
    bits: Bits | None = None,
) -> Signal:
    """Return the signal of a declaration, with new nets or with the bits given."""
    unpacked = [bounds(evaluator, dimension) for dimension in declarator.dimensions]
    packed = [bounds(evaluator, range) for range in declaration.type.ranges]
    if declaration.type.integer:
        packed = [(31, 0)]
    ranges = (*unpacked, *packed)
    width = 1
    for left, right in ranges:
        width *= abs(left - right) + 1
        if width > MAX_WIDTH:
            raise MeaningError(f"{width:,} bits; {MAX_WIDTH:,} are the limit", declarator.pos)
    evaluator.shared.charge(width // 16, declarator.pos)
    path = f"{scope.path}{declarator.name}"
    signal = Signal(
        *(path, declarator.pos, declaration.type.signed, ranges, len(unpacked), []),
        variable=declaration.kind in VARIABLES,
        integer=declaration.type.integer,
        direction=declaration.direction,
    )
    if bits is not None:
        signal.bits = bits * width if len(bits) == 1 else bits
    else:
        signal.bits = evaluator.graph.net_bits(width, declarator.pos, lambda k: bit_name(signal, k))
    return signal


def bit_name(signal: Signal, k: int) -> str:
    """What messages call the k-th bit of a signal.

    >>> bit_name(Signal("u1.x", 0, False, ((8, 1),), 0, list(range(8)), False), 0)
    'u1.x[1]'
    """
    name, rest = signal.path, signal.width
    for left, right in signal.ranges:
        rest //= abs(left - right) + 1
        offset = k // rest
        name += f"[{right + offset if left >= right else right - offset}]"
        k %= rest
    return name


def declare_parameters(
    evaluator: Evaluator, parameters: Parameters, overrides: dict[str, tuple[Bits, bool]]
) -> None:
    """Declare constants: their values as written, or as the instance gives them."""
    scope = evaluator.scope
    declared = parameters.type
    for name, value, pos in parameters.values:
        width, signed = evaluator.type_of(value)
        bits = evaluator.evaluate(value, width, signed)
        if not parameters.local and name in overrides:
            bits, signed = overrides[name]
        if constant_value(bits, signed) is None:
            raise MeaningError(f"parameter {name!r} must be a constant", pos)
        if declared.given:
            width = type_width(evaluator, declared) if declared.ranges or declared.integer else len(bits)
            number = constant_value(bits, signed)
            assert number is not None
            bits, signed = constant_bits(number, width), declared.signed
        scope.declare(name, Constant(bits, signed, parameters.local), pos)

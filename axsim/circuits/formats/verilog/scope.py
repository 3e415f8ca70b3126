"""Names and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.verilog.ast import Function, Name
from axsim.circuits.formats.verilog.graph import Bits, Graph
from axsim.circuits.formats.verilog.tree import MeaningError

MAX_WORK = 1_000_000
"""Most work that a text may ask for: a statement counts 4, and vectors by their width."""
MAX_DEPTH = 60
"""Most functions or instances that lie in each other."""


@dataclass(eq=False, slots=True)
class Signal:
    """A net or variable.

    Attributes:
        path: what messages call it.
        ranges: its dimensions (left, right), outermost first; the last is that of its bits.
        unpacked: how many of them are an array's, which cannot be used as a whole.
        bits: its nets; element by element, least significant first.
        variable: whether always blocks and functions assign it.
        integer: whether it is an ``integer``.
    """

    path: str
    pos: int
    signed: bool
    ranges: tuple[tuple[int, int], ...]
    unpacked: int
    bits: Bits
    variable: bool
    integer: bool = False
    direction: str | None = None

    @property
    def width(self) -> int:
        """All its bits."""
        return len(self.bits)


@dataclass(slots=True)
class Constant:
    """A parameter, a localparam or a genvar."""

    bits: Bits
    signed: bool
    local: bool = False


@dataclass(slots=True)
class FunctionSymbol:
    """A function and where it was declared."""

    function: Function
    scope: Scope


Symbol: TypeAlias = Signal | Constant | FunctionSymbol


@dataclass(eq=False, slots=True)
class Scope:
    """Names of a module's instance, a generate block, a function or a sequence."""

    path: str
    parent: Scope | None = None
    names: dict[str, Symbol] = field(default_factory=dict)
    implicit_nets: bool = True

    def find(self, name: str) -> Symbol | None:
        """What a name stands for here, or further out."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def get(self, name: Name) -> Signal | Constant:
        """The signal or constant of a name; MeaningError if there is none."""
        symbol = self.find(name.name)
        if symbol is None:
            raise MeaningError(f"{shorten(name.name)!r} is not declared", name.pos)
        if isinstance(symbol, FunctionSymbol):
            raise MeaningError(f"{name.name!r} is a function; it is called with its arguments", name.pos)
        return symbol

    def declare(self, name: str, symbol: Symbol, pos: int) -> None:
        """Enter a name; MeaningError if it is there."""
        if name in self.names:
            raise MeaningError(f"{shorten(name)!r} is declared already", pos)
        self.names[name] = symbol


class Shared:
    """What one circuit's reading has in common: the graph, and a count of the work."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._work = MAX_WORK

    def charge(self, amount: int, pos: int) -> None:
        """Count work; MeaningError when there is too much."""
        self._work -= amount
        if self._work < 0:
            raise MeaningError(f"the text asks for more than {MAX_WORK:,} steps", pos)


def constant_bits(value: int, width: int) -> Bits:
    """The bits of a number, modulo 2**width.

    >>> constant_bits(-2, 4)
    [0, 1, 1, 1]
    """
    return [value >> k & 1 for k in range(width)] if width <= 64 else _long_bits(value, width)


def _long_bits(value: int, width: int) -> Bits:
    return [int(bit) for bit in reversed(f"{value & ((1 << width) - 1):0{width}b}")]


def constant_value(bits: Bits, signed: bool) -> int | None:
    """The number that constant bits spell; None if not all are constant.

    >>> constant_value([0, 1, 1, 1], signed=True)
    -2
    """
    if not bits or max(bits) > 1:
        return None
    value = int("".join(map(str, reversed(bits))), 2)
    return value - (1 << len(bits)) if signed and bits[-1] else value

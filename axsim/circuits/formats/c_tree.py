"""What a C text is made of, as circuit files use the language: integers, arrays, functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class CType(NamedTuple):
    """An integer type: its width in bits, whether it is signed, and whether it is ``bool``."""

    bits: int
    signed: bool
    boolean: bool = False


INT = CType(32, True)
BOOL = CType(8, False, True)
VOID = CType(0, False)


@dataclass(slots=True)
class Number:
    value: int
    type: CType
    at: int


@dataclass(slots=True)
class Name:
    """A variable, or an element of an array: ``name[indices[0]][indices[1]]``."""

    name: str
    indices: list[Expression]
    at: int


@dataclass(slots=True)
class Unary:
    op: str
    operand: Expression
    at: int


@dataclass(slots=True)
class Chain:
    """Operators that associate to the left: ((first op1 x1) op2 x2) ..., as long as they go."""

    first: Expression
    rest: list[tuple[str, Expression, int]]


@dataclass(slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(slots=True)
class Assign:
    """``target op= value``; op is empty for a plain assignment. ``after``: the value is that from before."""

    target: Name
    op: str
    value: Expression
    at: int
    after: bool = False


@dataclass(slots=True)
class Call:
    name: str
    arguments: list[Expression]
    at: int


@dataclass(slots=True)
class Cast:
    type: CType
    operand: Expression


Expression = Number | Name | Unary | Chain | Conditional | Assign | Call | Cast


@dataclass(slots=True)
class Initializer:
    """What stands between the braces of an array's initial values, flat."""

    values: list[Expression | Initializer]
    at: int


@dataclass(slots=True)
class Declare:
    name: str
    type: CType
    sizes: list[Expression | None]
    initial: Expression | Initializer | None
    at: int


@dataclass(slots=True)
class Evaluate:
    expression: Expression


@dataclass(slots=True)
class If:
    """``if ... else if ... else``: a chain of any length is one statement."""

    branches: list[tuple[Expression, Statement]]
    otherwise: Statement | None


@dataclass(slots=True)
class Loop:
    """``for``, ``while`` and ``do``: ``tested_first`` is False for the last."""

    start: list[Statement]
    condition: Expression | None
    step: list[Statement]
    body: Statement
    tested_first: bool
    at: int


@dataclass(slots=True)
class Leave:
    """``return``, ``break`` or ``continue``."""

    how: str
    value: Expression | None
    at: int


@dataclass(slots=True)
class Block:
    body: list[Statement]


Statement = Declare | Evaluate | If | Loop | Leave | Block


@dataclass(slots=True)
class Parameter:
    """A parameter; ``declared`` is its type as it is written."""

    name: str
    type: CType
    declared: str
    is_array: bool
    at: int


@dataclass(slots=True)
class Function:
    """A function: its body is parsed when it is wanted, so that a ``main`` that prints does no harm."""

    name: str
    type: CType
    parameters: list[Parameter]
    start: int  # number of the token after the body's {
    end: int
    at: int


@dataclass(slots=True)
class Unit:
    """A whole text: its functions in order, and its global declarations."""

    functions: dict[str, Function]
    globals: list[Declare]

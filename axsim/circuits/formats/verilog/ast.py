"""What Verilog text says: the syntax tree. Positions are numbers that :class:`Sources` understands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Number:
    """A literal. ``width`` None: unsized, 32 bits or more; ``unknown``, ``high_z``: masks of x and z bits.

    ``fill``: one of ``'0`` and ``'1``, which fills whatever width is needed.
    """

    pos: int
    value: int
    width: int | None
    signed: bool
    unknown: int = 0
    high_z: int = 0
    fill: bool = False


@dataclass(slots=True)
class Select:
    """``[left]``, ``[left:right]``, ``[left+:right]``, ``[left-:right]``; ``kind`` is empty or the sign."""

    pos: int
    kind: str
    left: Expression
    right: Expression | None


@dataclass(slots=True)
class Name:
    """A net, variable or parameter, or part of one."""

    pos: int
    name: str
    selects: tuple[Select, ...]


@dataclass(slots=True)
class Unary:
    """An operator before one operand."""

    pos: int
    operator: str
    operand: Expression


@dataclass(slots=True)
class Chain:
    """Operands and the operators between them, all of one precedence, applied from the left."""

    pos: int
    operands: list[Expression]
    operators: list[str]


@dataclass(slots=True)
class Ternary:
    """``c ? x : d ? y : z``: branches (c, x), (d, y), otherwise z. Branches in reverse order."""

    pos: int
    branches: list[tuple[Expression, Expression]]
    otherwise: Expression


@dataclass(slots=True)
class Concatenation:
    """``{first, ...}``: the first is most significant."""

    pos: int
    parts: list[Expression]


@dataclass(slots=True)
class Replication:
    """``{count{part, ...}}``."""

    pos: int
    count: Expression
    part: Concatenation


@dataclass(slots=True)
class Call:
    """A function of the module's, or of the language's where the name starts with ``$``."""

    pos: int
    name: str
    arguments: list[Expression]


@dataclass(slots=True)
class Text:
    """A string or a real number: understood, and used for nothing."""

    pos: int
    text: str


Expression: TypeAlias = Number | Name | Unary | Chain | Ternary | Concatenation | Replication | Call | Text
Lvalue: TypeAlias = "Name | Concatenation"


@dataclass(slots=True)
class Range:
    """``[left:right]``; ``[n]``, as a dimension, is ``[0:n-1]`` and has no ``right``."""

    pos: int
    left: Expression
    right: Expression | None


@dataclass(slots=True)
class ValueType:
    """Sign and ranges as written; ``integer``: 32 bits, signed."""

    signed: bool
    ranges: tuple[Range, ...]
    integer: bool = False
    given: bool = True


@dataclass(slots=True)
class Declarator:
    """One name of a declaration."""

    pos: int
    name: str
    dimensions: tuple[Range, ...]
    value: Expression | None


@dataclass(slots=True)
class Declaration:
    """Nets or variables. ``kind``: wire, reg, integer, genvar ...; empty where only a direction is given."""

    pos: int
    direction: str | None
    kind: str
    type: ValueType
    names: list[Declarator]


@dataclass(slots=True)
class Parameters:
    """Parameters or, ``local``, localparams: name, value and position of each."""

    pos: int
    local: bool
    type: ValueType
    values: list[tuple[str, Expression, int]]


@dataclass(slots=True)
class Assignment:
    """``target = value``, as a statement or, in an Assign, for ever; ``later``: written ``<=``."""

    pos: int
    target: Lvalue
    value: Expression
    later: bool = False


@dataclass(slots=True)
class Assign:
    """``assign``."""

    pos: int
    assignments: list[Assignment]


@dataclass(slots=True)
class Gates:
    """Primitives of one kind: range and terminals of each."""

    pos: int
    kind: str
    gates: list[tuple[Range | None, list[Expression]]]


@dataclass(slots=True)
class Connection:
    """A port or parameter and what is connected to it; without a name it goes by position."""

    pos: int
    name: str | None
    value: Expression | None


@dataclass(slots=True)
class Instance:
    """One instance of a module."""

    pos: int
    name: str
    range: Range | None
    connections: list[Connection]


@dataclass(slots=True)
class Instances:
    """Instances of one module with one set of parameters."""

    pos: int
    module: str
    overrides: list[Connection]
    instances: list[Instance]


@dataclass(slots=True)
class Always:
    """``sensitivity`` None: ``@(*)`` or always_comb; else (edge, expression)."""

    pos: int
    sensitivity: list[tuple[str | None, Expression]] | None
    body: Statement


@dataclass(slots=True)
class Function:
    """A function: its declarations (inputs among them) and its statements."""

    pos: int
    name: str
    type: ValueType
    declarations: list[Declaration | Parameters]
    body: list[Statement]


@dataclass(slots=True)
class Block:
    """Items of a generate block."""

    pos: int
    name: str | None
    items: list[Item]


@dataclass(slots=True)
class ForGenerate:
    """``for`` around items."""

    pos: int
    start: Assignment
    condition: Expression
    step: Assignment
    body: Block


@dataclass(slots=True)
class IfGenerate:
    """``if`` around items."""

    pos: int
    condition: Expression
    then: Block
    otherwise: Block | None


@dataclass(slots=True)
class CaseGenerate:
    """``case`` around items; a branch without values is the default."""

    pos: int
    selector: Expression
    branches: list[tuple[list[Expression] | None, Block]]


@dataclass(slots=True)
class Sequence:
    """``begin`` ... ``end``."""

    pos: int
    declarations: list[Declaration | Parameters]
    statements: list[Statement]


@dataclass(slots=True)
class If:
    """``if``, ``else if`` ..., ``else``: conditions with statements, in reverse order."""

    pos: int
    branches: list[tuple[Expression, Statement]]
    otherwise: Statement | None


@dataclass(slots=True)
class Case:
    """``case``, ``casez`` or ``casex``; a branch without values is the default."""

    pos: int
    kind: str
    selector: Expression
    branches: list[tuple[list[Expression] | None, Statement]]


@dataclass(slots=True)
class For:
    """``for``; without start and step it is a ``while``."""

    pos: int
    variable: Declaration | None
    start: Assignment | None
    condition: Expression
    step: Assignment | None
    body: Statement


@dataclass(slots=True)
class Repeat:
    """``repeat``."""

    pos: int
    count: Expression
    body: Statement


@dataclass(slots=True)
class Nothing:
    """A semicolon by itself."""

    pos: int = 0


Statement: TypeAlias = Assignment | Sequence | If | Case | For | Repeat | Nothing
Item: TypeAlias = (
    Declaration
    | Parameters
    | Assign
    | Gates
    | Instances
    | Always
    | Function
    | Block
    | ForGenerate
    | IfGenerate
    | CaseGenerate
    | Nothing
)


@dataclass(slots=True)
class Module:
    """A module. ``ports``: names in order; those declared in the list are among the items, too."""

    pos: int
    name: str
    ports: list[tuple[str, int]]
    items: list[Item] = field(default_factory=list)
    implicit_nets: bool = True

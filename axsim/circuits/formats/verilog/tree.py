"""What the parser's rules become: the syntax tree, made while reading."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from typing import Any

from lark import Transformer, v_args

from axsim.circuits.formats.verilog.ast import (
    Always,
    Assign,
    Assignment,
    Block,
    Call,
    Case,
    CaseGenerate,
    Chain,
    Concatenation,
    Connection,
    Declaration,
    Declarator,
    Expression,
    For,
    ForGenerate,
    Function,
    Gates,
    If,
    IfGenerate,
    Instance,
    Instances,
    Item,
    Module,
    Name,
    Nothing,
    Number,
    Parameters,
    Range,
    Repeat,
    Replication,
    Select,
    Sequence,
    Ternary,
    Text,
    Unary,
    ValueType,
)
from axsim.circuits.formats.verilog.literals import number
from axsim.circuits.formats.verilog.tokens import Token
from axsim.errors import NetlistError

_LEVELS = (
    *("** ", "* / %", "+ -", "<< >> <<< >>>", "< <= > >=", "== != === !=="),
    *("&", "^ ^~ ~^", "|", "&&", "||"),
)
STRENGTH = {operator: -level for level, listed in enumerate(_LEVELS) for operator in listed.split()}
"""How strongly operators bind."""

_NO_TYPE = ValueType(False, (), given=False)


class MeaningError(NetlistError):
    """Words that the grammar takes and that mean nothing; ``pos`` says where they stand."""

    def __init__(self, what: str, pos: int) -> None:
        super().__init__(what)
        self.what, self.pos = what, pos


def chain(parts: SequenceOf[Any]) -> Expression:
    """Return the tree of operands with operator tokens between them, by the operators' strength."""
    operands: list[Expression] = [parts[0]]
    waiting: list[str] = []

    def reduce(strength: int) -> None:
        while waiting and STRENGTH[waiting[-1]] >= strength:
            level, count = STRENGTH[waiting[-1]], 1
            while count < len(waiting) and STRENGTH[waiting[-count - 1]] == level:
                count += 1
            operators = waiting[-count:]
            taken = operands[-count - 1 :]
            del waiting[-count:], operands[-count - 1 :]
            operands.append(Chain(taken[0].pos, taken, operators))

    for operator, operand in zip(parts[1::2], parts[2::2], strict=True):
        reduce(STRENGTH[operator.value] + 1)
        waiting.append(operator.value)
        operands.append(operand)
    reduce(min(STRENGTH.values()))
    return operands[0]


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """One method a rule of ``grammar.lark``; see there."""

    # ----- expressions

    def number(self, token: Token) -> Number:
        try:
            return number(token.value, token.pos)
        except ValueError as error:
            raise MeaningError(str(error), token.pos) from None

    def string(self, token: Token) -> Text:
        return Text(token.pos, token.value)

    real = string

    def name(self, token: Token, *selects: Select) -> Name:
        return Name(token.pos, token.value, selects)

    lvalue = name

    def lvalues(self, *parts: Expression) -> Concatenation:
        return Concatenation(parts[0].pos, list(parts))

    concatenation = lvalues

    def replication(self, count: Expression, *parts: Expression) -> Replication:
        return Replication(count.pos, count, Concatenation(parts[0].pos, list(parts)))

    def call(self, token: Token, *arguments: Expression) -> Call:
        return Call(token.pos, token.value, list(arguments))

    def cast(self, kind: Token, operand: Expression) -> Call:
        if kind.type == "SIGN":
            return Call(kind.pos, f"${kind.value}", [operand])
        return Call(kind.pos, "'", [self.number(kind) if kind.type == "NUMBER" else self.name(kind), operand])

    def unary(self, operator: Token, operand: Expression) -> Unary:
        return Unary(operator.pos, operator.value, operand)

    def operation(self, *parts: Any) -> Expression:
        return chain(parts)

    def ternary(self, condition: Expression, then: Expression, otherwise: Expression) -> Ternary:
        if isinstance(otherwise, Ternary):
            otherwise.branches.append((condition, then))
            otherwise.pos = condition.pos
            return otherwise
        return Ternary(condition.pos, [(condition, then)], otherwise)

    def bit(self, index: Expression) -> Select:
        return Select(index.pos, "", index, None)

    def part(self, left: Expression, right: Expression) -> Select:
        return Select(left.pos, ":", left, right)

    def indexed_part(self, left: Expression, kind: Token, width: Expression) -> Select:
        return Select(left.pos, kind.value, left, width)

    def range(self, left: Expression, right: Expression) -> Range:
        return Range(left.pos, left, right)

    def size(self, size: Expression) -> Range:
        return Range(size.pos, size, None)

    # ----- declarations

    def value_type(self, *parts: Token | Range | None) -> ValueType:
        tokens = [part for part in parts if isinstance(part, Token)]
        ranges = tuple(part for part in parts if isinstance(part, Range))
        return _type(tokens, ranges)

    def declarator(self, token: Token, *parts: Range | Expression | None) -> Declarator:
        *dimensions, value = parts
        return Declarator(token.pos, token.value, tuple(dimensions), value)  # type: ignore[arg-type]

    def declaration(self, kind: Token, sign: Token | None, *parts: Any) -> Declaration:
        ranges = tuple(part for part in parts if isinstance(part, Range))
        names = [part for part in parts if isinstance(part, Declarator)]
        return Declaration(kind.pos, None, kind.value, _type([sign], ranges), names)

    def integers(self, kind: Token, sign: Token | None, *names: Declarator) -> Declaration:
        return Declaration(kind.pos, None, kind.value, _type([kind, sign], ()), list(names))

    def port_declaration(
        self, direction: Token, kind: Token | None, sign: Token | None, *parts: Any
    ) -> Declaration:
        ranges = tuple(part for part in parts if isinstance(part, Range))
        names = [part for part in parts if isinstance(part, Declarator)]
        declared = _type([kind, sign], ranges)
        return Declaration(
            direction.pos, direction.value, kind.value if kind is not None else "", declared, names
        )

    def port(
        self, direction: Token | None, kind: Token | None, sign: Token | None, *parts: Any
    ) -> tuple[Token, Declaration | None]:
        ranges = tuple(part for part in parts if isinstance(part, Range))
        index = next(k for k, part in enumerate(parts) if isinstance(part, Token))
        name = parts[index]
        if direction is None and kind is None and sign is None and not ranges:
            return name, None
        declarator = Declarator(name.pos, name.value, tuple(parts[index + 1 :]), None)
        declared = _type([kind, sign], tuple(parts[:index]))
        first = "" if direction is None else direction.value
        return name, Declaration(name.pos, first, kind.value if kind else "", declared, [declarator])

    def ports(self, *ports: tuple[Token, Declaration | None]) -> list[tuple[Token, Declaration | None]]:
        """Ports of an ANSI list inherit direction and type from the one before where they name neither."""
        declared: list[tuple[Token, Declaration | None]] = []
        last: Declaration | None = None
        for name, own in ports:
            if own is None and last is not None:
                declarator = Declarator(name.pos, name.value, (), None)
                own = Declaration(name.pos, last.direction, last.kind, last.type, [declarator])
            elif own is not None and not own.direction:
                if last is None:
                    raise MeaningError(f"port {name.value!r} has a type and no direction", name.pos)
                own.direction = last.direction
            last = own
            declared.append((name, own))
        return declared

    def parameter(self, name: Token, value: Expression) -> tuple[str, Expression, int]:
        return name.value, value, name.pos

    def parameters(
        self, kind: Token, type: ValueType | None, *values: tuple[str, Expression, int]
    ) -> Parameters:
        return Parameters(kind.pos, kind.value == "localparam", type or _NO_TYPE, list(values))

    def parameter_port(
        self, kind: Token | None, type: ValueType | None, name: Token, value: Expression
    ) -> Parameters:
        local = kind is not None and kind.value == "localparam"
        return Parameters(name.pos, local, type or _NO_TYPE, [(name.value, value, name.pos)])

    def parameter_ports(self, *parameters: Parameters) -> list[Parameters]:
        return list(parameters)

    # ----- items

    def module(
        self, name: Token, parameters: list[Parameters] | None, ports: Any, *items: Item | Token
    ) -> Module:
        declared: list[Item] = [own for _, own in ports or () if own is not None]
        own_items = [item for item in items if not isinstance(item, Token)]
        return Module(
            name.pos,
            name.value,
            [(port.value, port.pos) for port, _ in ports or ()],
            [*(parameters or ()), *declared, *own_items],
        )

    def assignment(self, target: Any, value: Expression) -> Assignment:
        return Assignment(target.pos, target, value)

    def assign(self, *parts: Any) -> Assign:
        assignments = [part for part in parts if isinstance(part, Assignment)]
        return Assign(assignments[0].pos, assignments)

    def gate(self, name: Token | None, range: Range | None, *terminals: Expression) -> Any:
        return range, list(terminals)

    def gates(self, kind: Token, *parts: Any) -> Gates:
        return Gates(kind.pos, kind.value, [part for part in parts if isinstance(part, tuple)])

    def slot(self, value: Expression | None) -> Connection:
        return Connection(-1 if value is None else value.pos, None, value)

    def named(self, name: Token, value: Expression | None) -> Connection:
        return Connection(name.pos, name.value, value)

    def same_name(self, name: Token) -> Connection:
        return Connection(name.pos, name.value, Name(name.pos, name.value, ()))

    def all_names(self, star: Token) -> Connection:
        raise MeaningError("'.*' came; name the ports: .a(a)", star.pos)

    def overrides(self, *connections: Connection) -> list[Connection]:
        return list(connections)

    def plain_override(self, token: Token) -> list[Connection]:
        value = self.number(token) if token.type == "NUMBER" else Name(token.pos, token.value, ())
        return [Connection(token.pos, None, value)]

    def instance(self, name: Token, range: Range | None, *connections: Connection) -> Instance:
        return Instance(name.pos, name.value, range, list(connections))

    def instances(self, module: Token, overrides: list[Connection] | None, *instances: Instance) -> Instances:
        return Instances(module.pos, module.value, overrides or [], list(instances))

    def any_event(self, star: Token | None = None) -> None:
        return None

    def sensed(self, edge: Token | None, value: Expression) -> tuple[str | None, Expression]:
        return None if edge is None else edge.value, value

    def event(self, *sensed: Any) -> list[tuple[str | None, Expression]]:
        return [part for part in sensed if isinstance(part, tuple)]

    def always(self, event: Any, body: Any) -> Always:
        return Always(body.pos, event, body)

    def always_comb(self, body: Any) -> Always:
        return Always(body.pos, None, body)

    def function(self, type: ValueType | None, name: Token, ports: Any, *parts: Any) -> Function:
        declarations = [own for _, own in ports or () if own is not None]
        declarations += [part for part in parts if isinstance(part, Declaration | Parameters)]
        body = [part for part in parts if not isinstance(part, Declaration | Parameters | Token)]
        return Function(name.pos, name.value, type or _NO_TYPE, declarations, body)

    def generate(self, *items: Item) -> Block:
        return Block(items[0].pos if items else 0, "", list(items))

    def block(self, *parts: Any) -> Block:
        name = next((part.value for part in parts if isinstance(part, Token)), None)
        items = [part for part in parts if part is not None and not isinstance(part, Token)]
        return Block(items[0].pos if items else 0, name, items)

    def for_generate(self, *parts: Any) -> ForGenerate:
        _, target, start, condition, step, body = parts
        return ForGenerate(target.pos, Assignment(target.pos, target, start), condition, step, body)

    def if_generate(self, condition: Expression, then: Block, otherwise: Block | None) -> IfGenerate:
        return IfGenerate(condition.pos, condition, then, otherwise)

    def case_block(self, *parts: Any) -> tuple[list[Expression] | None, Block]:
        return list(parts[:-1]), parts[-1]

    def default_block(self, block: Block) -> tuple[list[Expression] | None, Block]:
        return None, block

    def case_generate(self, kind: Token, selector: Expression, *branches: Any) -> CaseGenerate:
        _check_defaults(kind, branches)
        return CaseGenerate(kind.pos, selector, list(branches))

    # ----- statements

    def nothing(self) -> Nothing:
        return Nothing()

    def step(self, target: Any, value: Expression) -> Assignment:
        return Assignment(target.pos, target, value)

    def change(self, target: Any, operator: Token, value: Expression) -> Assignment:
        return Assignment(target.pos, target, Chain(target.pos, [target, value], [operator.value[0]]))

    def increment(self, target: Any, operator: Token) -> Assignment:
        one = Number(operator.pos, 1, None, True)
        return Assignment(target.pos, target, Chain(target.pos, [target, one], [operator.value[0]]))

    def nonblocking(self, target: Any, _: Token, value: Expression) -> Assignment:
        return Assignment(target.pos, target, value, later=True)

    def if_statement(self, condition: Expression, then: Any, otherwise: Any) -> If:
        if isinstance(otherwise, If):
            otherwise.branches.append((condition, then))
            return otherwise
        return If(condition.pos, [(condition, then)], otherwise)

    def case_item(self, *parts: Any) -> Any:
        return list(parts[:-1]), parts[-1]

    def default_item(self, body: Any) -> Any:
        return None, body

    def case_statement(self, kind: Token, selector: Expression, *branches: Any) -> Case:
        _check_defaults(kind, branches)
        return Case(kind.pos, kind.value, selector, list(branches))

    def for_statement(self, *parts: Any) -> For:
        kind, target, start, condition, step, body = parts
        variable = None
        if kind is not None:
            names = [Declarator(target.pos, target.name, (), None)]
            variable = Declaration(kind.pos, None, kind.value, _type([kind], ()), names)
        return For(target.pos, variable, Assignment(target.pos, target, start), condition, step, body)

    def while_statement(self, condition: Expression, body: Any) -> For:
        return For(condition.pos, None, None, condition, None, body)

    def repeat_statement(self, count: Expression, body: Any) -> Repeat:
        return Repeat(count.pos, count, body)

    def sequence(self, name: Token | None, *parts: Any) -> Sequence:
        declarations = [part for part in parts if isinstance(part, Declaration | Parameters)]
        statements = [part for part in parts if not isinstance(part, Declaration | Parameters | Token)]
        first = next((part.pos for part in (*declarations, *statements)), 0)
        return Sequence(first if name is None else name.pos, declarations, statements)


def _check_defaults(kind: Token, branches: SequenceOf[tuple[Any, Any]]) -> None:
    """MeaningError for a case with more than one default, which the standard forbids."""
    if sum(values is None for values, _ in branches) > 1:
        raise MeaningError(f"{kind.value!r} with more than one default", kind.pos)


def _type(tokens: SequenceOf[Token | None], ranges: tuple[Range, ...]) -> ValueType:
    words = {token.value for token in tokens if token is not None}
    integer = bool(words & {"integer", "int", "genvar"})
    signed = ("signed" in words or integer) and "unsigned" not in words
    return ValueType(
        signed, ranges, integer, given=bool(ranges) or integer or bool(words & {"signed", "unsigned"})
    )

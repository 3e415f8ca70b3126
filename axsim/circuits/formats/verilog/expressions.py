"""Expressions of Verilog to gates, with the language's rules of width and sign (IEEE 1364-2005, clause 5).

The width of an operand is its own or that of the expression around it, and an expression is signed only if
all its operands are; so each expression is first asked for its own width and sign, and then evaluated at
those of its surroundings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from axsim.circuits.formats.buses import shorten
from axsim.circuits.formats.verilog.arithmetic import arithmetic, negated, shifted
from axsim.circuits.formats.verilog.ast import (
    Call,
    Chain,
    Concatenation,
    Expression,
    Name,
    Number,
    Replication,
    Select,
    Ternary,
    Text,
    Unary,
    ValueType,
)
from axsim.circuits.formats.verilog.graph import Bits, equal, extend, less
from axsim.circuits.formats.verilog.literals import MAX_WIDTH
from axsim.circuits.formats.verilog.scope import (
    MAX_DEPTH,
    Constant,
    FunctionSymbol,
    Scope,
    Shared,
    Signal,
    constant_bits,
    constant_value,
)
from axsim.circuits.formats.verilog.selects import find_place, read_place
from axsim.circuits.formats.verilog.tree import MeaningError

_AND, _OR, _XOR = 8, 14, 6
_REDUCTIONS = {
    "&": (_AND, False),
    "~&": (_AND, True),
    "|": (_OR, False),
    "~|": (_OR, True),
    "^": (_XOR, False),
    "~^": (_XOR, True),
    "^~": (_XOR, True),
}
_ARITHMETIC = frozenset(["+", "-", "*", "/", "%", "&", "|", "^", "~^", "^~"])
_SHIFTS = frozenset(["<<", ">>", "<<<", ">>>"])
_COMPARISONS = frozenset(["<", "<=", ">", ">=", "==", "!=", "===", "!=="])

Type = tuple[int, bool]
"""Width in bits, and whether signed."""


class Evaluator(ABC):
    """Evaluates expressions in a scope.

    Args:
        shared: the circuit's graph and count of work.
        scope: what names stand for.
        values: what variables hold now, where a procedure has assigned them; None outside of procedures.
        depth: functions that are being called.
    """

    def __init__(
        self, shared: Shared, scope: Scope, values: dict[Signal, Bits] | None = None, depth: int = 0
    ) -> None:
        self.shared, self.graph, self.scope = shared, shared.graph, scope
        self.values: dict[Signal, Bits] = {} if values is None else values
        self.depth = depth
        self.reads: dict[Signal, int] = {}  # signals of outside, and where they are read first
        self.early: dict[int, int] = {}  # nets of variables that are read while they hold what they held

    # ----- width and sign

    def type_of(self, expression: Expression) -> Type:
        """Width and sign of an expression by itself."""
        match expression:
            case Number():
                return expression.width or 32, expression.signed
            case Name():
                return self._name_type(expression)
            case Unary():
                if expression.operator in "+-~":
                    return self.type_of(expression.operand)
                return 1, False
            case Chain():
                return self._chain_type(expression)
            case Ternary():
                values = [value for _, value in expression.branches]
                return self.common_type([*values, expression.otherwise])
            case Concatenation():
                return self._limited(
                    sum(self._part_width(part) for part in expression.parts), expression.pos
                ), False
            case Replication():
                width = self._copies(expression) * self.type_of(expression.part)[0]
                return self._limited(width, expression.pos), False
            case Call():
                return self._call_type(expression)
            case Text():
                raise MeaningError(f"{shorten(expression.text)} is no number of bits", expression.pos)

    def common_type(self, expressions: list[Expression]) -> Type:
        """The greatest width; signed if all are."""
        types = [self.type_of(expression) for expression in expressions]
        return max(width for width, _ in types), all(signed for _, signed in types)

    def _limited(self, width: int, pos: int) -> int:
        if width > MAX_WIDTH:
            raise MeaningError(f"{width:,} bits; {MAX_WIDTH:,} are the limit", pos)
        return width

    def _part_width(self, part: Expression) -> int:
        if isinstance(part, Number) and (part.width is None or part.fill):
            raise MeaningError("a number within { } needs its width, as in 4'd3", part.pos)
        return self.type_of(part)[0]

    def _chain_type(self, chain: Chain) -> Type:
        operator = chain.operators[0]
        if operator in _ARITHMETIC:
            return self.common_type(chain.operands)
        if operator in _SHIFTS or operator == "**":
            return self.type_of(chain.operands[0])
        return 1, False

    def _name_type(self, name: Name) -> Type:
        symbol = self.scope.get(name)
        if isinstance(symbol, Constant):
            if name.selects:
                symbol = self._as_signal(name, symbol)
            else:
                return len(symbol.bits), symbol.signed
        if not name.selects:
            if symbol.unpacked:
                raise MeaningError(f"the array {name.name!r} can only be used word by word", name.pos)
            return symbol.width, symbol.signed
        select = name.selects[-1]
        width = symbol.width
        for left, right in symbol.ranges[: len(name.selects)]:
            width //= abs(left - right) + 1
        if select.kind == ":":
            assert select.right is not None
            ends = self.constant(select.left), self.constant(select.right)
            return self._limited(width * (abs(ends[0] - ends[1]) + 1), name.pos), False
        if select.kind:
            assert select.right is not None
            return self._limited(width * max(self.constant(select.right), 1), name.pos), False
        whole_word = len(name.selects) == symbol.unpacked
        return width, symbol.signed and whole_word

    def _as_signal(self, name: Name, constant: Constant) -> Signal:
        ranges = ((len(constant.bits) - 1, 0),)
        return Signal(name.name, name.pos, constant.signed, ranges, 0, constant.bits, False)

    def _call_type(self, call: Call) -> Type:
        if call.name in ("$signed", "$unsigned"):
            return self.type_of(self._only_argument(call))[0], call.name == "$signed"
        if call.name == "'":
            size, operand = call.arguments
            return self._size(size, "bits"), self.type_of(operand)[1]
        if call.name == "$clog2":
            return 32, True
        symbol = self.function(call)
        return self.declared_type(symbol.function.type, symbol.scope)

    # ----- values

    def constant(self, expression: Expression) -> int:
        """The number that an expression is; MeaningError if it depends on signals."""
        width, signed = self.type_of(expression)
        value = constant_value(self.evaluate(expression, width, signed), signed)
        if value is None:
            raise MeaningError("this must be a constant", expression.pos)
        return value

    def value(self, expression: Expression) -> Bits:
        """The bits of an expression by itself."""
        return self.evaluate(expression, *self.type_of(expression))

    def truth(self, expression: Expression) -> int:
        """Whether an expression is other than 0."""
        return self.graph.tree(_OR, self.value(expression), 0)

    def assigned(self, expression: Expression, width: int) -> Bits:
        """The bits of an expression as assigned to a target of a width."""
        own, signed = self.type_of(expression)
        return self.evaluate(expression, max(own, width), signed)[:width]

    def evaluate(self, expression: Expression, width: int, signed: bool) -> Bits:
        """The bits of an expression in surroundings of a width (not less than its own) and a sign."""
        match expression:
            case Name():
                return extend(self._read(expression), width, signed)
            case Number():
                return self._literal(expression, width, signed)
            case Unary():
                return self._unary(expression, width, signed)
            case Chain():
                return self._chain(expression, width, signed)
            case Ternary():
                return self._ternary(expression, width, signed)
            case Concatenation():
                parts = [self.value(part) for part in reversed(expression.parts)]
                return extend([bit for part in parts for bit in part], width, False)
            case Replication():
                return extend(self.value(expression.part) * self._copies(expression), width, False)
            case Call():
                return extend(self._call(expression), width, signed)
            case Text():
                raise MeaningError(f"{shorten(expression.text)} is no number of bits", expression.pos)

    def _read(self, name: Name) -> Bits:
        symbol = self.scope.get(name)
        if isinstance(symbol, Constant):
            if not name.selects:
                return symbol.bits
            symbol = self._as_signal(name, symbol)
        bits = self.values.get(symbol, symbol.bits)
        if bits is symbol.bits and symbol not in self.reads:
            self.reads[symbol] = name.pos
        read = bits
        if name.selects:
            place = find_place(symbol, name, self.index, self.shared)
            read = read_place(bits, place, self.shared, name)
            bits = place.all_bits(bits)
        if symbol.variable and symbol.bits:
            first, last = symbol.bits[0], symbol.bits[-1]
            self.early.update({bit: name.pos for bit in bits if first <= bit <= last})
        return read

    def index(self, select: Select) -> tuple[Bits, bool]:
        """The bits of a select's place, and whether they are signed."""
        width, signed = self.type_of(select.left)
        return self.evaluate(select.left, width, signed), signed

    def _literal(self, number: Number, width: int, signed: bool) -> Bits:
        if not number.unknown and not number.high_z:
            if number.fill:
                return [number.value] * width
            own = number.width or 32
            return extend(constant_bits(number.value, own), width, signed)
        reason = "a literal has x or z bits"
        own = width if number.fill else number.width or 32
        mask = number.unknown | number.high_z
        if number.fill:
            return [self.graph.unknown(reason, number.pos)] * width
        bits = [
            self.graph.unknown(reason, number.pos) if mask >> k & 1 else number.value >> k & 1
            for k in range(own)
        ]
        return extend(bits, width, signed)

    def _copies(self, replication: Replication) -> int:
        return self._size(replication.count, "copies within { }")

    def _size(self, expression: Expression, what: str) -> int:
        count = self.constant(expression)
        if not 1 <= count <= MAX_WIDTH:
            raise MeaningError(f"{count} {what}; 1 to {MAX_WIDTH} are expected", expression.pos)
        return count

    def _unary(self, expression: Unary, width: int, signed: bool) -> Bits:
        operator, graph = expression.operator, self.graph
        if operator in "+-~":
            bits = self.evaluate(expression.operand, width, signed)
            if operator == "+":
                return bits
            return negated(graph, bits) if operator == "-" else [graph.not_(bit) for bit in bits]
        if operator == "!":
            return extend([graph.not_(self.truth(expression.operand))], width, False)
        op, inverts = _REDUCTIONS[operator]
        result = graph.tree(op, self.value(expression.operand), 0)
        return extend([graph.not_(result) if inverts else result], width, False)

    def _ternary(self, expression: Ternary, width: int, signed: bool) -> Bits:
        graph = self.graph
        conditions = [(self.truth(condition), value) for condition, value in reversed(expression.branches)]
        taken: list[tuple[int, Bits]] = []
        for condition, value in conditions:
            if condition == 0:
                continue
            taken.append((condition, self.evaluate(value, width, signed)))
            if condition == 1:
                break
        else:
            taken.append((1, self.evaluate(expression.otherwise, width, signed)))
        result = taken.pop()[1]
        for condition, bits in reversed(taken):
            result = [graph.mux(condition, at_1, at_0) for at_1, at_0 in zip(bits, result, strict=True)]
        return result

    def _chain(self, chain: Chain, width: int, signed: bool) -> Bits:
        operator = chain.operators[0]
        if operator in _ARITHMETIC:
            result = self.evaluate(chain.operands[0], width, signed)
            for operator, operand in zip(chain.operators, chain.operands[1:], strict=True):
                other = self.evaluate(operand, width, signed)
                result = arithmetic(self.shared, operator, result, other, signed, chain.pos)
            return result
        if operator in _SHIFTS:
            return self._shifts(chain, width, signed)
        if operator == "**":
            return self._power(chain, width, signed)
        if operator in ("&&", "||"):
            op, neutral = (_AND, 1) if operator == "&&" else (_OR, 0)
            truths = []
            for operand in chain.operands:
                truths.append(self.truth(operand))
                if truths[-1] == 1 - neutral:
                    break
            return extend([self.graph.tree(op, truths, neutral)], width, False)
        return extend([self._comparisons(chain)], width, False)

    def _shifts(self, chain: Chain, width: int, signed: bool) -> Bits:
        bits = self.evaluate(chain.operands[0], width, signed)
        for operator, operand in zip(chain.operators, chain.operands[1:], strict=True):
            amount = self.value(operand)
            self.shared.charge(width * sum(bit > 1 for bit in amount), chain.pos)
            bits = shifted(self.graph, operator, bits, amount, signed)
        return bits

    def _power(self, chain: Chain, width: int, signed: bool) -> Bits:
        value = constant_value(self.evaluate(chain.operands[0], width, signed), signed)
        for operand in chain.operands[1:]:
            exponent = self.constant(operand)
            if value is None or exponent < 0:
                raise MeaningError("'**' is read for constants, with an exponent of 0 or more", chain.pos)
            value = pow(value, exponent, 1 << width)
        assert value is not None
        return constant_bits(value, width)

    def _comparisons(self, chain: Chain) -> int:
        graph = self.graph
        left_type = self.type_of(chain.operands[0])
        result: int | None = None
        for operator, operand in zip(chain.operators, chain.operands[1:], strict=True):
            own = self.type_of(operand)
            width, signed = max(left_type[0], own[0]), left_type[1] and own[1]
            if result is None:
                x = self.evaluate(chain.operands[0], width, signed)
            else:
                x = extend([result], width, False)
            y = self.evaluate(operand, width, signed)
            self.shared.charge(width // 8, chain.pos)
            unknown = graph.first_unknown(x, y)
            if operator in ("==", "!=", "===", "!=="):
                result = equal(graph, x, y)
                result = graph.not_(result) if operator[0] == "!" else result
            elif unknown is not None:
                result = unknown
            else:
                greater = operator in (">", "<=")
                result = less(graph, y, x, signed) if greater else less(graph, x, y, signed)
                result = graph.not_(result) if operator in ("<=", ">=") else result
            left_type = (1, False)
        assert result is not None
        return result

    # ----- calls

    def _only_argument(self, call: Call) -> Expression:
        if len(call.arguments) != 1:
            raise MeaningError(f"{call.name} has {len(call.arguments)} arguments; one is expected", call.pos)
        return call.arguments[0]

    def function(self, call: Call) -> FunctionSymbol:
        """The function that a call calls."""
        symbol = self.scope.find(call.name)
        if not isinstance(symbol, FunctionSymbol):
            known = "$signed, $unsigned and $clog2" if call.name[0] == "$" else "functions of the module"
            raise MeaningError(f"there is no function {shorten(call.name)!r}; known are {known}", call.pos)
        if self.depth >= MAX_DEPTH:
            raise MeaningError(f"functions call each other more than {MAX_DEPTH} deep", call.pos)
        return symbol

    def _call(self, call: Call) -> Bits:
        if call.name in ("$signed", "$unsigned"):
            return self.value(self._only_argument(call))
        if call.name == "'":
            return extend(self.value(call.arguments[1]), *self._call_type(call))
        if call.name == "$clog2":
            value = self.constant(self._only_argument(call))
            return constant_bits(max(value - 1, 0).bit_length(), 32)
        return self.call_function(call)

    @abstractmethod
    def call_function(self, call: Call) -> Bits:
        """Carry out a call of a function of the module's."""

    @abstractmethod
    def declared_type(self, declared: ValueType, scope: Scope) -> Type:
        """Width and sign of a type as declared in a scope."""

"""The value of a C expression, on nets instead of numbers.

What C leaves undefined (a shift by 64, a variable never set, an index beyond its array) is kept as a net that
must never be 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from axsim.circuits.builder import Builder
from axsim.circuits.formats import c_tree as c
from axsim.circuits.formats.c_tokens import Source
from axsim.circuits.formats.c_words import Arithmetic, Word, common_type, constant, promoted, value_of, word
from axsim.circuits.netlist import CONST0, CONST1
from axsim.circuits.operands import operand_range

MAX_STEPS = 100_000
MAX_GATES = 100_000


@dataclass(slots=True)
class Variable:
    """A variable's value, and a net that says whether it has been set."""

    type: c.CType
    value: Word
    is_set: int


@dataclass(slots=True)
class Array:
    """An array's elements, row after row."""

    sizes: tuple[int, ...]
    elements: list[Variable]


@dataclass(frozen=True)
class Undefined:
    """Something that C does not define where ``net`` is 1."""

    net: int
    at: int
    what: str


@dataclass
class Frame:
    """A call: its scopes, the condition under which statements run now, and what it returns."""

    function: c.Function
    scopes: list[dict[str, Variable | Array]] = field(default_factory=list)
    path: int = CONST1
    result: Word | None = None
    returned: int = CONST0
    breaks: int = CONST0
    continues: int = CONST0


class Expressions(ABC):
    """The values of expressions within the call that runs now, the last of ``_frames``."""

    def __init__(self, source: Source, builder: Builder) -> None:
        self.undefined: list[Undefined] = []
        self._source, self._builder = source, builder
        self._words = Arithmetic(builder)
        self._frames: list[Frame] = []
        self._globals: dict[str, Variable | Array] = {}
        self._steps = 0
        self._at = 0  # of the function or the loop that runs

    @abstractmethod
    def _call(self, call: c.Call, wanted: bool) -> Word:
        """The value that a function returns."""

    def _check_size(self) -> None:
        at = self._at
        if self._steps > MAX_STEPS:
            self._source.fail(at, f"the function takes more than {MAX_STEPS} steps: does a loop never end?")
        if self._builder.n_gates > MAX_GATES:
            self._source.fail(at, f"the function makes more than {MAX_GATES} gates, too large to simulate")

    def _value(self, expression: c.Expression, wanted: bool = True) -> Word:
        """The value of an expression; ``wanted`` unless it stands alone as a statement."""
        kind = type(expression)
        if kind is c.Chain:
            return self._chain(expression)  # type: ignore[arg-type]
        return _VALUES[kind](self, expression) if kind is not c.Call else self._call(expression, wanted)  # type: ignore[arg-type]

    def _number(self, number: c.Number) -> Word:
        return constant(number.value, number.type)

    def _name(self, name: c.Name) -> Word:
        choices = self._elements(name)
        if len(choices) == 1:
            return self._get(choices[0][1], name)
        values = [self._get(element, name, condition) for condition, element in choices]
        found = values[0]
        for (condition, _), value in zip(choices[1:], values[1:], strict=True):
            found = self._words.choose(condition, value, found)
        return found

    def _get(self, variable: Variable, name: c.Name, condition: int = CONST1) -> Word:
        if variable.is_set != CONST1:
            unset = self._builder.and_(condition, self._builder.not_(variable.is_set))
            self._note(unset, name.at, f"{name.name!r} is used before it has a value")
        return variable.value

    def _elements(self, name: c.Name) -> list[tuple[int, Variable]]:
        """The variables that a name with its indices may mean, each with the net that says so."""
        found = self._find(name)
        if isinstance(found, Variable):
            if name.indices:
                self._source.fail(name.at, f"{name.name!r} is no array, and has an index")
            return [(CONST1, found)]
        if len(name.indices) != len(found.sizes):
            self._source.fail(
                name.at, f"{name.name!r} has {len(name.indices)} indices, expected {len(found.sizes)}"
            )
        numbers = [self._value(index) for index in name.indices]
        known = [value_of(number) for number in numbers]
        place = 0
        if None not in known:
            for value, size in zip(known, found.sizes, strict=True):
                if value is None or not 0 <= value < size:
                    self._source.fail(name.at, f"index {value} of {name.name!r}, expected 0 to {size - 1}")
                place = place * size + value
            return [(CONST1, found.elements[place])]
        places: list[tuple[int, int]] = [(CONST1, 0)]
        for number, size in zip(numbers, found.sizes, strict=True):
            self._note_index(number, size, name)
            are = [(k, self._words.equal(number, constant(k, number.type))) for k in range(size)]
            places = [
                (self._builder.and_(condition, equal), base * size + k)
                for condition, base in places
                for k, equal in are
                if equal != CONST0
            ]
            self._check_size()
        return [(condition, found.elements[place]) for condition, place in places]

    def _note_index(self, number: Word, size: int, name: c.Name) -> None:
        limit = constant(size, c.CType(64, True))
        wide = self._words.convert(number, limit.type)
        beyond = self._builder.not_(self._words.less(wide, limit))
        if number.type.signed:
            beyond = self._builder.or_(beyond, number.fill)
        self._note(beyond, name.at, f"an index of {name.name!r} beyond its {size} elements")

    def _find(self, name: c.Name) -> Variable | Array:
        for scope in reversed(self._frames[-1].scopes):
            if name.name in scope:
                return scope[name.name]
        if name.name in self._globals:
            return self._globals[name.name]
        return self._source.fail(name.at, f"{name.name!r} is not declared")

    def _assign(self, assign: c.Assign) -> Word:
        choices = self._elements(assign.target)
        before = self._name(assign.target) if assign.op else None
        value = self._value(assign.value)
        if before is not None:
            value = self._operate(assign.op, before, value, assign.at)
        value = self._words.convert(value, choices[0][1].type)
        path = self._frames[-1].path
        for condition, element in choices:
            taken = self._builder.and_(path, condition)
            element.value = self._words.choose(taken, value, element.value)
            element.is_set = self._builder.or_(element.is_set, taken)
        return before if assign.after and before is not None else value

    def _unary(self, unary: c.Unary) -> Word:
        x = self._value(unary.operand)
        if unary.op == "!":
            return word([self._builder.not_(self._words.truth(x))], CONST0, c.INT)
        x = self._words.convert(x, promoted(x.type))
        if unary.op == "~":
            return self._words.invert(x)
        return self._words.subtract(constant(0, x.type), x) if unary.op == "-" else x

    def _cast(self, cast: c.Cast) -> Word:
        if cast.type.bits == 0:
            return self._value(cast.operand, wanted=False)
        return self._words.convert(self._value(cast.operand), cast.type)

    def _conditional(self, conditional: c.Conditional) -> Word:
        condition = self._words.truth(self._value(conditional.condition))
        frame, path = self._frames[-1], self._frames[-1].path
        values = []
        for taken, part in (
            (condition, conditional.then),
            (self._builder.not_(condition), conditional.otherwise),
        ):
            frame.path = self._builder.and_(path, taken)
            values.append(self._value(part))
        frame.path = path
        type_ = common_type(*(value.type for value in values))
        return self._words.choose(condition, *(self._words.convert(value, type_) for value in values))

    def _chain(self, chain: c.Chain) -> Word:
        x = self._value(chain.first)
        frame, path = self._frames[-1], self._frames[-1].path
        for op, right, at in chain.rest:
            if op in ("&&", "||"):
                so_far = self._words.truth(x)
                needed = so_far if op == "&&" else self._builder.not_(so_far)
                frame.path = self._builder.and_(frame.path, needed)
                if frame.path == CONST0:  # the right side does not run, whatever it is
                    x = word([so_far], CONST0, c.INT)
                    continue
                combine = self._builder.and_ if op == "&&" else self._builder.or_
                x = word([combine(so_far, self._words.truth(self._value(right)))], CONST0, c.INT)
            else:
                x = self._operate(op, x, self._value(right), at)
        frame.path = path
        return x

    def _operate(self, op: str, x: Word, y: Word, at: int) -> Word:
        if op in ("<<", ">>"):
            return self._shift(op, x, y, at)
        type_ = common_type(x.type, y.type)
        x, y = self._words.convert(x, type_), self._words.convert(y, type_)
        if op in ("&", "|", "^"):
            return self._words.bitwise(op, x, y)
        if op in ("/", "%"):
            return self._divide(op, x, y, at)
        if op in ("==", "!=", "<", ">", "<=", ">="):
            if op in ("==", "!="):
                net = self._words.equal(x, y)
            else:
                net = self._words.less(*((y, x) if op in (">", "<=") else (x, y)))
            return word([self._builder.not_(net) if op in ("!=", "<=", ">=") else net], CONST0, c.INT)
        self._check_size()
        if op == "*":
            return self._words.multiply(x, y)
        return self._words.add(x, y) if op == "+" else self._words.subtract(x, y)

    def _shift(self, op: str, x: Word, y: Word, at: int) -> Word:
        x = self._words.convert(x, promoted(x.type))
        y = self._words.convert(y, promoted(y.type))
        shifted = self._words.shift_left if op == "<<" else self._words.shift_right
        count = value_of(y)
        if count is None:
            x, beyond = self._words.shift(shifted, x, y)
            self._note(
                beyond, at, f"a shift of {x.type.bits} bits by {x.type.bits} or more, or by less than 0"
            )
            return x
        if not 0 <= count < x.type.bits:
            what = f"a shift of {x.type.bits} bits by {count}"
            self._note(CONST1, at, what)
            return x
        return shifted(x, count)

    def _divide(self, op: str, x: Word, y: Word, at: int) -> Word:
        words = self._words
        self._note(self._builder.not_(words.truth(y)), at, "a division by 0")
        if x.type.signed and y.fill != CONST0 and len(x.bits) == x.type.bits - 1:
            least, minus_1 = constant(1 << (x.type.bits - 1), x.type), constant(-1, x.type)
            overflows = self._builder.and_(words.equal(x, least), words.equal(y, minus_1))
            self._note(overflows, at, f"a quotient of {x.type.bits} bits that is too large")
        self._check_size()
        return words.divide(x, y)[op == "%"]

    def _never(self, net: int) -> bool:
        """Whether a net is 0 for all operands; False where there are too many to try."""
        part = self._builder.part(net)
        self._steps += 20 + part.n_gates // 16  # what it takes, about
        if sum(part.inputs.values()) > 16:
            return False
        operands = np.meshgrid(
            *(np.arange(*_limits(width, part.signed)) for width in part.inputs.values()), indexing="ij"
        )
        return not part.simulate(**dict(zip(part.inputs, operands, strict=True)))["p"].any()

    def _note(self, net: int, at: int, what: str) -> None:
        """Remember what must not happen, where the path now taken can be taken."""
        net = self._builder.and_(net, self._frames[-1].path) if self._frames else net
        if net == CONST1:
            self._source.fail(at, f"{what}, which C does not define")
        if net != CONST0:
            self.undefined.append(Undefined(net, at, what))


def _limits(width: int, signed: bool) -> tuple[int, int]:
    low, high = operand_range(width, signed)
    return low, high + 1


_VALUES: dict[type, Callable[[Expressions, Any], Word]] = {
    c.Number: Expressions._number,
    c.Name: Expressions._name,
    c.Unary: Expressions._unary,
    c.Assign: Expressions._assign,
    c.Cast: Expressions._cast,
    c.Conditional: Expressions._conditional,
}

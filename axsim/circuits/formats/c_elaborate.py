"""Running a C function on nets instead of numbers: what comes out is the circuit that it describes.

Loops run and functions are called as in C. A condition that depends on the operands becomes a net; both
branches are taken, and assignments under it choose between the new and the old value.
"""

from __future__ import annotations

from collections.abc import Sequence

from axsim.circuits.builder import Builder
from axsim.circuits.formats import c_tree as c
from axsim.circuits.formats.c_expressions import Array, Expressions, Frame, Variable
from axsim.circuits.formats.c_syntax import Parser
from axsim.circuits.formats.c_tokens import Source
from axsim.circuits.formats.c_words import Word, constant, value_of
from axsim.circuits.netlist import CONST0, CONST1

MAX_CALLS = 20  # functions within functions
MAX_ELEMENTS = 1 << 16
_TRUSTED_ROUNDS = 4  # of a loop, before it is asked whether any operands lead to another


class Elaborator(Expressions):
    """Runs functions of a text on nets of ``builder``; NetlistFileError for what cannot be run."""

    def __init__(self, source: Source, parser: Parser, unit: c.Unit, builder: Builder) -> None:
        super().__init__(source, builder)
        self._parser, self._unit = parser, unit
        self._bodies: dict[str, c.Block] = {}
        if unit.globals:
            self._frames.append(Frame(c.Function("", c.VOID, [], 0, 0, 0), [self._globals]))
            for declaration in unit.globals:
                self._declare(declaration, zeroed=True)
            self._frames.pop()

    def call(self, function: c.Function, arguments: Sequence[Word | Array], at: int) -> Word:
        """The value that a function returns for values of its parameters."""
        if len(arguments) != len(function.parameters):
            given, wanted = len(arguments), len(function.parameters)
            self._source.fail(at, f"{function.name!r} is called with {given} arguments, expected {wanted}")
        if len(self._frames) >= MAX_CALLS:
            self._source.fail(at, f"{function.name!r} is called more than {MAX_CALLS} calls deep")
        path = self._frames[-1].path if self._frames else CONST1
        self._at = self._at or at
        scope: dict[str, Variable | Array] = {}
        for parameter, argument in zip(function.parameters, arguments, strict=True):
            if isinstance(argument, Array) != parameter.is_array:
                what = "an array" if parameter.is_array else "a value"
                self._source.fail(at, f"{function.name!r} expects {what} as its {parameter.name!r}")
            scope[parameter.name] = (
                argument
                if isinstance(argument, Array)
                else Variable(parameter.type, self._words.convert(argument, parameter.type), CONST1)
            )
        if function.name not in self._bodies:
            self._bodies[function.name] = self._parser.body(function)
        frame = Frame(function, [scope], path)
        self._frames.append(frame)
        self._run(self._bodies[function.name])
        self._frames.pop()
        if function.type.bits == 0:
            return constant(0, c.INT)
        if frame.path != CONST0:
            self._note(frame.path, function.at, f"function {function.name!r} ends without returning a value")
        return frame.result or constant(0, function.type)

    # -- statements

    def _run(self, statement: c.Statement) -> None:
        frame = self._frames[-1]
        if frame.path == CONST0:
            return
        self._steps += 1
        self._check_size()
        if isinstance(statement, c.Block):
            frame.scopes.append({})
            for inner in statement.body:
                self._run(inner)
            frame.scopes.pop()
        elif isinstance(statement, c.Evaluate):
            self._value(statement.expression, wanted=False)
        elif isinstance(statement, c.Declare):
            self._declare(statement)
        elif isinstance(statement, c.If):
            self._branch(frame, statement)
        elif isinstance(statement, c.Loop):
            self._loop(frame, statement)
        else:
            self._leave(frame, statement)

    def _declare(self, declaration: c.Declare, zeroed: bool = False) -> None:
        scope, name = self._frames[-1].scopes[-1], declaration.name
        if declaration.type.bits == 0:
            self._source.fail(declaration.at, f"{name!r} is declared void, expected a type of integers")
        if name in scope and not zeroed:
            self._source.fail(declaration.at, f"{name!r} is declared twice")
        if declaration.sizes:
            scope[name] = self._array(declaration, zeroed)
            return
        if isinstance(declaration.initial, c.Initializer):
            self._source.fail(declaration.at, f"{name!r} is no array, expected one value for it")
        empty = constant(0, declaration.type)
        if declaration.initial is None:
            scope[name] = Variable(declaration.type, empty, CONST1 if zeroed else CONST0)
        else:
            value = self._words.convert(self._value(declaration.initial), declaration.type)
            scope[name] = Variable(declaration.type, value, CONST1)

    def _array(self, declaration: c.Declare, zeroed: bool) -> Array:
        initial = declaration.initial
        if initial is not None and not isinstance(initial, c.Initializer):
            self._source.fail(declaration.at, f"{declaration.name!r} is an array, expected {{...}} for it")
        sizes = []
        for place, size in enumerate(declaration.sizes):
            if size is None and (place or initial is None):
                self._source.fail(declaration.at, f"{declaration.name!r} has no size")
            sizes.append(
                len(initial.values) if size is None and initial else self._integer(size, declaration.at)
            )
        count = 1
        for number in sizes:
            count *= number
            if not 1 <= count <= MAX_ELEMENTS:
                self._source.fail(
                    declaration.at, f"{declaration.name!r} has {count} elements, expected 1 to {MAX_ELEMENTS}"
                )
        is_set = CONST1 if zeroed or initial is not None else CONST0
        elements = [Variable(declaration.type, constant(0, declaration.type), is_set) for _ in range(count)]
        array = Array(tuple(sizes), elements)
        if initial is not None:
            self._fill(array, initial, 0, 0)
        return array

    def _fill(self, array: Array, initial: c.Initializer, start: int, axis: int) -> None:
        """Set the elements from number ``start`` on, of the axis ``axis``, to what stands in braces."""
        if axis >= len(array.sizes) or len(initial.values) > array.sizes[axis]:
            self._source.fail(initial.at, f"too many initial values for an array of {array.sizes}")
        stride = len(array.elements)
        for size in array.sizes[: axis + 1]:
            stride //= size
        for number, value in enumerate(initial.values):
            place = start + number * stride
            if isinstance(value, c.Initializer):
                self._fill(array, value, place, axis + 1)
                continue
            if stride != 1:
                self._source.fail(initial.at, "expected braces for each row of the array")
            element = array.elements[place]
            element.value = self._words.convert(self._value(value), element.type)

    def _branch(self, frame: Frame, statement: c.If) -> None:
        after = CONST0
        for condition, body in statement.branches:
            path, taken = frame.path, self._words.truth(self._value(condition))
            frame.path = self._builder.and_(path, taken)
            self._run(body)
            after = self._builder.or_(after, frame.path)
            frame.path = self._builder.and_(path, self._builder.not_(taken))
            if frame.path == CONST0:
                break
        if statement.otherwise is not None:
            self._run(statement.otherwise)
        frame.path = self._builder.or_(after, frame.path)

    def _loop(self, frame: Frame, loop: c.Loop) -> None:
        frame.scopes.append({})
        for start in loop.start:
            self._run(start)
        breaks, continues, left = frame.breaks, frame.continues, CONST0
        frame.breaks, rounds = CONST0, 0
        tested = loop.tested_first
        while frame.path != CONST0:
            self._steps += 1
            self._at = loop.at
            self._check_size()
            if tested and loop.condition is not None:
                condition = self._words.truth(self._value(loop.condition))
                left = self._builder.or_(left, self._builder.and_(frame.path, self._builder.not_(condition)))
                frame.path = self._builder.and_(frame.path, condition)
                rounds += 1
                if rounds > _TRUSTED_ROUNDS and frame.path > CONST1 and self._never(frame.path):
                    frame.path = CONST0
            tested = True
            frame.continues = CONST0
            self._run(loop.body)
            frame.path = self._builder.or_(frame.path, frame.continues)
            for step in loop.step:
                self._run(step)
        frame.path = self._builder.or_(left, frame.breaks)
        frame.breaks, frame.continues = breaks, continues
        frame.scopes.pop()

    def _leave(self, frame: Frame, statement: c.Leave) -> None:
        if statement.how == "return":
            type_ = frame.function.type
            if statement.value is not None and type_.bits:
                value = self._words.convert(self._value(statement.value), type_)
                frame.result = (
                    value if frame.result is None else self._words.choose(frame.path, value, frame.result)
                )
            elif type_.bits:
                self._source.fail(statement.at, f"return without a value in {frame.function.name!r}")
        elif statement.how == "break":
            frame.breaks = self._builder.or_(frame.breaks, frame.path)
        else:
            frame.continues = self._builder.or_(frame.continues, frame.path)
        frame.path = CONST0

    def _call(self, call: c.Call, wanted: bool) -> Word:
        function = self._unit.functions.get(call.name)
        if function is None:
            self._source.fail(call.at, f"function {call.name!r} is not in this text")
        if wanted and function.type.bits == 0:
            self._source.fail(call.at, f"function {call.name!r} returns nothing, a value was expected")
        arguments: list[Word | Array] = []
        for argument in call.arguments:
            named = self._find(argument) if isinstance(argument, c.Name) and not argument.indices else None
            arguments.append(named if isinstance(named, Array) else self._value(argument))
        return self.call(function, arguments, call.at)

    def _integer(self, expression: c.Expression | None, at: int) -> int:
        value = value_of(self._value(expression)) if expression is not None else None
        if value is None:
            self._source.fail(at, "a size that depends on the operands, expected a constant")
        return value

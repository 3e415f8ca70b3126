"""Statements of always blocks and functions, carried out on bits that the circuit computes.

A variable holds bits. Where a condition is computed both ways are gone, and multiplexers choose between what
they leave behind. Loops run as often as their constant conditions say.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from axsim.circuits.formats.verilog.ast import (
    Assignment,
    Call,
    Case,
    Concatenation,
    Declaration,
    Expression,
    For,
    If,
    Name,
    Nothing,
    Number,
    Parameters,
    Repeat,
    Sequence,
    Statement,
    ValueType,
)
from axsim.circuits.formats.verilog.declarations import declare_parameters, make_signal, type_width
from axsim.circuits.formats.verilog.expressions import Evaluator, Type
from axsim.circuits.formats.verilog.graph import Bits, equal
from axsim.circuits.formats.verilog.scope import Constant, Scope, Signal, constant_value
from axsim.circuits.formats.verilog.selects import find_place, write_place
from axsim.circuits.formats.verilog.tree import MeaningError

MAX_ROUNDS = 1_024
"""Most rounds of one loop."""

Values = dict[Signal, Bits]
_State = tuple[Values, Values]
"""What variables hold, and what they will hold by ``<=``."""
_Pattern = tuple[int, int, int]  # branch, value, mask of the bits that count


class Procedure(Evaluator):
    """Carries out statements; also the evaluator of all expressions, since these may call functions.

    Attributes:
        values: what the variables hold that were assigned.
        later: what is assigned by ``<=``, which nothing in the procedure sees.
        own: variables that a function may assign: its own; None in an always block, which may assign all.
    """

    later: Values
    own: set[Signal] | None = None

    def run(self, statement: Statement) -> None:
        """Carry out a statement."""
        self.shared.charge(4, statement.pos)
        match statement:
            case Assignment():
                self.assign(statement)
            case Sequence():
                self._sequence(statement)
            case If():
                self._if(statement)
            case Case():
                self._case(statement)
            case For():
                self._for(statement)
            case Repeat():
                rounds = self.constant(statement.count)
                if rounds > MAX_ROUNDS:
                    raise MeaningError(f"a loop of more than {MAX_ROUNDS:,} rounds", statement.pos)
                for _ in range(rounds):
                    self.run(statement.body)
            case Nothing():
                pass

    # ----- assignments

    def assign(self, statement: Assignment) -> None:
        """Carry out an assignment."""
        width = self.type_of(statement.target)[0]
        bits = self.assigned(statement.value, width)
        for target, part in self.targets(statement.target, bits):
            symbol = self.scope.get(target)
            if isinstance(symbol, Constant):
                raise MeaningError(f"{target.name!r} is a constant and is not assigned", target.pos)
            if not symbol.variable:
                raise MeaningError(
                    f"{target.name!r} is a net; a procedure assigns variables (reg)", target.pos
                )
            if self.own is not None and symbol not in self.own:
                raise MeaningError(f"a function assigns {target.name!r}, which is not its own", target.pos)
            self._store(symbol, target, part, statement)

    def targets(self, target: Expression, bits: Bits) -> list[tuple[Name, Bits]]:
        """The names of a target and the bits for each."""
        if isinstance(target, Name):
            return [(target, bits)]
        if not isinstance(target, Concatenation):
            raise MeaningError("a net, a variable or { } of such is expected here", target.pos)
        found = []
        for part in reversed(target.parts):
            width = self.type_of(part)[0]
            found += self.targets(part, bits[:width])
            bits = bits[width:]
        return found

    def _store(self, symbol: Signal, target: Name, bits: Bits, statement: Assignment) -> None:
        values, other = (self.later, self.values) if statement.later else (self.values, self.later)
        if symbol in other:
            raise MeaningError(f"{target.name!r} is assigned by both = and <=", target.pos)
        if not target.selects:
            if symbol.unpacked:
                raise MeaningError(f"the array {target.name!r} can only be used word by word", target.pos)
            values[symbol] = bits
            return
        place = find_place(symbol, target, self.index, self.shared)
        held = values.get(symbol, symbol.bits)
        values[symbol] = write_place(held, place, bits, self.shared, target.pos)

    # ----- sequences and conditions

    def _sequence(self, sequence: Sequence) -> None:
        outer = self.scope
        if sequence.declarations:
            self.scope = Scope(outer.path, outer)
            self.declare(sequence.declarations)
        for statement in sequence.statements:
            self.run(statement)
        self.scope = outer

    def declare(self, declarations: list[Declaration | Parameters]) -> None:
        """Declare variables, which are x until they are assigned, and constants."""
        for declaration in declarations:
            if isinstance(declaration, Parameters):
                declare_parameters(self, declaration, {})
                continue
            for declarator in declaration.names:
                if declarator.value is not None:
                    raise MeaningError("a variable with a first value keeps it; assign it", declarator.pos)
                if declaration.direction == "output":
                    raise MeaningError("a function has inputs only, and its own value", declarator.pos)
                unset = self.graph.unknown(
                    f"{declarator.name!r} is read before it is assigned", declarator.pos
                )
                signal = make_signal(self, declaration, declarator, self.scope, [unset])
                signal.variable = True
                self.scope.declare(declarator.name, signal, declarator.pos)
                if self.own is not None:
                    self.own.add(signal)

    def _branch(self, statement: Statement | None, before: _State) -> _State:
        """What the variables hold behind a statement, from what they held before it."""
        self.values, self.later = dict(before[0]), dict(before[1])
        if statement is not None:
            self.run(statement)
        return self.values, self.later

    def _if(self, statement: If) -> None:
        before = self.values, self.later
        taken: list[tuple[int, _State]] = []
        for condition, body in reversed(statement.branches):
            self.values, self.later = before
            truth = self.truth(condition)
            if truth != 0:
                taken.append((truth, self._branch(body, before)))
            if truth == 1:
                break
        else:
            taken.append((1, self._branch(statement.otherwise, before)))
        result = taken.pop()[1]
        for truth, values in reversed(taken):
            result = self._merge(truth, values, result, statement.pos)
        self.values, self.later = result

    def _merge(self, select: int, at_1: _State, at_0: _State, pos: int) -> _State:
        if select <= 1:
            return at_1 if select else at_0
        if at_1 is at_0:
            return at_1
        mux, merged = self.graph.mux, []
        for ones, zeros in zip(at_1, at_0, strict=True):
            values: Values = {}
            for signal in (*ones, *(other for other in zeros if other not in ones)):
                one, zero = ones.get(signal, signal.bits), zeros.get(signal, signal.bits)
                if one is not zero:
                    self.shared.charge(len(one) // 8, pos)
                    one = [mux(select, x, y) for x, y in zip(one, zero, strict=True)]
                values[signal] = one
            merged.append(values)
        return merged[0], merged[1]

    # ----- case

    def _case(self, statement: Case) -> None:
        before = self.values, self.later
        items = [item for values, _ in statement.branches for item in values or ()]
        width, signed = self.common_type([statement.selector, *items])
        selector = self.evaluate(statement.selector, width, signed)
        patterns: list[_Pattern] = []
        constant = True
        for branch, (values, _) in enumerate(statement.branches):
            for item in values or ():
                pattern = self._pattern(item, width, signed, statement.kind)
                constant &= pattern is not None
                if pattern is not None and pattern[1] >= 0:
                    patterns.append((branch, *pattern))
        default = next((k for k, (values, _) in enumerate(statement.branches) if values is None), -1)
        ends: dict[int, _State] = {}

        def end(branch: int) -> _State:
            branch = default if branch < 0 else branch
            if branch not in ends:
                body = statement.branches[branch][1] if branch >= 0 else None
                ends[branch] = self._branch(body, before)
            return ends[branch]

        if constant:
            result = self._choose(patterns, 0, selector, end, statement.pos)
        else:
            result = end(-1)
            for branch, (values, _) in reversed(list(enumerate(statement.branches))):
                self.values, self.later = before
                matches = [
                    self._match(item, selector, width, signed, statement.kind) for item in values or ()
                ]
                if matches:
                    matched = self.graph.tree(14, matches, 0)
                    result = self._merge(matched, end(branch), result, statement.pos)
        self.values, self.later = result

    def _pattern(self, item: Expression, width: int, signed: bool, kind: str) -> tuple[int, int] | None:
        """Value and mask of a constant item; value -1: nothing matches; None: it is not constant."""
        if isinstance(item, Number) and (item.unknown or item.high_z):
            wild = item.high_z | (item.unknown if kind == "casex" else 0)
            own = item.width or 32
            if kind == "case" or (item.unknown | item.high_z) & ~wild or item.fill:
                return -1, 0
            top = wild >> (own - 1) & 1
            above = ((1 << width) - (1 << own)) if top and item.width is None else 0
            full = (1 << width) - 1
            return item.value & ~wild, full & ~(wild | above)
        bits = self.evaluate(item, width, signed)
        value = constant_value(bits, False)
        return None if value is None else (value, (1 << width) - 1)

    def _match(self, item: Expression, selector: Bits, width: int, signed: bool, kind: str) -> int:
        pattern = self._pattern(item, width, signed, kind)
        if pattern is None:
            return equal(self.graph, selector, self.evaluate(item, width, signed))
        value, mask = pattern
        if value < 0:
            return 0
        bits = [
            bit if value >> k & 1 else self.graph.not_(bit) for k, bit in enumerate(selector) if mask >> k & 1
        ]
        return self.graph.tree(8, bits, 1)

    def _choose(
        self,
        patterns: list[_Pattern],
        decided: int,
        selector: Bits,
        end: Callable[[int], _State],
        pos: int,
    ) -> _State:
        """What the first pattern that matches leaves behind: a tree over the selector's bits."""
        self.shared.charge(1 + len(patterns) // 8, pos)
        if not patterns:
            return end(-1)
        branch, _, mask = patterns[0]
        undecided = mask & ~decided
        if not undecided:
            return end(branch)
        k = undecided.bit_length() - 1
        bit = selector[k]
        sides: list[_State] = []
        for wanted in (1, 0) if bit > 1 else (bit,):
            left = [p for p in patterns if not p[2] >> k & 1 or p[1] >> k & 1 == wanted]
            sides.append(self._choose(left, decided | 1 << k, selector, end, pos))
        return sides[0] if bit <= 1 else self._merge(bit, sides[0], sides[1], pos)

    # ----- loops

    def _for(self, loop: For) -> None:
        outer = self.scope
        if loop.variable is not None:
            self.scope = Scope(outer.path, outer)
            self.declare([loop.variable])
        if loop.start is not None:
            self.run(loop.start)
        for rounds in count():
            if rounds == MAX_ROUNDS:
                raise MeaningError(f"a loop of more than {MAX_ROUNDS:,} rounds", loop.pos)
            truth = self.truth(loop.condition)
            if truth > 1:
                raise MeaningError(
                    "a loop's condition must be constant: it cannot wait for signals", loop.pos
                )
            if truth == 0:
                break
            self.run(loop.body)
            if loop.step is not None:
                self.run(loop.step)
        self.scope = outer

    # ----- functions

    def declared_type(self, declared: ValueType, scope: Scope) -> Type:
        """Width and sign of a type as declared in a scope."""
        return type_width(Procedure.of(self, scope), declared), declared.signed

    @classmethod
    def of(cls, outer: Evaluator, scope: Scope, values: Values | None = None) -> Procedure:
        """A procedure in another scope, one call deeper."""
        procedure = cls(outer.shared, scope, values, outer.depth + 1)
        procedure.later = {}
        return procedure

    def call_function(self, call: Call) -> Bits:
        """Carry out a call: the bits of the function's value."""
        symbol = self.function(call)
        function = symbol.function
        scope = Scope(f"{symbol.scope.path}{function.name}.", symbol.scope)
        inner = Procedure.of(self, scope, dict(self.values))
        inner.own = set()
        width, signed = self.declared_type(function.type, symbol.scope)
        unset = self.graph.unknown(
            f"function {function.name!r} does not always assign its value", function.pos
        )
        result = Signal(scope.path, function.pos, signed, ((width - 1, 0),), 0, [unset] * width, True)
        scope.declare(function.name, result, function.pos)
        inner.own.add(result)
        inner.declare(function.declarations)
        inputs = [
            scope.names[declarator.name]
            for declaration in function.declarations
            if isinstance(declaration, Declaration) and declaration.direction == "input"
            for declarator in declaration.names
        ]
        if len(inputs) != len(call.arguments):
            raise MeaningError(
                f"function {call.name!r} has {len(inputs)} inputs, {len(call.arguments)} came", call.pos
            )
        for signal, argument in zip(inputs, call.arguments, strict=True):
            assert isinstance(signal, Signal)
            inner.values[signal] = self.assigned(argument, signal.width)
        for statement in function.body:
            inner.run(statement)
        for signal, pos in inner.reads.items():
            if signal not in inner.own:
                self.reads.setdefault(signal, pos)
        self.early.update(inner.early)
        if inner.later:
            raise MeaningError(f"function {call.name!r} assigns with <=", call.pos)
        return inner.values.get(result, result.bits)

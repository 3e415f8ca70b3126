"""Which C expressions leave open in what order a variable is changed and used (C11, 6.5, paragraph 2).

``x = x++ + 1`` and ``t[i] = i++`` may come out as any compiler likes, and no two need agree.
"""

from __future__ import annotations

from collections.abc import Iterable

from axsim.circuits.formats import c_tree as c

_IN_ORDER = ("&&", "||")  # what stands on the left is done first


class UnsequencedError(Exception):
    """An assignment to a variable that is used, or changed, elsewhere in no stated order."""

    def __init__(self, assign: c.Assign) -> None:
        super().__init__(assign)
        self.assign = assign


class _Uses:
    """The variables that an expression uses, and the last change that it makes to each."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.changed: dict[str, c.Assign] = {}

    def __ior__(self, other: _Uses) -> _Uses:
        self.read |= other.read
        self.changed |= other.changed
        return self


def check(expression: c.Expression) -> None:
    """Raise UnsequencedError where an order is left open.

    An array counts as one variable: which element is meant may depend on the operands.
    """
    _uses(expression)


def _uses(expression: c.Expression) -> _Uses:
    found = _Uses()
    if isinstance(expression, c.Name):
        found |= _in_any_order(expression.indices)
        found.read.add(expression.name)
    elif isinstance(expression, c.Unary | c.Cast):
        found |= _uses(expression.operand)
    elif isinstance(expression, c.Call):
        found |= _in_any_order(expression.arguments)
    elif isinstance(expression, c.Conditional):
        for part in (expression.condition, expression.then, expression.otherwise):
            found |= _uses(part)
    elif isinstance(expression, c.Chain):
        parts = [expression.first, *(part for _, part, _ in expression.rest)]
        if expression.rest[0][0] not in _IN_ORDER:
            return _in_any_order(parts)
        for part in parts:
            found |= _uses(part)
    elif isinstance(expression, c.Assign):
        target = expression.target
        found |= _in_any_order([*target.indices, expression.value])
        if target.name in found.changed:
            raise UnsequencedError(expression)
        if expression.op:
            found.read.add(target.name)
        found.changed[target.name] = expression
    return found


def _in_any_order(parts: Iterable[c.Expression]) -> _Uses:
    """The uses of parts of which none is said to be first."""
    found = _Uses()
    for part in parts:
        one = _uses(part)
        for mine, other in ((found, one), (one, found)):
            for name, assign in mine.changed.items():
                if name in other.read or name in other.changed:
                    raise UnsequencedError(assign)
        found |= one
    return found

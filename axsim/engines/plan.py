"""Which engine is taken, and why: what ``axsim.explain`` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import signs_of
from axsim.tables.product import ProductTable


class Subject(NamedTuple):
    """What is multiplied with: a multiplier's table, its folded form, the types of that, and its name."""

    product: ProductTable
    folded: FoldedTable
    a_dtype: np.dtype[Any]
    b_dtype: np.dtype[Any]
    name: str = "the table"

    @property
    def signs(self) -> tuple[bool, bool]:
        """Of the left and the right operand: whether the sign stands beside the magnitude."""
        return signs_of(self.a_dtype, self.b_dtype)

    @property
    def types(self) -> str:
        """In words: "uint8 by int8"."""
        return f"{self.a_dtype} by {self.b_dtype}"


@dataclass(frozen=True)
class Candidate:
    """An engine, whether it can be used, what there is to say of it, and, on a GPU, its predicted seconds."""

    engine: str
    usable: bool
    note: str
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """What ``axsim.explain`` returns: the candidates and the choice; ``print`` shows it as a table.

    Attributes:
        work: what is to be computed, in words.
        candidates: engines; the factored one once for each type that its products can be made in.
        choice: the ``engine`` of the candidate that is used.
        rule: what decided, with the constant that it rests on.
    """

    work: str
    candidates: tuple[Candidate, ...]
    choice: str
    rule: str

    def __str__(self) -> str:
        lines = [self.work]
        for candidate in self.candidates:
            mark = "->" if candidate.engine == self.choice else "  " if candidate.usable else " x"
            lines.append(f"{mark} {candidate.engine:<17} {_in_words(candidate.seconds)}{candidate.note}")
        return "\n".join([*lines, f"rule: {self.rule}"])


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit} predicted: "
    return f"{seconds * 1e6:.3g} us predicted: "

"""Kinds of experiments by name: what a kind measures, and which settings it knows."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axsim.robustness.cells import Cell, code_hash
from axsim.robustness.checks import Verdict
from axsim.robustness.names import near
from axsim.robustness.store import Measured, Shared

REQUIRED: Any = object()
"""The default of a setting that every experiment file must give."""


@dataclass(frozen=True)
class Setting:
    """A setting that a kind of experiment knows.

    Attributes:
        check: takes a value of an experiment file and returns it as cells are to have it. Raises ValueError
            or TypeError with a message that says what was expected, and near names.
        default: of cells whose file does not give it.
    """

    check: Callable[[Any], Any]
    default: Any = REQUIRED


@dataclass(frozen=True)
class Experiment:
    """A kind of experiment.

    Attributes:
        kind: its name in experiment files.
        run: measures a cell; takes arrays that other cells need, too, from the second argument. What it
            returns is kept (see :class:`axsim.robustness.store.Measured`). Reports know these results: a
            number; a :class:`~axsim.robustness.intervals.Rate`; ``examples``, a list of mappings with
            ``image`` and ``adversarial``, arrays ``(channels, height, width)`` in [0, 1], and ``caption``;
            ``checks``, a list of :class:`~axsim.robustness.checks.Verdict`.
        settings: that it knows, by name. One called ``images`` is what ``--images`` sets.
        modules: whose code the results depend on, by dotted name; see
            :func:`axsim.robustness.cells.code_hash`.
        check: of a whole cell; raises ValueError for settings that do not go together.
        checks: further checks, of all cells together, made for the report.
        results: numbers that a report may show, by dotted name; a share counts as one, and so do its parts.
            Without them a name that no result has is told when the report is made.
        files: the files that a cell's settings name, whose content its results depend on.
    """

    kind: str
    run: Callable[[Cell, Shared], Mapping[str, Any]]
    settings: Mapping[str, Setting]
    modules: Sequence[str]
    check: Callable[[Cell], None] = field(default=lambda cell: None)
    checks: Callable[[Sequence[Measured]], Sequence[Verdict]] = field(default=lambda measured: ())
    results: Sequence[str] = ()
    files: Callable[[Cell], Iterable[Path]] = field(default=lambda cell: ())

    def code(self) -> str:
        """What names the code that its results depend on."""
        return code_hash(*self.modules)

    def code_and_files(self, cells: Iterable[Cell]) -> str:
        """The same and the files that the cells name; a file that is not there counts by its name."""
        named = sorted({path for cell in cells for path in self.files(cell)})
        if not named:
            return self.code()
        return hashlib.sha256("\n".join([self.code(), *map(_content, named)]).encode()).hexdigest()

    def with_shared(self, shared: Shared) -> Run:
        """What measures a cell in any process that has the code of this one."""
        return Run(self.run, shared, tuple(self.modules))


@dataclass(frozen=True)
class Run:
    """Measures a cell; RuntimeError in a process that has other code than ``shared`` is for."""

    run: Callable[[Cell, Shared], Mapping[str, Any]]
    shared: Shared
    modules: tuple[str, ...]

    def __call__(self, cell: Cell) -> Mapping[str, Any]:
        if _code_here(self.modules) != self.shared.code:
            raise RuntimeError(
                "the code of this process is not that of the sweep: another version is installed here, or it "
                "was changed meanwhile"
            )
        return self.run(cell, self.shared)


def _content(path: Path) -> str:
    if not path.is_file():
        return path.name
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _code_here(modules: tuple[str, ...]) -> str:
    """The code as it was when this process first measured something."""
    return code_hash(*modules)


_kinds: dict[str, Experiment] = {}


def register(experiment: Experiment) -> Experiment:
    """Make a kind of experiment known by its name.

    Raises:
        ValueError: the name is another one's.
    """
    if _kinds.setdefault(experiment.kind, experiment) is not experiment:
        raise ValueError(f"kind {experiment.kind!r} is another experiment's name")
    return experiment


def list_kinds() -> tuple[str, ...]:
    """The names of all kinds of experiments that are known."""
    return tuple(sorted(_kinds))


def get(kind: str) -> Experiment:
    """The experiment of that name.

    Raises:
        ValueError: there is none; the message has near names.
    """
    return _kinds[one_of(list_kinds, "a kind of experiment")(kind)]


def one_of(names: Callable[[], Iterable[str]], what: str) -> Callable[[Any], Any]:
    """A check: one of the names that ``names()`` knows by then.

    >>> one_of(lambda: ["fgsm", "pgd"], "an attack")("pdg")
    Traceback (most recent call last):
        ...
    ValueError: 'pdg' is not the name of an attack: did you mean pgd?
    """

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} came, the name of {what} was expected")
        known = tuple(names())
        if value not in known:
            raise ValueError(f"{value!r} is not the name of {what}: {near(value, known)}")
        return value

    return check


def number(
    low: float = float("-inf"), high: float = float("inf"), whole: bool = False
) -> Callable[[Any], Any]:
    """A check: a number from ``low`` to ``high``, or a whole one.

    >>> number(0)(-0.5)
    Traceback (most recent call last):
        ...
    ValueError: -0.5 came, a number from 0 on was expected
    """
    kind = "a whole number" if whole else "a number"
    span = (
        f" from {low:g}" + (f" to {high:g}" if high < float("inf") else " on") if low > float("-inf") else ""
    )

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (whole and value % 1):
            raise TypeError(f"{value!r} came, {kind}{span} was expected")
        if not low <= value <= high:
            raise ValueError(f"{value!r} came, {kind}{span} was expected")
        return value

    return check

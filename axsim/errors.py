"""The errors that axsim raises beyond plain ``ValueError`` and ``TypeError``."""

from __future__ import annotations

import os
from functools import partial
from typing import Any


class NetlistError(ValueError):
    """A netlist that is not a combinational circuit: a cycle, an undriven net, a bus of the wrong width."""


class NetlistFileError(NetlistError):
    """A text that cannot be read as a circuit; the message starts with ``file:line:column:``.

    Args:
        what: what came and what was expected.
        path: the file's name, or what the text is called where there is no file. Default: not told yet.
        line, column: where, counted from 1. Default: not told, as for something that is missing.

    Attributes:
        what, path, line, column: as given.

    >>> str(NetlistFileError("'?' came, a number was expected", path="mul.v", line=3, column=14))
    "mul.v:3:14: '?' came, a number was expected"
    """

    def __init__(
        self,
        what: str,
        *,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.what, self.line, self.column = what, line, column
        self.path = None if path is None else os.fspath(path)
        place = [str(part) for part in (self.path, line, column) if part is not None]
        super().__init__(f"{':'.join(place)}: {what}" if place else what)

    def __reduce__(self) -> tuple[Any, ...]:
        make = partial(type(self), path=self.path, line=self.line, column=self.column)
        return make, (self.what,)


class BlifError(NetlistFileError):
    """A BLIF text that cannot be read."""


class TableError(ValueError):
    """A stored table that is missing, truncated, altered or of an unknown version."""


class UnknownMultiplierError(ValueError):
    """A multiplier name that nothing answers to; the message suggests near names."""


class UnknownAttackError(ValueError):
    """An attack name that nothing answers to; the message suggests near names."""


class AccumulatorOverflowError(ValueError):
    """A sum of products that could leave the range of its output type."""


class GpuUnavailableError(RuntimeError):
    """Work for a GPU where none can be used.

    Attributes:
        reason: what is missing; the message says it too.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; `axsim doctor` says more; operands in main memory need no GPU")
        self.reason = reason


class WeightsError(ValueError):
    """Trained weights that are missing, damaged, or of another network."""


class DatasetError(ValueError):
    """A data set that is missing, truncated or altered; the message says where it was looked for."""

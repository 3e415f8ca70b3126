"""The errors that axsim raises beyond plain ``ValueError`` and ``TypeError``."""

from __future__ import annotations


class NetlistError(ValueError):
    """A netlist that is not a combinational circuit: a cycle, an undriven net, a bus of the wrong width."""


class BlifError(NetlistError):
    """A BLIF text that cannot be read; the message names the line."""


class TableError(ValueError):
    """A stored table that is missing, truncated, altered or of an unknown version."""


class UnknownMultiplierError(ValueError):
    """A multiplier name that nothing answers to; the message suggests near names."""


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

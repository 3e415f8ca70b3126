"""What a reader of circuit files may be told beside the text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadOptions:
    """What the text of a circuit does not say, or what is to count instead of what it says.

    Args:
        path: where the text comes from: named in messages, and its folder is where ``include`` looks first.
        top: the model or module that is the circuit. Default: the one that no other uses.
        signed: whether the buses hold two's complement numbers. Default: as the text says, where its format
            can; else unsigned.
        operands: names of the buses that are the left and the right operand. Default: the order of the text.
        widths: bits of the left and of the right operand, for a text that does not say them (C).
        library: text of a cell library (genlib, or Verilog modules) for cells that the text only names.
        include: folders in which files that the text includes are looked for, after that of ``path``.

    >>> ReadOptions(top="mul8").signed is None
    True
    """

    path: Path | None = None
    top: str | None = None
    signed: bool | None = None
    operands: tuple[str, str] | None = None
    widths: tuple[int, int] | None = None
    library: str | None = None
    include: tuple[Path, ...] = ()


DEFAULTS = ReadOptions()
"""All as the text says."""

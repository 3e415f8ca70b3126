"""Full-adder cells, exact and approximate, as truth tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class FullAdder:
    """A cell with inputs A, B, Cin and outputs sum and carry.

    ``sum`` and ``carry`` are strings of eight 0s and 1s: character ``4*A + 2*B + Cin`` is the output for
    these inputs. ``source`` says where the cell comes from. ValueError for any other string.

    >>> FullAdder("copy", sum="00110011", carry="00001111").sum[4 * 0 + 2 * 1 + 1]
    '1'
    """

    name: str
    sum: str
    carry: str
    source: str = ""

    def __post_init__(self) -> None:
        for output, truth in (("sum", self.sum), ("carry", self.carry)):
            if len(truth) != 8 or set(truth) - {"0", "1"}:
                raise ValueError(
                    f"cell {self.name!r}: {output} must be eight characters 0 or 1, not {truth!r}"
                )


_GUPTA = (
    "V. Gupta, D. Mohapatra, A. Raghunathan, K. Roy, Low-power digital signal processing using approximate "
    "adders, IEEE TCAD 32(1), 2013, doi 10.1109/TCAD.2012.2217962"
)
_MAHDIANI = (
    "after the lower-part-OR adder of H. R. Mahdiani et al., Bio-inspired imprecise computational blocks, "
    "IEEE TCAS-I 57(4), 2010, doi 10.1109/TCSI.2009.2027626"
)

CELLS: Mapping[str, FullAdder] = MappingProxyType(
    {
        cell.name: cell
        for cell in (
            FullAdder("exact", sum="01101001", carry="00010111", source="the full adder"),
            FullAdder("ama1", sum="01000001", carry="00110111", source=_GUPTA),
            FullAdder("ama2", sum="11101000", carry="00010111", source=_GUPTA),
            FullAdder("ama3", sum="11001000", carry="00110111", source=_GUPTA),
            FullAdder("ama4", sum="01010001", carry="00001111", source=_GUPTA),
            FullAdder("ama5", sum="00110011", carry="00001111", source=_GUPTA),
            FullAdder("or", sum="01111111", carry="00000000", source=_MAHDIANI),
        )
    }
)
"""The built-in cells by name. "or" merges its three inputs by OR and never carries."""


def get_cell(cell: str | FullAdder) -> FullAdder:
    """Return the built-in cell of that name, or the cell itself; ValueError for an unknown name.

    >>> get_cell("ama5").carry
    '00001111'
    """
    if isinstance(cell, FullAdder):
        return cell
    if cell not in CELLS:
        raise ValueError(f"unknown full-adder cell {cell!r}; the built-in ones are {', '.join(CELLS)}")
    return CELLS[cell]

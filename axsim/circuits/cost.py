"""What a circuit costs. Gate counts and depth are :meth:`Netlist.gate_counts` and :attr:`Netlist.depth`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from axsim.circuits.netlist import Netlist

TRANSISTORS: Mapping[str, int] = MappingProxyType(
    {
        "const": 0,
        "not": 2,
        "buf": 4,  # two inverters
        "nand": 4,
        "nor": 4,
        "and": 6,  # nand, inverter
        "or": 6,  # nor, inverter
        "andnot": 6,  # nor behind an inverter
        "ornot": 6,  # nand behind an inverter
        "xor": 12,  # complementary network of 8, an inverter for each input
        "xnor": 12,
    }
)
"""Transistors of each kind of gate in complementary static CMOS."""


def transistor_count(netlist: Netlist) -> int:
    """Return an estimate of a circuit's transistors: those of its gates, in complementary static CMOS.

    An n-input NAND or NOR takes 2n transistors, an inverter 2, and other gates are made of those
    (``TRANSISTORS``), as in N. H. E. Weste, D. M. Harris, CMOS VLSI Design, 4th ed., 2011, section 1.4. Gates
    are counted one by one: compound gates, pass transistors and mirror adders would take fewer.

    >>> from axsim.circuits import exact
    >>> transistor_count(exact(2))
    60
    """
    return sum(TRANSISTORS[kind] * count for kind, count in netlist.gate_counts().items())

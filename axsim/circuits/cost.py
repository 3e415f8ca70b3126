"""What a circuit costs: in unit gates, in transistors, in switching. Estimates; none is a published figure.

The unit-gate model counts a two-input AND, OR, NAND or NOR (also with one input inverted) as area 1 and delay
1, an XOR or XNOR as area 2 and delay 2, inverters and buffers as nothing. It is that of A. Tyagi, A
reduced-area scheme for carry-select adders, IEEE Transactions on Computers 42(10), 1993, doi
10.1109/12.257703. It knows no wires, no fan-out and no sizes of transistors: it compares structures, and is
best read as a ratio to the exact array multiplier of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from axsim.circuits.activity import SAMPLES, Statistics, Uniform, is_sampled, toggles
from axsim.circuits.arrays import baugh_wooley, exact
from axsim.circuits.netlist import GATE_NAMES, Netlist

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

UNIT_GATES: Mapping[str, int] = MappingProxyType(
    {
        "const": 0,
        "not": 0,
        "buf": 0,
        "nand": 1,
        "nor": 1,
        "and": 1,
        "or": 1,
        "andnot": 1,
        "ornot": 1,
        "xor": 2,
        "xnor": 2,
    }
)
"""Area, and also delay, of each kind of gate in the unit-gate model."""


@dataclass(frozen=True)
class Cost:
    """What a circuit costs by estimates.

    Attributes:
        gates: two-input gates, inverters included.
        area: in unit gates.
        delay: of the longest path, in unit gates.
        depth: gates on the longest path, inverters included.
        transistors: as :func:`transistor_count`.
        toggles: outputs of gates that change in an operation, on average; glitches are not counted.
        switched: the same, each output counted with its gate's unit area: a stand-in for dynamic energy.
        samples: of operand pairs that ``toggles`` and ``switched`` were estimated on; 0 for all of them.
    """

    gates: int
    area: int
    delay: int
    depth: int
    transistors: int
    toggles: float
    switched: float
    samples: int = 0

    def relative_to(self, other: Cost) -> dict[str, float]:
        """Return each figure, but ``samples``, as a fraction of another's; NaN where that is 0.

        >>> from axsim.circuits import exact, truncated
        >>> cost(truncated(8, 4)).relative_to(cost(exact(8)))["area"]
        0.8773584905660378
        """
        names = ("gates", "area", "delay", "depth", "transistors", "toggles", "switched")
        return {
            name: getattr(self, name) / getattr(other, name) if getattr(other, name) else np.nan
            for name in names
        }


def cost(netlist: Netlist, statistics: Statistics = Uniform()) -> Cost:  # noqa: B008 (a value)
    """Return what a two-operand circuit costs; the module's docstring says what the figures mean.

    Args:
        netlist: the circuit; gates are counted as they are, nothing is optimised.
        statistics: of the operands: ``Uniform()``, ``Histograms(a, b)`` or ``Samples(a, b)``.

    Raises:
        NetlistError: the circuit has not two operands.
        TypeError, ValueError: the statistics do not fit the circuit.

    >>> from axsim.circuits import exact
    >>> cost(exact(2))
    Cost(gates=8, area=10, delay=4, depth=3, transistors=60, toggles=2.5078125, switched=3.28125, samples=0)
    """
    units = np.array([UNIT_GATES[name] for name in GATE_NAMES])[netlist.ops]
    flips = toggles(netlist, statistics)
    samples = SAMPLES if is_sampled(netlist, statistics) else 0
    return Cost(
        gates=netlist.n_gates,
        area=int(units.sum()),
        delay=_delay(netlist, units.tolist()),
        depth=netlist.depth,
        transistors=transistor_count(netlist),
        toggles=float(flips.sum()),
        switched=float(flips @ units),
        samples=samples,
    )


def exact_like(netlist: Netlist) -> Netlist:
    """Return the exact array multiplier of the same widths and sign, which costs are compared with.

    It is :func:`axsim.circuits.exact`, or :func:`axsim.circuits.baugh_wooley` for a signed circuit.

    >>> from axsim.circuits import truncated
    >>> exact_like(truncated(6, 2))
    <Netlist exact6: a[6], b[6] -> p[12], unsigned, 168 gates>
    """
    make = baugh_wooley if netlist.signed else exact
    return make(netlist.a_bits, netlist.b_bits)


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


def _delay(netlist: Netlist, units: list[int]) -> int:
    arrival = [0] * netlist.first_gate
    for unit, (x, y) in zip(units, netlist.sources.tolist(), strict=True):
        arrival.append(unit + max(arrival[x], arrival[y]))
    return max((arrival[net] for nets in netlist.outputs.values() for net in nets), default=0)

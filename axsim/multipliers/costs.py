"""What a multiplier costs: estimates of its netlist, and published figures, which are never mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from axsim.circuits.activity import Statistics, Uniform
from axsim.circuits.cost import Cost, cost, exact_like
from axsim.circuits.netlist import Netlist
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.integer import Multiplier
from axsim.once import Kept

PUBLISHED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "published_power": ("PDK45_PWR", "power", "mW"),
        "published_area": ("PDK45_AREA", "area", "µm²"),
        "published_delay": ("PDK45_DELAY", "delay", "ns"),
    }
)
"""Names here of cost figures that circuits' authors print: their label, what it is, its unit."""

_exact: Kept[Cost] = Kept(16)


@dataclass(frozen=True)
class Estimate:
    """Estimates of a circuit's cost, and what they are relative to.

    Attributes:
        own: of the multiplier's netlist.
        exact: of the exact array multiplier of the same widths and sign, by the same operands.
        exact_name: what that is called.
        note: what the netlist is, where it is not the circuit that was published; or "".
    """

    own: Cost
    exact: Cost
    exact_name: str
    note: str

    @property
    def relative(self) -> dict[str, float]:
        """Each figure as a fraction of the exact multiplier's."""
        return self.own.relative_to(self.exact)


def estimate(multiplier: Multiplier, statistics: Statistics = Uniform()) -> Estimate | None:  # noqa: B008
    """Estimates of a multiplier's cost; None where there are no gates to count.

    A multiplier from a library file has those that were made when its circuit was read, for uniform operands.

    Args:
        multiplier: an integer multiplier.
        statistics: of the operands; ``axsim.circuits`` has ``Uniform``, ``Histograms`` and ``Samples``.

    Raises:
        TypeError, ValueError: the statistics do not fit the widths.

    >>> import axsim
    >>> round(estimate(axsim.get("trunc8_4")).relative["area"], 3), estimate(axsim.get("drum8_4"))
    (0.877, None)
    """
    netlist = multiplier.netlist
    if netlist is None:
        stored = multiplier.stored_cost if isinstance(statistics, Uniform) else None
        if stored is None:
            return None
        own, exact = stored, exact_like(_shape_of(multiplier))
    else:
        own, exact = cost(netlist, statistics), exact_like(netlist)
    if isinstance(statistics, Uniform):
        of_exact = _exact.get(exact.name, lambda: cost(exact))
    else:
        of_exact = cost(exact, statistics)
    return Estimate(own, of_exact, exact.name, _note(multiplier))


def published_costs_of(multiplier: Multiplier) -> dict[str, str]:
    """Published cost figures as printed, by the names of ``PUBLISHED``; empty where there are none.

    >>> import axsim
    >>> published_costs_of(axsim.get("L40"))
    {'published_power': '0.189', 'published_area': '437.4', 'published_delay': '1.48'}
    """
    figures = multiplier.published or {}
    return {name: figures[label]["text"] for name, (label, _, _) in PUBLISHED.items() if label in figures}


def _shape_of(multiplier: Multiplier) -> Netlist:
    """A circuit of the multiplier's widths and sign."""
    nets = (0,)
    inputs = {"a": multiplier.a_bits, "b": multiplier.b_bits}
    return Netlist("shape", inputs, {"p": nets}, [], [], multiplier.signed)  # type: ignore[arg-type]


def _note(multiplier: Multiplier) -> str:
    if evoapprox().get(multiplier.name.removesuffix("~")) is None:
        return ""
    return (
        "The gates are those of axsim's own netlist of this function, not of the published circuit, which "
        "may have fewer."
    )

"""What a product costs by published figures. Nothing here is computed from circuits.

Energy of a circuit of EvoApprox8b is its published power times its published delay (45 nm); that of a float
multiplier is published as a fraction of the exact one's. An exact circuit of the same family is what both are
compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.multipliers.float_costs import published_costs

POWER, DELAY = "PDK45_PWR", "PDK45_DELAY"  # mW, ns
EXACT = {"mul8u": "mul8u_1JFF", "mul8s": "mul8s_1KV8"}


@dataclass(frozen=True)
class Energy:
    """The published energy of one product.

    Attributes:
        picojoules: power times delay; None where only a fraction is published.
        relative: as a fraction of the exact circuit's of the same family.
        family: the exact circuit that it is compared with.
        source: which figures these are.
    """

    picojoules: float | None
    relative: float
    family: str
    source: str


def published_energy(multiplier: Multiplier | FloatMultiplier) -> Energy | None:
    """The published energy of a product; None where nothing is published.

    >>> energy = published_energy(get("L40"))
    >>> round(energy.picojoules, 3), round(energy.relative, 2), energy.family
    (0.28, 0.5, 'mul8u_1JFF')
    >>> published_energy(get("axfpm")).relative, published_energy(get("drum8_4"))
    (0.487, None)
    """
    if isinstance(multiplier, Multiplier):
        return _of_circuit(multiplier)
    whole = [cost for cost in published_costs(multiplier.name) if "floating-point" in cost.what]
    if not whole:
        return None
    cost = whole[0]
    return Energy(
        None, cost.energy, f"exact {cost.what}", f"energy, {cost.citation.split(',')[0]}, Table {cost.table}"
    )


def _of_circuit(multiplier: Multiplier) -> Energy | None:
    own, exact = _product(multiplier), EXACT.get(multiplier.name.partition("_")[0])
    if own is None or exact is None or (whole := _product(_exact(exact))) is None:
        return None
    return Energy(own, own / whole, exact, "published power x delay, 45 nm")


@cache
def _exact(name: str) -> Multiplier:
    found = get(name)
    assert isinstance(found, Multiplier)
    return found


def _product(multiplier: Multiplier) -> float | None:
    """Power times delay, in mW ns = pJ."""
    figures = multiplier.published
    if figures is None or POWER not in figures or DELAY not in figures:
        return None
    return float(figures[POWER]["value"]) * float(figures[DELAY]["value"])

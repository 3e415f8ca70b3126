"""What is published of a multiplier's energy, beside the exact circuit of the same library."""

from __future__ import annotations

from functools import lru_cache

from axsim.multipliers import FloatMultiplier, Multiplier
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.evoapprox_more import evoapprox_more
from axsim.multipliers.float_costs import published_costs

POWER = "PDK45_PWR"


def power(multiplier: Multiplier | FloatMultiplier) -> float | None:
    """The published power in mW, at the library's own clock and technology; None where none is published.

    >>> from axsim.multipliers import get
    >>> power(get("L40")), power(get("exact8"))
    (0.189, None)
    """
    published = multiplier.published if isinstance(multiplier, Multiplier) else None
    figure = None if published is None else published.get(POWER)
    return None if figure is None else float(figure["value"])


def relative_energy(multiplier: Multiplier | FloatMultiplier) -> float | None:
    """The energy of a product, over that of the exact circuit of the same family; None where it is not known.

    For circuits with a published power: over that of the exact one of their library, of the same widths and
    signs; at one rate of products energies are to each other as powers are. For float multipliers what their
    paper prints for the whole multiplier. An exact table of products is 1.

    >>> from axsim.multipliers import get
    >>> round(relative_energy(get("L40")), 3), relative_energy(get("axfpm")), relative_energy(get("exact8"))
    (0.483, 0.487, 1.0)
    """
    if isinstance(multiplier, FloatMultiplier):
        costs = [c for c in published_costs(multiplier.name) if c.what == "floating-point multiplier"]
        return costs[0].energy if costs else None
    own = power(multiplier)
    exact = _exact_power(multiplier.a_bits, multiplier.b_bits, multiplier.signed)
    if own is not None and exact is not None:
        return own / exact
    return 1.0 if own is None and not multiplier.error_table.any() else None


@lru_cache
def _exact_power(a_bits: int, b_bits: int, signed: bool) -> float | None:
    for circuit in (*evoapprox().values(), *evoapprox_more().values()):
        worst = (circuit.published or {}).get("WCE")
        same = (circuit.a_bits, circuit.b_bits, circuit.signed) == (a_bits, b_bits, signed)
        if same and worst is not None and worst["value"] == 0:
            return power(circuit)
    return None

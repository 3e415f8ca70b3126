"""What a paper prints of the cost of float multipliers' circuits, as fractions of the exact float32 one's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedCost:
    """Published figures of the paper's own circuit, which nothing here computes.

    Attributes:
        circuit: what the paper calls it.
        what: which part was measured.
        energy, delay: relative to the exact one of the same kind.
        table: the paper's table.
        citation: the paper.
    """

    circuit: str
    what: str
    energy: float
    delay: float
    table: int
    citation: str

    def __str__(self) -> str:
        return (
            f"energy {self.energy:g}, delay {self.delay:g} of the exact {self.what}'s: published for the "
            f"paper's circuit {self.circuit} ({self.citation}, Table {self.table})"
        )


@cache
def published_costs(name: str) -> tuple[PublishedCost, ...]:
    """What is printed for the circuit of the float multiplier called ``name``, or the one it stands for.

    >>> [(cost.table, cost.energy, cost.delay) for cost in published_costs("axfpm")]
    [(7, 0.487, 0.29), (9, 0.395, 0.235)]
    >>> published_costs("float32")
    ()
    """
    text = (files("axsim.multipliers") / "published_costs.json").read_text(encoding="utf-8")
    known = json.loads(text)
    return tuple(PublishedCost(**cost, citation=known["citation"]) for cost in known["costs"].get(name, ()))

"""Figures that multipliers are compared by, each with what it is: computed, estimated or published."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from axsim.multipliers.costs import PUBLISHED, estimate
from axsim.multipliers.integer import Multiplier
from axsim.tables.metrics import Metrics
from axsim.tables.streamed import MAX_EXHAUSTIVE_BITS, SampledMetrics

COMPUTED, SAMPLED, ESTIMATED, PRINTED = (
    "computed over all operand pairs",
    "estimated on random operand pairs",
    "estimated by axsim",
    "published by its authors",
)
"""What a figure can be."""


@dataclass(frozen=True)
class FigureKind:
    """A figure of multipliers, less of which is better.

    Attributes:
        name: as commands spell it.
        label: in words.
        unit: "%" or another; "" for none.
        kind: one of ``COMPUTED``, ``ESTIMATED``, ``PRINTED``.
        of: its value for a multiplier; None where it is not known.
    """

    name: str
    label: str
    unit: str
    kind: str
    of: Callable[[Multiplier], float | None]

    @property
    def heading(self) -> str:
        """Label, unit, and, but for what is computed, what it is."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.label}{unit}" + ("" if self.kind == COMPUTED else f", {self.kind}")


def error_figures(multiplier: Multiplier) -> Metrics | SampledMetrics:
    """Error figures over all operand pairs, or, above 24 input bits, of a sample."""
    wide = multiplier.a_bits + multiplier.b_bits > MAX_EXHAUSTIVE_BITS
    return multiplier.sampled_metrics() if wide else multiplier.metrics()


def _error(attribute: str) -> Callable[[Multiplier], float | None]:
    def value(multiplier: Multiplier) -> float | None:
        found = error_figures(multiplier)
        if isinstance(found, Metrics):
            return abs(float(getattr(found, attribute)))
        estimated = getattr(found, attribute, None)
        return None if estimated is None else abs(estimated.value)

    return value


def _estimated(attribute: str) -> Callable[[Multiplier], float | None]:
    def value(multiplier: Multiplier) -> float | None:
        found = estimate(multiplier)
        return None if found is None else float(getattr(found.own, attribute))

    return value


def _printed(label: str) -> Callable[[Multiplier], float | None]:
    def value(multiplier: Multiplier) -> float | None:
        figures = multiplier.published or {}
        return float(figures[label]["value"]) if label in figures else None

    return value


FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            FigureKind("mae", "mean absolute error", "", COMPUTED, _error("mae")),
            FigureKind("wce", "worst-case error", "", COMPUTED, _error("wce")),
            FigureKind("mre", "mean relative error", "%", COMPUTED, _error("mre_percent")),
            FigureKind("wcre", "worst-case relative error", "%", COMPUTED, _error("wcre_percent")),
            FigureKind("ep", "error probability", "%", COMPUTED, _error("ep_percent")),
            FigureKind("mse", "mean squared error", "", COMPUTED, _error("mse")),
            FigureKind("bias", "magnitude of the bias", "", COMPUTED, _error("bias")),
            FigureKind("nmed", "normalised mean error distance", "", COMPUTED, _error("nmed")),
            FigureKind("energy", "switched", "unit gates", ESTIMATED, _estimated("switched")),
            FigureKind("area", "area", "unit gates", ESTIMATED, _estimated("area")),
            FigureKind("delay", "delay", "unit gates", ESTIMATED, _estimated("delay")),
            FigureKind("gates", "gates", "", ESTIMATED, _estimated("gates")),
            FigureKind("transistors", "transistors", "", ESTIMATED, _estimated("transistors")),
            *(
                FigureKind(name, what, f"{unit}, 45 nm", PRINTED, _printed(label))
                for name, (label, what, unit) in PUBLISHED.items()
            ),
        )
    }
)
"""All figures by name."""


def figure_kind(name: str) -> FigureKind:
    """The figure of that name; ValueError, listing all, for another."""
    if name not in FIGURES:
        raise ValueError(f"no figure is called {name!r}, expected one of {', '.join(FIGURES)}")
    return FIGURES[name]


def front(x: Sequence[float], y: Sequence[float]) -> NDArray[np.bool_]:
    """Which points are on the Pareto front: no other is at least as small in both and smaller in one.

    Equal points are all on it, or none. ValueError for NaN, or for unequal lengths.

    >>> front([1, 2, 3, 2], [3, 2, 1, 3]).tolist()
    [True, True, True, False]
    """
    points = np.column_stack([np.asarray(x, np.float64), np.asarray(y, np.float64)])
    if np.isnan(points).any():
        raise ValueError("x or y holds NaN, which is neither better nor worse than any number")
    kept = np.zeros(len(points), bool)
    best, at = np.inf, np.inf  # the least y so far, and its x
    for i in np.lexsort((points[:, 1], points[:, 0])).tolist():
        if points[i, 1] < best:
            at, best = points[i]
            kept[i] = True
        elif points[i, 1] == best and points[i, 0] == at:
            kept[i] = True
    return kept

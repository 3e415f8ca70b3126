"""A network's layers: how much of their signal approximate products leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from axsim.plots.figures import new_figure

if TYPE_CHECKING:
    from axsim.nn.compare import Comparison

_MOST = 100  # dB: what is beyond is drawn here


def layers_picture(comparison: Comparison, title: str = "") -> Any:
    """Signal-to-noise ratios of a network's layers: alone, and with the errors of the layers before them.

    Ratios above 100 dB, infinite ones too, are drawn at 100. Returns a matplotlib ``Figure``.
    """
    rows = comparison.layers
    figure = new_figure(min(3 + 0.45 * len(rows), 24), 4.6)
    axis = figure.subplots()
    places = np.arange(len(rows))
    axis.bar(places, [_drawn(row.alone) for row in rows], color="#b8c9dc", label="alone: exact inputs")
    axis.plot(places, [_drawn(row.in_network) for row in rows], "o-", color="#c0392b", label="in the network")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.set_xticks(places, [row.name for row in rows], rotation=90)
    axis.set(ylabel="signal-to-noise ratio (dB)", title=title)
    axis.margins(x=0.02)
    axis.grid(alpha=0.3, axis="y")
    axis.legend(frameon=False)
    return figure


def _drawn(decibels: float) -> float:
    return float(np.clip(decibels, -_MOST, _MOST))

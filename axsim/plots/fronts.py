"""Many multipliers at once: one figure against another, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.multipliers.figures import FigureKind
from axsim.plots.figures import new_figure

_SIDES: tuple[tuple[tuple[int, int], dict[str, Any]], ...] = (
    ((6, 0), {"ha": "left", "va": "center"}),
    ((-6, 0), {"ha": "right", "va": "center"}),
    ((0, 6), {"ha": "center", "va": "bottom"}),
    ((0, -6), {"ha": "center", "va": "top"}),
    ((6, 6), {"ha": "left", "va": "bottom"}),
    ((-6, -6), {"ha": "right", "va": "top"}),
)
_PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85}
_WIDE = 50.0  # ratio of the extremes from which a scale is logarithmic


def pareto_picture(
    names: Sequence[str],
    x: Sequence[float],
    y: Sequence[float],
    on_front: NDArray[np.bool_],
    kinds: tuple[FigureKind, FigureKind],
) -> Any:
    """Points of multipliers, those on the front marked, joined and named; a matplotlib ``Figure``.

    Args:
        names: of the multipliers.
        x, y: their figures.
        on_front: which of them are on the front.
        kinds: what x and y are.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    figure = new_figure(8, 5.6)
    axis = figure.subplots()
    axis.scatter(xs[~on_front], ys[~on_front], color="#9aa7b4", s=18, label="others", zorder=2)
    order = np.flatnonzero(on_front)[np.argsort(xs[on_front], kind="stable")]
    axis.plot(xs[order], ys[order], drawstyle="steps-post", color="#c0392b", linewidth=1, alpha=0.7, zorder=2)
    axis.scatter(xs[order], ys[order], color="#c0392b", s=30, label="Pareto front", zorder=3)
    for scale, values in ((axis.set_xscale, xs), (axis.set_yscale, ys)):
        _set_scale(scale, values)
    axis.set(xlabel=kinds[0].heading, ylabel=kinds[1].heading)
    axis.margins(0.1)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    _label(figure, axis, _texts(order, names, xs, ys), np.column_stack([xs, ys]))
    return figure


def _texts(order: Any, names: Sequence[str], xs: Any, ys: Any) -> list[tuple[tuple[float, float], str]]:
    """One label for each place on the front, with what stands there."""
    places: dict[tuple[float, float], list[str]] = {}
    for i in order.tolist():
        places.setdefault((float(xs[i]), float(ys[i])), []).append(names[i])
    return [
        (place, there[0] + (f" and {len(there) - 1} more" if len(there) > 1 else ""))
        for place, there in places.items()
    ]


def _label(figure: Any, axis: Any, texts: Any, points: NDArray[np.float64]) -> None:
    """Names beside points, where there is room for them; a front's names are listed elsewhere, too."""
    from matplotlib.transforms import Bbox

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what was measured stays where it is
    frame = axis.get_window_extent()
    taken = [Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in axis.transData.transform(points)]
    taken.append(axis.get_legend().get_window_extent())
    for place, text in texts:
        for offset, sides in _SIDES:
            label = axis.annotate(
                text, place, xytext=offset, textcoords="offset points", fontsize=7.5, bbox=_PAPER, **sides
            )
            box = label.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()


def _set_scale(set_scale: Any, values: NDArray[np.float64]) -> None:
    """Logarithmic where values are far apart, and linear below the least of them where there are zeros."""
    positive = values[values > 0]
    if not positive.size or positive.max() < _WIDE * positive.min():
        return
    if positive.size == values.size:
        set_scale("log")
    else:
        set_scale("symlog", linthresh=float(positive.min()))

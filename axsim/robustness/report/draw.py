"""The pictures of a report: curves with intervals, and images with their noise."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.robustness.cells import canonical
from axsim.robustness.report.figures import Entry
from axsim.robustness.report.layout import CurveSpec, Layout

_WIDTH, _HEIGHT = 5.4, 3.9  # inches: readable on a telephone, where a picture has the page's width
_MARKS = "osD^vPX*<>"
# Okabe and Ito's colours, which those can tell apart who see few.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8B5A2B", "#777777")


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("reports need matplotlib: pip install 'axsim[robustness]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def curves(spec: CurveSpec, layout: Layout, points: Sequence[Entry], title: str) -> bytes:
    """One panel of curves as SVG: a line for each combination of ``spec.lines``, published points as rings.

    The same points make the same bytes.
    """
    import matplotlib

    figure = _figure(_WIDTH, _HEIGHT)
    axis = figure.subplots()
    lines: dict[str, list[Entry]] = {}
    for point in points:
        lines.setdefault(canonical([point.settings[n] for n in spec.lines]), []).append(point)
    for k, line in enumerate(lines.values()):
        colour, mark = _COLOURS[k % len(_COLOURS)], _MARKS[k % len(_MARKS)]
        style = "-" if k < len(_COLOURS) else "--"
        line = sorted(line, key=lambda point: float(point.settings[spec.x]))
        ours = [point for point in line if point.value is not None and math.isfinite(point.value)]
        x = [float(point.settings[spec.x]) for point in ours]
        label = ", ".join(layout.label(n, line[0].settings[n]) for n in spec.lines) or "ours"
        axis.plot(
            x, [p.value for p in ours], color=colour, marker=mark, linestyle=style, markersize=4, label=label
        )
        if all(p.interval is not None for p in ours):
            lows, highs = ([p.interval[i] for p in ours if p.interval] for i in (0, 1))
            axis.fill_between(x, lows, highs, color=colour, alpha=0.13, linewidth=0)
        rings = [point for point in line if point.published is not None]
        axis.plot(
            [float(p.settings[spec.x]) for p in rings],
            [p.published.value for p in rings if p.published],
            color=colour,
            marker=mark,
            linestyle="none",
            markersize=9,
            fillstyle="none",
            label=f"{label}, published" if rings else None,
        )
    axis.set(xlabel=spec.x, ylabel=f"{spec.y} ({spec.unit})" if spec.unit else spec.y, title=title)
    if spec.unit == "%":
        axis.set_ylim(-3, 103)
    axis.grid(alpha=0.3)
    if spec.lines or any(p.published for p in points):
        figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    with matplotlib.rc_context({"svg.hashsalt": "axsim", "svg.fonttype": "none"}):
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def image(pixels: NDArray[Any]) -> bytes:
    """An image ``(channels, height, width)`` in [0, 1] with 1 or 3 channels as PNG, a pixel for each.

    ValueError for other shapes.
    """
    array = np.clip(np.nan_to_num(_as_rows(pixels)), 0, 1)
    return _png(array)


def noise(image: NDArray[Any], adversarial: NDArray[Any]) -> tuple[bytes, float]:
    """The difference of two images as PNG, 0 in middle grey, enlarged to the range; and its largest size."""
    difference = _as_rows(adversarial).astype(np.float64) - _as_rows(image)
    largest = float(np.abs(difference).max(initial=0.0))
    return _png(0.5 + 0.5 * difference / (largest or 1.0)), largest


def _as_rows(pixels: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(pixels)
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        raise ValueError(f"an example image has the shape {array.shape}, expected (1 or 3, height, width)")
    return np.moveaxis(array, 0, -1)


def _png(rows: NDArray[Any]) -> bytes:
    from PIL import Image  # matplotlib's own dependency

    array = np.rint(255 * rows).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(file, format="PNG")
    return file.getvalue()

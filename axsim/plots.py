"""Pictures of multipliers, drawn with matplotlib (extra ``plot``) and written to files without a display."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axsim.files import replace_file

if TYPE_CHECKING:
    from axsim.multipliers.integer import Multiplier
    from axsim.nn.compare import Comparison


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of ``width`` x ``height`` inches that belongs to no window."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'axsim[plot]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: str | Path) -> Path:
    """Write ``figure`` to ``path``; the ending chooses the format. A file is whole or not there.

    Raises ``ValueError`` when the ending names no format that matplotlib can write.
    """
    path = Path(path)
    ending = path.suffix[1:].lower()
    check_ending(path)
    picture = io.BytesIO()
    figure.savefig(picture, format=ending, dpi=150)
    return replace_file(path, picture.getvalue())


def check_ending(path: str | Path) -> None:
    """``ValueError`` unless the ending of ``path`` names a format of pictures."""
    formats = new_figure(1, 1).canvas.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise ValueError(f"path must end in one of {', '.join('.' + f for f in formats)}, got {str(path)!r}")


def error_picture(multiplier: Multiplier) -> Any:
    """The error of an integer multiplier as a heat map over both operands, beside its distribution.

    The heat map shows ``table[a, b] - a*b`` at column ``a`` and row ``b``, operands in increasing value; the
    colour scale is linear for small errors and logarithmic beyond the mean absolute error, so that rare large
    errors do not hide the rest. Returns a matplotlib ``Figure``.
    """
    from matplotlib.colors import SymLogNorm

    table = multiplier.table
    error = np.asarray(table.error)
    metrics = multiplier.metrics()
    a_low, b_low = (-(2 ** (bits - 1)) if table.signed else 0 for bits in (table.a_bits, table.b_bits))
    if table.signed:
        error = np.roll(error, (-a_low, -b_low), axis=(0, 1))
    figure = new_figure(11, 4.8)
    heat, histogram = figure.subplots(1, 2, width_ratios=(1.15, 1))

    largest = max(int(np.abs(error).max()), 1)
    norm = SymLogNorm(linthresh=max(metrics.mae, 1.0), vmin=-largest, vmax=largest)
    extent = (a_low - 0.5, a_low + error.shape[0] - 0.5, b_low - 0.5, b_low + error.shape[1] - 0.5)
    image = heat.imshow(error.T, origin="lower", extent=extent, norm=norm, cmap="RdBu_r", aspect="auto")
    steps = sorted({largest, norm.linthresh})
    ticks = [*(-step for step in reversed(steps)), 0, *steps]
    bar = figure.colorbar(image, ax=heat, label="error  T[a, b] − a·b (logarithmic beyond MAE)", ticks=ticks)
    bar.set_ticklabels([f"{tick:.4g}" for tick in ticks])
    heat.set(xlabel="a (first operand)", ylabel="b (second operand)", title=f"{multiplier.name}: error")

    histogram.hist(error.ravel(), bins=101, range=(-largest, largest), log=True, color="#34618f")
    histogram.axvline(0, color="black", linewidth=0.8)
    histogram.axvline(metrics.bias, color="#c0392b", linestyle="--", label=f"bias {metrics.bias:.4g}")
    histogram.set(xlabel="error", ylabel="operand pairs (logarithmic)")
    histogram.set_title(
        f"MAE {metrics.mae:.4g}   WCE {metrics.wce:.4g}   EP {metrics.ep_percent:.2f} %", fontsize=10
    )
    histogram.locator_params(axis="x", nbins=6)
    histogram.legend(frameon=False)
    return figure


def comparison_picture(comparison: Comparison, title: str = "") -> Any:
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
    return float(np.clip(decibels, -100, 100))

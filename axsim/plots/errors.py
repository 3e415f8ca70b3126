"""The errors of multipliers: heat maps over both operands, and distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.operands import operand_range
from axsim.plots.figures import new_figure

if TYPE_CHECKING:
    from axsim.multipliers.integer import Multiplier

MOST_COMPARED = 12
"""Multipliers in one picture."""

_GRID_BITS = 8  # of each operand of a circuit too wide to draw all products of
_BINS = 101
_COLUMNS = 4


@dataclass(frozen=True, eq=False)
class ErrorGrid:
    """Errors of a multiplier over a grid of operands.

    Attributes:
        error: int64 (a, b), ``m(a, b) - a*b``, operands in increasing value.
        a, b: the operands, int64.
        step: (of a, of b): 1 where all operands are there.
    """

    error: NDArray[np.int64]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    step: tuple[int, int]


def error_grid(multiplier: Multiplier) -> ErrorGrid:
    """Errors of all operand pairs; of a circuit of more than 16 input bits, on a grid of 256 operands a side.

    >>> import axsim
    >>> error_grid(axsim.get("exact3s")).a.tolist()
    [-4, -3, -2, -1, 0, 1, 2, 3]
    """
    widths = multiplier.a_bits, multiplier.b_bits
    steps = [1 << max(bits - _GRID_BITS, 0) if multiplier.is_wide else 1 for bits in widths]
    a, b = (
        np.arange(low, high + 1, step)
        for (low, high), step in zip(
            (operand_range(bits, multiplier.signed) for bits in widths), steps, strict=True
        )
    )
    error = multiplier(a[:, None], b).astype(np.int64) - a[:, None] * b
    return ErrorGrid(error, a, b, (steps[0], steps[1]))


@dataclass(frozen=True)
class ErrorScale:
    """What pictures of errors have in common, so that they can be compared.

    Attributes:
        largest: magnitude that the scale reaches to both sides.
        linear: magnitude up to which colours are linear; logarithmic beyond.
    """

    largest: float
    linear: float

    @classmethod
    def of(cls, grids: Sequence[ErrorGrid]) -> ErrorScale:
        """The scale that all grids fit, linear up to the least of their mean errors other than 0.

        The errors of the best one are seen, too, and a picture without colour is that of an exact one.
        """
        means = [mean for grid in grids if (mean := float(np.abs(grid.error).mean()))]
        largest = max(1, *(int(np.abs(grid.error).max()) for grid in grids))
        return cls(largest, max(min(means, default=1.0), 1.0))

    @property
    def norm(self) -> Any:
        """Of matplotlib, for colours."""
        from matplotlib.colors import SymLogNorm

        return SymLogNorm(linthresh=self.linear, vmin=-self.largest, vmax=self.largest)


def error_picture(multiplier: Multiplier) -> Any:
    """The error of an integer multiplier as a heat map over both operands, beside its distribution.

    The heat map shows ``m(a, b) - a*b`` at column ``a`` and row ``b``, operands in increasing value; the
    colour scale is linear for small errors and logarithmic beyond the mean absolute error, so that rare large
    errors do not hide the rest. Returns a matplotlib ``Figure``.
    """
    grid = error_grid(multiplier)
    scale = ErrorScale.of([grid])
    figure = new_figure(11, 4.8)
    heat, histogram = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _bar(figure, _draw_heat(heat, multiplier, grid, scale), [heat], scale)
    heat.set_title(f"{multiplier.name}: error")
    _draw_distribution(histogram, grid, scale)
    return figure


def error_pictures(multiplier: Multiplier) -> tuple[Any, Any]:
    """The two parts of :func:`error_picture` as figures of their own, for pages of any width."""
    grid = error_grid(multiplier)
    scale = ErrorScale.of([grid])
    figures = new_figure(5.8, 4.8), new_figure(5.2, 4.8)
    heat, histogram = (figure.subplots() for figure in figures)
    _bar(figures[0], _draw_heat(heat, multiplier, grid, scale), [heat], scale)
    heat.set_title(f"{multiplier.name}: error")
    _draw_distribution(histogram, grid, scale)
    return figures


def error_panel(multiplier: Multiplier, grid: ErrorGrid, scale: ErrorScale) -> Any:
    """The same one above the other, in a scale that others share; a matplotlib ``Figure``."""
    figure = new_figure(5.2, 7.6)
    heat, histogram = figure.subplots(2, 1, height_ratios=(1.3, 1))
    _bar(figure, _draw_heat(heat, multiplier, grid, scale), [heat], scale)
    heat.set_title(f"{multiplier.name}: error")
    _draw_wide_distribution(histogram, grid, scale)
    return figure


def comparison_picture(multipliers: Sequence[Multiplier]) -> Any:
    """Heat maps of several multipliers' errors in one scale of colours, distributions below them.

    Returns a matplotlib ``Figure``; ValueError for none or more than ``MOST_COMPARED``.
    """
    check_count(len(multipliers))
    grids = [error_grid(multiplier) for multiplier in multipliers]
    scale = ErrorScale.of(grids)
    columns = min(_COLUMNS, len(multipliers))
    lines = -(-len(multipliers) // columns)
    figure = new_figure(3.4 * columns + 1.4, 5.6 * lines)
    axes = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[1.35, 1] * lines)
    for axis in axes.flat[:]:
        axis.set_visible(False)
    heats = []
    for i, (multiplier, grid) in enumerate(zip(multipliers, grids, strict=True)):
        line, column = divmod(i, columns)
        heat, histogram = axes[2 * line, column], axes[2 * line + 1, column]
        heat.set_visible(True)
        histogram.set_visible(True)
        image = _draw_heat(heat, multiplier, grid, scale)
        heat.set_title(multiplier.name)
        _draw_wide_distribution(histogram, grid, scale)
        heats.append(heat)
    _bar(figure, image, axes[::2].ravel().tolist(), scale)
    return figure


def check_count(count: int) -> None:
    """ValueError unless so many multipliers can stand beside each other in a picture."""
    if not 1 <= count <= MOST_COMPARED:
        raise ValueError(
            f"{count} multipliers are given, expected 1 to {MOST_COMPARED}; `axsim pareto` takes any number"
        )


def _draw_heat(axis: Any, multiplier: Multiplier, grid: ErrorGrid, scale: ErrorScale) -> Any:
    (a_step, b_step), a, b = grid.step, grid.a, grid.b
    extent = (a[0] - a_step / 2, a[-1] + a_step / 2, b[0] - b_step / 2, b[-1] + b_step / 2)
    image = axis.imshow(
        grid.error.T, origin="lower", extent=extent, norm=scale.norm, cmap="RdBu_r", aspect="auto"
    )
    of_a, of_b = (f", in steps of {step}" if step > 1 else "" for step in grid.step)
    axis.set(xlabel=f"a (left operand{of_a})", ylabel=f"b (right operand{of_b})")
    return image


def _draw_distribution(axis: Any, grid: ErrorGrid, scale: ErrorScale) -> None:
    """A histogram of bins of one width."""
    axis.hist(
        grid.error.ravel(), bins=_BINS, range=(-scale.largest, scale.largest), log=True, color="#34618f"
    )
    axis.locator_params(axis="x", nbins=6)
    axis.set_ylim(0.7, 2 * grid.error.size)  # a bar of one pair is seen
    _describe(axis, grid)


def _draw_wide_distribution(axis: Any, grid: ErrorGrid, scale: ErrorScale) -> None:
    """A histogram of bins that grow with the error, so that the least and the largest errors can be seen."""
    edges = bin_edges(scale.largest)
    counts, _ = np.histogram(grid.error, edges)
    axis.stairs(counts, edges, fill=True, color="#34618f")
    axis.set_xscale("symlog", linthresh=1)
    axis.set_yscale("log")
    axis.set(xlim=(edges[0], edges[-1]), ylim=(0.7, 2 * grid.error.size))
    decades = 10.0 ** np.arange(1, np.log10(max(scale.largest, 10)) + 0.01, 2)
    axis.set_xticks([*-decades[::-1], 0, *decades])
    _describe(axis, grid)


def bin_edges(largest: float) -> NDArray[np.float64]:
    """Edges of a histogram's bins of integers: one for 0, and then wider and wider ones, to both sides.

    >>> bin_edges(20).tolist()[12:]
    [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 10.5, 13.5, 16.5, 20.5, 25.5]
    """
    per_decade = 10
    steps = 10.0 ** (np.arange(int(np.ceil(per_decade * np.log10(largest + 1))) + 1) / per_decade)
    right = np.unique(np.rint(steps)) + 0.5
    return np.concatenate([-right[::-1], [-0.5, 0.5], right])


def _describe(axis: Any, grid: ErrorGrid) -> None:
    distance = np.abs(grid.error)
    axis.axvline(0, color="black", linewidth=0.8)
    bias = float(grid.error.mean())
    axis.axvline(bias, color="#c0392b", linestyle="--", label=f"bias {bias:.4g}")
    axis.set(xlabel="error", ylabel="operand pairs (logarithmic)")
    wrong = 100 * np.count_nonzero(grid.error) / grid.error.size
    axis.set_title(f"MAE {distance.mean():.4g}   WCE {distance.max()}   EP {wrong:.2f} %", fontsize=9)
    axis.legend(frameon=False, fontsize=8)


def _bar(figure: Any, image: Any, axes: list[Any], scale: ErrorScale) -> None:
    steps = sorted({scale.largest, scale.linear})
    ticks = [*(-step for step in reversed(steps)), 0, *steps]
    label = f"error (logarithmic beyond {scale.linear:.4g})"
    bar = figure.colorbar(image, ax=axes, label=label, ticks=ticks)
    bar.set_ticklabels([f"{tick:.4g}" for tick in ticks])

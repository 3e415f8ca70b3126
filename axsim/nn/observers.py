"""Ranges of activations, from what a calibration sees.

An observer is a value: how a range is made. What it has seen is another: ``Seen``, which grows batch by
batch. Ranges are pairs of Python floats, the least and the greatest number that are told apart; what lies
beyond is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axsim.quantization import Rule, not_finite

Range = tuple[float, float]
Counts = NDArray[np.float64]

BINS = 4096  # of a histogram, from -limit to limit; a power of two
STEPS = 64  # ends of a range that are tried, on each side of 0


@dataclass(frozen=True)
class Seen:
    """What was seen of an activation.

    Attributes:
        batches: how many arrays.
        low, high: the extremes of all of them.
        mean_low, mean_high: the moving averages of each one's extremes, where the observer keeps them.
        counts: how many numbers fell into each of ``BINS`` bins of one width, from ``-limit`` to ``limit``;
            None where the observer needs no histogram.
        limit: a power of two.
    """

    batches: int = 0
    low: float = 0.0
    high: float = 0.0
    mean_low: float = 0.0
    mean_high: float = 0.0
    counts: Counts | None = None
    limit: float = 0.0

    def filled(self) -> tuple[Counts, Counts] | None:
        """The middle of each bin that holds numbers, within the extremes, and how many; None without any."""
        if self.counts is None or not self.counts.any():
            return None
        places = np.flatnonzero(self.counts)
        centres = (places + 0.5) * (2 * self.limit / BINS) - self.limit
        return np.clip(centres, self.low, self.high), self.counts[places]


@runtime_checkable
class Observer(Protocol):
    """How a range is made of what was seen."""

    def see(self, seen: Seen, x: Tensor) -> Seen:
        """What was seen, and ``x`` beside it.

        Raises:
            ValueError: ``x`` holds NaN or infinity.
        """

    def range(self, seen: Seen, rule: Rule) -> Range:
        """The range for an operand that ``rule`` quantises."""


@dataclass(frozen=True)
class MinMax:
    """The least and the greatest number that were seen.

    >>> observer = MinMax()
    >>> seen = observer.see(observer.see(Seen(), torch.tensor([0.0, 2.0])), torch.tensor([-1.0, 1.0]))
    >>> observer.range(seen, Rule.affine(8, signed=False))
    (-1.0, 2.0)
    """

    def see(self, seen: Seen, x: Tensor) -> Seen:
        """As ``Observer.see``."""
        low, high = _extremes(x)
        return _with_extremes(seen, low, high)

    def range(self, seen: Seen, rule: Rule) -> Range:
        """As ``Observer.range``."""
        return seen.low, seen.high


@dataclass(frozen=True)
class MovingAverage:
    """Moving averages of each batch's extremes: ``momentum`` of the new one, the rest of those before.

    Attributes:
        momentum: above 0, up to 1.

    >>> observer = MovingAverage(0.5)
    >>> seen = observer.see(observer.see(Seen(), torch.tensor([0.0, 2.0])), torch.tensor([-1.0, 1.0]))
    >>> observer.range(seen, Rule.affine(8, signed=False))
    (-0.5, 1.5)
    """

    momentum: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.momentum <= 1:
            raise ValueError(f"momentum is {self.momentum}, expected above 0 and up to 1")

    def see(self, seen: Seen, x: Tensor) -> Seen:
        """As ``Observer.see``."""
        low, high = _extremes(x)
        new = self.momentum if seen.batches else 1.0
        return replace(
            _with_extremes(seen, low, high),
            mean_low=(1 - new) * seen.mean_low + new * low,
            mean_high=(1 - new) * seen.mean_high + new * high,
        )

    def range(self, seen: Seen, rule: Rule) -> Range:
        """As ``Observer.range``."""
        return seen.mean_low, seen.mean_high


class _Histogram:
    """What observers of a histogram have in common."""

    def see(self, seen: Seen, x: Tensor) -> Seen:
        """As ``Observer.see``."""
        low, high = _extremes(x)
        limit = max(seen.limit, _power_of_two(max(-low, high)))
        counts = np.zeros(BINS) if seen.counts is None else _widened(seen.counts, seen.limit, limit)
        if limit and x.numel():
            numbers = x.detach().reshape(-1).to(torch.float64 if x.dtype == torch.float64 else torch.float32)
            counts = counts + torch.histc(numbers, BINS, -limit, limit).cpu().numpy()
        return replace(_with_extremes(seen, low, high), counts=counts, limit=limit)


@dataclass(frozen=True)
class Percentile(_Histogram):
    """The percentiles ``100 - percentile`` and ``percentile``, to the width of a bin of the histogram.

    For a symmetric coding the ``percentile``-th of magnitudes, on both sides.

    Attributes:
        percentile: above 50, up to 100.

    >>> observer = Percentile(99.0)
    >>> low, high = observer.range(observer.see(Seen(), torch.arange(1000.0)), Rule.affine(8, signed=False))
    >>> low, abs(high - 990) < 0.5
    (0.0, True)
    """

    percentile: float = 99.9

    def __post_init__(self) -> None:
        if not 50 < self.percentile <= 100:
            raise ValueError(f"percentile is {self.percentile}, expected above 50 and up to 100")

    def range(self, seen: Seen, rule: Rule) -> Range:
        """As ``Observer.range``."""
        if seen.counts is None or not seen.counts.any():
            return seen.low, seen.high
        share = self.percentile / 100
        if rule.centred:
            folded = seen.counts[BINS // 2 :] + seen.counts[: BINS // 2][::-1]
            high = min(_quantile(folded, 0.0, seen.limit, share), max(-seen.low, seen.high))
            return -high, high
        low, high = (_quantile(seen.counts, -seen.limit, seen.limit, end) for end in (1 - share, share))
        return min(max(low, seen.low), 0.0), max(min(high, seen.high), 0.0)


@dataclass(frozen=True)
class MSE(_Histogram):
    """The range with the least mean square of what quantisation changes, over the histogram.

    Ends from a 64th of the extremes to all of it are tried, both alike and then each alone.
    """

    def range(self, seen: Seen, rule: Rule) -> Range:
        """As ``Observer.range``."""
        if (filled := seen.filled()) is None:
            return seen.low, seen.high
        centres, counts = filled

        def loss(low: float, high: float) -> float:
            scale, zero = rule.numbers(low, high)
            q = np.clip(np.rint(centres / scale) + zero, rule.qmin, rule.qmax)
            return float(counts @ (scale * (q - zero) - centres) ** 2)

        return _least(loss, seen.low, seen.high)


@dataclass(frozen=True)
class Entropy(_Histogram):
    """The range whose integers tell most of the distribution: the least Kullback-Leibler divergence.

    Numbers beyond the range are counted at its ends, and each integer's count is spread evenly over the
    bins that it stands for (S. Migacz, "8-bit Inference with TensorRT", GPU Technology Conference 2017).
    Ends are tried as for ``MSE``.
    """

    def range(self, seen: Seen, rule: Rule) -> Range:
        """As ``Observer.range``."""
        if (filled := seen.filled()) is None:
            return seen.low, seen.high
        centres, counts = filled

        def loss(low: float, high: float) -> float:
            scale, zero = rule.numbers(low, high)
            levels = (np.rint(centres / scale) + zero).astype(np.int64)
            inside = (levels >= rule.qmin) & (levels <= rule.qmax)
            return _divergence(counts, levels, inside)

        return _least(loss, seen.low, seen.high)


OBSERVERS: dict[str, Observer] = {
    "minmax": MinMax(),
    "moving-average": MovingAverage(),
    "percentile": Percentile(),
    "mse": MSE(),
    "entropy": Entropy(),
}


def observer_of(given: str | Observer) -> Observer:
    """The observer of that name, with its usual settings; an observer is returned as it is.

    Raises:
        TypeError: it is neither a name nor an observer.
        ValueError: no observer has that name.
    """
    if isinstance(given, str):
        if given not in OBSERVERS:
            raise ValueError(f"observer is {given!r}, expected {', '.join(OBSERVERS)}, or an observer")
        return OBSERVERS[given]
    if not isinstance(given, Observer):
        raise TypeError(f"observer is {given!r}, expected {', '.join(OBSERVERS)}, or an observer")
    return given


def _extremes(x: Tensor) -> Range:
    if not x.numel():
        return 0.0, 0.0
    low, high = (float(end) for end in torch.aminmax(x.detach()))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise not_finite("x")
    return low, high


def _with_extremes(seen: Seen, low: float, high: float) -> Seen:
    if seen.batches:
        low, high = min(low, seen.low), max(high, seen.high)
    return replace(seen, batches=seen.batches + 1, low=low, high=high)


def _power_of_two(magnitude: float) -> float:
    """The least power of two that is not below it; 0 for 0."""
    return float(2.0 ** np.ceil(np.log2(magnitude))) if magnitude else 0.0


def _widened(counts: Counts, limit: float, wider: float) -> Counts:
    """The counts of a histogram up to ``wider``, in which each bin is a few whole ones of the old."""
    if not limit or limit == wider:
        return counts
    together = int(min(wider / limit, BINS // 2))
    halves = [half.reshape(-1, together).sum(axis=1) for half in np.split(counts, 2)]
    rest = np.zeros(BINS // 2 - len(halves[0]))
    return np.concatenate([rest, *halves, rest])


def _quantile(counts: Counts, start: float, stop: float, share: float) -> float:
    """The number below which that share of a histogram lies, as if bins were filled evenly."""
    below = np.concatenate([[0.0], np.cumsum(counts)])
    edges = np.linspace(start, stop, len(counts) + 1)
    return float(np.interp(share * below[-1], below, edges))


def _least(loss: Callable[[float, float], float], low: float, high: float) -> Range:
    """The range with the least loss: both ends drawn in alike, then each alone."""
    shares = np.arange(STEPS, 0, -1) / STEPS  # the whole range first: it wins where others are as good
    both = min(shares, key=lambda s: loss(low * s, high * s))
    best_high = min((high * s for s in shares), key=lambda end: loss(low * both, end))
    best_low = min((low * s for s in shares), key=lambda end: loss(end, best_high))
    return float(best_low), float(best_high)


def _divergence(counts: Counts, levels: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Kullback-Leibler divergence of a distribution from what integers keep of it."""
    if not inside.any():
        return float("inf")
    kept, level = counts[inside], levels[inside] - levels[inside].min()
    told = np.bincount(level, weights=kept) / np.maximum(np.bincount(level), 1)
    q = told[level]
    p = kept.copy()
    first = np.flatnonzero(inside)
    p[0] += counts[: first[0]].sum()
    p[-1] += counts[first[-1] + 1 :].sum()
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))

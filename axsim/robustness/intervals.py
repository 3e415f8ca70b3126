"""Intervals on rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """How often something happened, with a Wilson interval.

    Attributes:
        count, of: it happened ``count`` times out of ``of``.
        value: ``count / of``; NaN where there was nothing to count.
        low, high: the interval; 0 and 1 where there was nothing to count.
        level: confidence level of the interval.
    """

    count: int
    of: int
    value: float
    low: float
    high: float
    level: float

    def __str__(self) -> str:
        if not self.of:
            return "none of 0"
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}, n = {self.of})"

    def overlaps(self, other: Rate) -> bool:
        """Whether the two intervals have a value in common."""
        return self.low <= other.high and other.low <= self.high


def wilson(count: int, of: int, level: float = 0.95) -> Rate:
    """The rate ``count / of`` with its score interval.

    E. B. Wilson, JASA 22 (1927), with ``p = count / of`` and ``z`` the normal quantile of ``(1 + level) /
    2``::

        (p + z^2 / (2 n) +- z sqrt(p (1 - p) / n + z^2 / (4 n^2))) / (1 + z^2 / n)

    Args:
        count: how often it happened.
        of: out of how many.
        level: confidence, in (0, 1).

    Raises:
        ValueError: counts below 0, more than there are, or a level outside (0, 1).

    >>> print(wilson(12, 100))
    12.0 % (7.0 to 19.8, n = 100)
    >>> print(wilson(0, 50))
    0.0 % (0.0 to 7.1, n = 50)
    """
    if not 0 <= count <= of:
        raise ValueError(f"count: 0 to {of} was expected, {count} came")
    if not 0 < level < 1:
        raise ValueError(f"level: a number in (0, 1) was expected, {level} came")
    if of == 0:
        return Rate(0, 0, math.nan, 0.0, 1.0, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = count / of
    middle = p + z * z / (2 * of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    low = 0.0 if count == 0 else (middle - half) / scale
    high = 1.0 if count == of else (middle + half) / scale
    return Rate(int(count), int(of), p, low, high, level)

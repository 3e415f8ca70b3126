"""Error statistics of a float multiplier over very many products of random operands, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

import axsim
from axsim.multipliers.floating import FloatMultiplier
from axsim.progress import track
from axsim.threads import get_num_threads

BLOCK = 1 << 17
BINS = 300
SAMPLE = 20_000


@dataclass(frozen=True)
class Sums:
    """What adds up over blocks of products. An error is approximate - exact, the exact product in float64."""

    products: int
    nonzero: int  # products whose exact value is not 0: relative errors are over these
    higher: int  # products of larger magnitude than the exact one
    relative: float  # sum of |error| / |exact|
    signed_relative: float  # sum of (|approximate| - |exact|) / |exact|
    absolute: float  # sum of |error|
    exact: float  # sum of |exact|

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Scatter:
    """Exact products against errors: a histogram of all of them, and a sample.

    Attributes:
        counts: products in each of BINS x BINS cells, ``counts[exact, error]``.
        beyond: products outside all cells.
        exact_edges, error_edges: the cells' BINS + 1 edges.
        exact, error: SAMPLE products.
        higher: which of them are larger in magnitude than the exact ones.
    """

    counts: NDArray[np.int64]
    beyond: int
    exact_edges: NDArray[np.float64]
    error_edges: NDArray[np.float64]
    exact: NDArray[np.float64]
    error: NDArray[np.float64]
    higher: NDArray[np.bool_]


@dataclass(frozen=True)
class Statistics:
    """Error figures as fractions, and the scatter behind them."""

    products: int
    higher: float
    mred: float
    nmed: float
    mean_ratio: float
    mean_signed_relative: float
    scatter: Scatter

    def figures(self) -> dict[str, float]:
        """The figures alone, by name.

        higher: share of products above the exact one in magnitude. mred: mean of |error| / |exact|. nmed:
        mean of |error|, divided by the largest exact magnitude that the operands allow. mean_ratio: mean of
        |error| over mean of |exact|. mean_signed_relative: mean of (|approximate| - |exact|) / |exact|.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "scatter"}


def stream(
    multiplier: FloatMultiplier,
    low: float,
    high: float,
    products: int,
    seed: int,
    *,
    threads: int | None = None,
    description: str = "multiplying",
) -> Statistics:
    """Statistics over ``products`` products of float32 operands, both uniform on [low, high].

    Block k is drawn from ``(seed, k)`` and blocks are added up in order, so that the result depends neither
    on ``threads`` (``axsim.threads.get_num_threads()`` by default) nor on their timing. Memory: some
    BLOCK-sized arrays a thread. ValueError for no products or an empty range.
    """
    if not (products >= 1 and low < high):
        raise ValueError(f"expected products >= 1 and low < high, got {products=}, {low=}, {high=}")
    threads = threads or get_num_threads()
    sizes = [min(BLOCK, products - start) for start in range(0, products, BLOCK)]
    sample = _products(multiplier, low, high, min(SAMPLE, products), np.random.default_rng([seed]))
    largest = max(abs(low), abs(high)) ** 2
    exact_edges = np.linspace(-largest if low < 0 < high else min(low * low, high * high), largest, BINS + 1)
    # The sample does not hold the largest errors: leave some room for them.
    error_limit = 1.3 * float(np.abs(sample[1] - sample[0]).max()) or 1.0
    error_edges = np.linspace(-error_limit, error_limit, BINS + 1)

    def block(k: int) -> tuple[Sums, NDArray[np.int64]]:
        exact, ours = _products(multiplier, low, high, sizes[k], np.random.default_rng([seed, k]))
        return _sums(exact, ours), _histogram(exact, ours - exact, exact_edges, error_edges)

    total = Sums(0, 0, 0, 0.0, 0.0, 0.0, 0.0)
    counts = np.zeros((BINS, BINS), np.int64)
    with ThreadPoolExecutor(threads) as pool:
        # A few blocks at a time: finished histograms do not pile up.
        rounds = list(_chunks(len(sizes), 4 * threads))
        for chunk in track(rounds, description, len(rounds)):
            for sums, histogram in pool.map(block, chunk):
                total += sums
                counts += histogram
    return Statistics(
        products=total.products,
        higher=total.higher / total.products,
        mred=total.relative / total.nonzero,
        nmed=total.absolute / total.products / largest,
        mean_ratio=total.absolute / total.exact,
        mean_signed_relative=total.signed_relative / total.nonzero,
        scatter=Scatter(
            counts,
            total.products - int(counts.sum()),
            exact_edges,
            error_edges,
            sample[0],
            sample[1] - sample[0],
            np.abs(sample[1]) > np.abs(sample[0]),
        ),
    )


def _products(
    multiplier: FloatMultiplier, low: float, high: float, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact and approximate products of ``n`` pairs; a product of two float32 is exact in float64."""
    a, b = rng.uniform(low, high, (2, n)).astype(np.float32)
    return a.astype(np.float64) * b.astype(np.float64), axsim.multiply(a, b, multiplier).astype(np.float64)


def _sums(exact: NDArray[np.float64], ours: NDArray[np.float64]) -> Sums:
    magnitude = np.abs(exact)
    growth = np.abs(ours) - magnitude
    error = np.abs(ours - exact)
    zero = magnitude == 0
    with np.errstate(divide="ignore"):
        inverse = 1 / magnitude
    inverse[zero] = 0
    return Sums(
        products=len(exact),
        nonzero=len(exact) - int(np.count_nonzero(zero)),
        higher=int(np.count_nonzero(growth > 0)),
        relative=float((error * inverse).sum()),
        signed_relative=float((growth * inverse).sum()),
        absolute=float(error.sum()),
        exact=float(magnitude.sum()),
    )


def _histogram(
    x: NDArray[np.float64], y: NDArray[np.float64], x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Counts in equal cells, found by arithmetic: much faster than a search among the edges."""
    side = BINS + 2  # a margin for what lies beyond the edges
    cell = _cell(x, x_edges) * side + _cell(y, y_edges)
    return np.bincount(cell, minlength=side * side).reshape(side, side)[1:-1, 1:-1]


def _cell(x: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    scaled: NDArray[np.float64] = (x - edges[0]) * (BINS / (edges[-1] - edges[0])) + 1
    return scaled.clip(0, BINS + 1).astype(np.int64)


def _chunks(total: int, size: int) -> Iterator[range]:
    for start in range(0, total, size):
        yield range(start, min(start + size, total))

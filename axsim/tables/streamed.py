"""Error figures of circuits whose products are too many to keep: over all operands, or over a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axsim.circuits.operands import operand_range
from axsim.tables.metrics import Metrics

MAX_EXHAUSTIVE_BITS = 24
"""Input bits up to which all operand pairs are tried, 16 million at most."""

MAX_PRODUCT_BITS = 62  # so that errors are 64-bit integers

_CHUNK = 1 << 18
_NORMAL_95 = 1.959963984540054  # two-sided 95 % of the normal distribution

Products = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True)
class Estimate:
    """A mean over a sample, and the half-width of its 95 % interval (normal approximation)."""

    value: float
    margin: float

    def __str__(self) -> str:
        return f"{self.value:.6g} ± {self.margin:.2g}"


@dataclass(frozen=True)
class SampledMetrics:
    """Error figures estimated on random operand pairs, drawn uniformly and independently.

    Attributes:
        samples: how many operand pairs.
        mae, mre_percent, ep_percent, mse, bias: as in ``Metrics``, each with its 95 % interval; the relative
            error is over the pairs with a product other than 0.
        wce_seen: the largest error of the sample: a lower bound of the worst case.
    """

    samples: int
    mae: Estimate
    mre_percent: Estimate
    ep_percent: Estimate
    mse: Estimate
    bias: Estimate
    wce_seen: int


def stream(function: Products, a_bits: int, b_bits: int, out_bits: int, signed: bool) -> Metrics:
    """The error figures over all operand pairs, some 262,144 at a time; conventions of ``metrics.compute``.

    Args:
        function: the products of two int64 arrays of operands of equal shape.
        a_bits, b_bits, out_bits, signed: of the circuit; at most 24 input bits and 62 output bits.

    Raises:
        ValueError: the circuit is wider.

    >>> figures = stream(lambda a, b: a * b & ~1, 9, 8, 17, signed=False)
    >>> figures.wce, figures.ep_percent
    (1, 25.0)
    """
    _check(a_bits, b_bits, out_bits, MAX_EXHAUSTIVE_BITS)
    absolute = signed_sum = wrong = worst = 0
    squares = relative = worst_relative = 0.0
    nonzero = 0
    for a, b in _all_operands(a_bits, b_bits, signed):
        exact = a * b
        error = function(a, b).astype(np.int64) - exact
        distance, size = np.abs(error), np.abs(exact)
        absolute += int(distance.sum())
        signed_sum += int(error.sum())
        wrong += int(np.count_nonzero(error))
        worst = max(worst, int(distance.max()))
        squares += float(np.square(error, dtype=np.float64).sum())
        ratios = distance[size != 0] / size[size != 0]
        nonzero += ratios.size
        relative += float(ratios.sum())
        worst_relative = max(worst_relative, float(ratios.max(initial=0)))
    count = 1 << (a_bits + b_bits)
    mae, bias, mse, mred = absolute / count, signed_sum / count, squares / count, relative / max(nonzero, 1)
    greatest = math.prod(max(map(abs, operand_range(bits, signed))) for bits in (a_bits, b_bits))
    return Metrics(
        mae=mae,
        mae_percent=100 * mae / 2.0**out_bits,
        wce=worst,
        wce_percent=100 * worst / 2.0**out_bits,
        ep_percent=100 * wrong / count,
        mre_percent=100 * mred,
        wcre_percent=100 * worst_relative,
        mse=mse,
        bias=bias,
        error_variance=mse - bias**2,
        nmed=mae / greatest,
        mred=mred,
    )


def sample(
    function: Products, a_bits: int, b_bits: int, signed: bool, samples: int = 1 << 20, seed: int = 0
) -> SampledMetrics:
    """Error figures estimated on ``samples`` random operand pairs; the same seed gives the same figures.

    Raises:
        ValueError: fewer than 2 samples, or more than 62 input bits.

    >>> figures = sample(lambda a, b: a * b & ~1, 16, 16, signed=False, samples=10_000)
    >>> figures.wce_seen, abs(figures.ep_percent.value - 25) < 2 * figures.ep_percent.margin
    (1, True)
    """
    _check(a_bits, b_bits, 1, MAX_PRODUCT_BITS)
    if samples < 2:
        raise ValueError(f"samples is {samples}, expected at least 2")
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(*operand_range(bits, signed), samples, endpoint=True) for bits in (a_bits, b_bits))
    exact = a * b
    error = np.concatenate(
        [
            function(a[start : start + _CHUNK], b[start : start + _CHUNK]).astype(np.int64)
            - exact[start : start + _CHUNK]
            for start in range(0, samples, _CHUNK)
        ]
    )
    distance = np.abs(error)
    ratios = distance[exact != 0] / np.abs(exact[exact != 0])
    return SampledMetrics(
        samples=samples,
        mae=_estimate(distance),
        mre_percent=_estimate(100 * ratios),
        ep_percent=_estimate(100.0 * (error != 0)),
        mse=_estimate(np.square(error, dtype=np.float64)),
        bias=_estimate(error),
        wce_seen=int(distance.max()),
    )


def _estimate(values: NDArray[np.generic]) -> Estimate:
    numbers = values.astype(np.float64)
    if numbers.size < 2:
        return Estimate(float("nan"), float("inf"))
    return Estimate(float(numbers.mean()), _NORMAL_95 * float(numbers.std(ddof=1)) / math.sqrt(numbers.size))


def _all_operands(
    a_bits: int, b_bits: int, signed: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    low_a, low_b = operand_range(a_bits, signed)[0], operand_range(b_bits, signed)[0]
    for start in range(0, 1 << (a_bits + b_bits), _CHUNK):
        a, b = np.divmod(np.arange(start, min(start + _CHUNK, 1 << (a_bits + b_bits))), 1 << b_bits)
        yield a + low_a, b + low_b


def _check(a_bits: int, b_bits: int, out_bits: int, limit: int) -> None:
    if a_bits + b_bits > limit or out_bits > MAX_PRODUCT_BITS:
        raise ValueError(
            f"{a_bits} and {b_bits} input bits and {out_bits} output bits: expected at most {limit} and "
            f"{MAX_PRODUCT_BITS}"
        )

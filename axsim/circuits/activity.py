"""How often the nets of a circuit toggle, for operands of given statistics.

Each operation's operands are taken to be drawn anew, independent of those before. A net that is 1 with
probability p then toggles with probability ``2 p (1 - p)`` from one operation to the next. Gates are taken to
switch at once (zero delay), so that glitches are not counted: what real circuits add on the way to their
final values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array
from axsim.circuits.netlist import Netlist
from axsim.circuits.operands import as_integers, operand_range

Float = NDArray[np.float64]

EXHAUSTIVE_BITS = 20
"""Input bits up to which all operand pairs are tried; above, a sample stands for them."""

SAMPLES = 1 << 17
_SEED = 0


@dataclass(frozen=True)
class Uniform:
    """All operand pairs are equally likely."""

    def __str__(self) -> str:
        return "uniform operands"


@dataclass(frozen=True, eq=False)
class Histograms:
    """Operands that are drawn independently of each other.

    Attributes:
        a, b: how often each operand occurs: non-negative numbers, ``2**a_bits`` and ``2**b_bits`` of them,
            indexed by bit patterns (two's complement for a signed circuit); they need not sum to 1.
    """

    a: ArrayLike
    b: ArrayLike

    def __str__(self) -> str:
        return "operands by two histograms"


@dataclass(frozen=True, eq=False)
class Samples:
    """Operand pairs that occurred together.

    Attributes:
        a, b: integer operands, of equal shape.
    """

    a: ArrayLike
    b: ArrayLike

    def __str__(self) -> str:
        return f"{np.size(self.a)} operand pairs"


Statistics = Uniform | Histograms | Samples


def ones(netlist: Netlist, statistics: Statistics = Uniform()) -> Float:
    """Return the probability of being 1 for each net of a two-operand circuit.

    Args:
        netlist: any circuit of two operands.
        statistics: of the operands.

    Returns:
        float64 (nets,). Up to ``EXHAUSTIVE_BITS`` input bits they are those of all operand pairs. Above,
        uniform operands and those of histograms are sampled: 131,072 pairs, always the same ones.

    Raises:
        NetlistError: the circuit has not two operands.
        TypeError, ValueError: a histogram or sample does not fit the circuit.

    >>> from axsim.circuits import exact
    >>> ones(exact(1)).tolist()  # constants 0 and 1, a, b, a AND b
    [0.0, 1.0, 0.5, 0.5, 0.25]
    >>> ones(exact(1), Histograms([1, 3], [0, 1])).tolist()
    [0.0, 1.0, 0.75, 1.0, 0.75]
    """
    left, right = netlist.operands
    total: Float = np.zeros(netlist.first_gate + netlist.n_gates)
    for a, b, weights in _weighted(netlist, statistics):
        for chunk, nets in netlist.each_net(**{left: a, right: b}):
            count = chunk.stop - chunk.start
            of_chunk = None if isinstance(weights, float) else weights[chunk]
            for i, words in enumerate(nets):
                bits = np.unpackbits(words.view(np.uint8), count=count, bitorder="little")
                if of_chunk is None:
                    total[i] += weights * float(np.count_nonzero(bits))
                else:  # not by BLAS, whose threads take hundreds of times longer where processors are busy
                    total[i] += float(np.einsum("i,i->", of_chunk, bits))
    return np.clip(total, 0.0, 1.0)


def toggles(netlist: Netlist, statistics: Statistics = Uniform()) -> Float:
    """Return how often each gate's output toggles in an operation: float64 (gates,), 0 to 0.5.

    Arguments and errors as :func:`ones`.

    >>> from axsim.circuits import exact
    >>> toggles(exact(1)).tolist()  # an AND is 1 in a quarter of the cases
    [0.375]
    """
    p = ones(netlist, statistics)[netlist.first_gate :]
    return 2 * p * (1 - p)


def is_sampled(netlist: Netlist, statistics: Statistics) -> bool:
    """Whether a sample stands for all operand pairs."""
    return not isinstance(statistics, Samples) and netlist.a_bits + netlist.b_bits > EXHAUSTIVE_BITS


def _weighted(netlist: Netlist, statistics: Statistics) -> Iterator[tuple[Any, Any, float | Float]]:
    """Operand pairs, flat or broadcast, and the probability of each of them, one for all or their own."""
    widths = netlist.a_bits, netlist.b_bits
    if isinstance(statistics, Samples):
        if np.shape(statistics.a) != np.shape(statistics.b) or not np.size(statistics.a):
            shapes = f"{np.shape(statistics.a)} of a and {np.shape(statistics.b)} of b"
            raise ValueError(f"samples have shapes {shapes}: expected equal ones, not empty")
        a, b = (
            as_integers(name, values, width, netlist.signed)
            for name, values, width in zip("ab", (statistics.a, statistics.b), widths, strict=True)
        )
        yield a.reshape(-1), b.reshape(-1), 1 / a.size
        return
    weights = None
    if isinstance(statistics, Histograms):
        weights = [
            _shares(name, counts, width)
            for name, counts, width in zip("ab", (statistics.a, statistics.b), widths, strict=True)
        ]
    if is_sampled(netlist, statistics):
        rng = np.random.default_rng(_SEED)
        patterns = [
            rng.integers(0, 1 << width, SAMPLES) if weights is None else rng.choice(1 << width, SAMPLES, p=p)
            for width, p in zip(widths, weights or (None, None), strict=True)
        ]
        a, b = (_values(p, width, netlist.signed) for p, width in zip(patterns, widths, strict=True))
        yield a, b, 1 / SAMPLES
        return
    a, b = (_values(np.arange(1 << width), width, netlist.signed) for width in widths)
    each: float | Float = 0.5 ** sum(widths)
    if weights is not None:
        each = np.multiply.outer(*weights).reshape(-1)
    yield a[:, None], b, each


def _values(patterns: NDArray[np.int64], width: int, signed: bool) -> NDArray[np.int64]:
    return np.where(patterns > operand_range(width, signed)[1], patterns - (1 << width), patterns)


def _shares(name: str, counts: ArrayLike, width: int) -> Float:
    histogram = np.asarray(as_array(f"histogram of {name}", counts), np.float64)
    if histogram.shape != (1 << width,):
        raise ValueError(f"histogram of {name} has shape {histogram.shape}, expected ({1 << width},)")
    total = float(histogram.sum())
    if not np.isfinite(histogram).all() or (histogram < 0).any() or not 0 < total < np.inf:
        raise ValueError(f"histogram of {name} must hold finite numbers, none negative and not all 0")
    return histogram / total

"""Where the left operands of sums lie in their array, as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Places:
    """The left operand of row m and term k of a batch: element ``origins[batch] + rows[m] + terms[k]``.

    Attributes:
        origins, rows, terms: int64, one axis each.
        together: terms in groups of so many may have elements in common; those of two groups have none.
        joint: the same of rows.
    """

    origins: Offsets
    rows: Offsets
    terms: Offsets
    together: int = 1
    joint: int = 1

    def index(self, batch: int) -> Offsets:
        """All elements of a batch, (rows, terms).

        >>> matrices(2, 2, 3).index(1).tolist()
        [[6, 7, 8], [9, 10, 11]]
        """
        return np.asarray(self.origins[batch] + np.add.outer(self.rows, self.terms))


def matrices(batch: int, rows: int, terms: int) -> Places:
    """Of a C-contiguous array (batch, rows, terms)."""
    origins, lines, columns = (np.arange(n, dtype=np.int64) for n in (batch, rows, terms))
    return Places(origins * (rows * terms), lines * terms, columns)


def windows(
    shape: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Places:
    """Of the windows of a convolution without padding, of as many spatial axes as one likes.

    A batch is a group of channels, a row an image and an output pixel, a term a channel of the group and a
    pixel of the kernel, all in C order.

    Args:
        shape: of the images, (N, C, ...), C-contiguous.
        kernel: the kernel's pixels along each spatial axis.
        stride, dilation: as in ``conv2d``.
        groups: of channels.

    >>> places = windows((1, 1, 2, 3), (1, 2), (1, 1), (1, 1), 1)
    >>> places.index(0).tolist()
    [[0, 1], [1, 2], [3, 4], [4, 5]]
    """
    images, channels, *size = shape
    pitch = [math.prod(size[axis + 1 :]) for axis in range(len(size))]
    pixels = math.prod(size)
    outputs = output_size(size, kernel, stride, dilation)
    steps = [p * s for p, s in zip(pitch, stride, strict=True)]
    taps = [p * d for p, d in zip(pitch, dilation, strict=True)]
    per_group = channels // groups
    return Places(
        np.arange(groups, dtype=np.int64) * (per_group * pixels),
        _grid((images, *outputs), (channels * pixels, *steps)),
        _grid((per_group, *kernel), (pixels, *taps)),
        math.prod(kernel),
        math.prod(outputs),
    )


def output_size(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """The output's pixels along each spatial axis, without padding.

    >>> output_size((7, 5), (3, 1), (2, 1), (1, 1))
    [3, 5]
    """
    along = zip(size, kernel, stride, dilation, strict=True)
    return [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in along]


def _grid(counts: Sequence[int], steps: Sequence[int]) -> Offsets:
    """``sum of i * step`` for all i of a grid, in C order."""
    offsets = np.zeros(1, np.int64)
    for count, step in zip(counts, steps, strict=True):
        offsets = np.add.outer(offsets, np.arange(count, dtype=np.int64) * step).reshape(-1)
    return offsets

"""Stacks of matrices: which meet, and when a stack is one tall matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]

_ONE_MATRIX = np.zeros(1, np.int64)


def merged(batch: Shape, rows: int, b_shape: Shape) -> tuple[Shape, int]:
    """The stack of matrices that is really multiplied, and the rows of each left matrix.

    ``batch`` is what the leading axes of a (..., rows, K) and b (..., K, N) broadcast to. One right operand
    for all is one product: all left matrices below each other.

    >>> merged((2, 3), 10, (8, 4)), merged((2, 3), 10, (3, 8, 4))
    (((), 60), ((2, 3), 10))
    """
    return ((), math.prod(batch) * rows) if len(b_shape) == 2 else (batch, rows)


def broadcast(a: Shape, b: Shape) -> Shape:
    """As ``numpy.broadcast_shapes``, which takes microseconds where there is nothing to do."""
    return a if a == b else np.broadcast_shapes(a, b)


def stacked(a: Any, b: Any) -> tuple[Any, Shape, Shape]:
    """For ``a @ b`` of a (..., M, K) and b (..., K, N): the left operand, the stack that is multiplied, and
    the shape of the result.

    The left operand is one tall matrix where the right one is the same for all.
    """
    batch = broadcast(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    matrices, rows = merged(batch, a.shape[-2], b.shape)
    return (a if matrices == batch else a.reshape(rows, a.shape[-1])), matrices, shape


def matrix_index(own: Shape, batch: Shape) -> NDArray[np.int64]:
    """Which of an operand's own matrices each matrix of the broadcast batch takes.

    >>> matrix_index((2, 1), (2, 3)).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    if not batch:
        return _ONE_MATRIX
    index = np.arange(math.prod(own), dtype=np.int64).reshape(own)
    return np.ascontiguousarray(np.broadcast_to(index, batch)).reshape(-1)

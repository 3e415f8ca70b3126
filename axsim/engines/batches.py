"""Which matrices of a stack meet, for the compiled engines."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_ONE_MATRIX = np.zeros(1, np.int64)


def matrix_index(own: tuple[int, ...], batch: tuple[int, ...]) -> NDArray[np.int64]:
    """Which of an operand's own matrices each matrix of the broadcast batch takes."""
    if not batch:
        return _ONE_MATRIX
    index = np.arange(math.prod(own), dtype=np.int64).reshape(own)
    return np.ascontiguousarray(np.broadcast_to(index, batch)).reshape(-1)

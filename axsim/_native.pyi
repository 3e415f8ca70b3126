from typing import Any

import numpy as np
from numpy.typing import NDArray

class Table:
    """A folded product table, laid out for the kernels."""

    def __init__(self, values: NDArray[np.int32]) -> None: ...

def gemm(
    table: Table,
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    a_index: NDArray[np.int64],
    b_index: NDArray[np.int64],
    out: NDArray[Any],
    threads: int,
) -> tuple[int, int]: ...
def conv2d(
    table: Table,
    x: NDArray[np.uint8],
    w: NDArray[np.uint8],
    out: NDArray[Any],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    pad_byte: int,
    threads: int,
) -> tuple[int, int]: ...
def lookup(
    values: NDArray[np.int32],
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    out: NDArray[np.int32],
    threads: int,
) -> None: ...
def isa() -> str: ...

from collections.abc import Sequence
from typing import Any, overload

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
def runnable_isas() -> list[str]: ...

class FloatRules:
    """Format, normaliser, rounding and special values of a float multiplier."""

    def __init__(
        self,
        *,
        fraction_bits: int,
        published: bool,
        truncate: bool,
        positive_zero: bool,
        underflow: int,
        zero_below: float,
        smallest_normal: float,
        largest: float,
        low: float,
        high: float,
    ) -> None: ...

class FloatMultiplier:
    """A float multiplier, laid out for the kernels."""

    @overload
    def __init__(self, rules: FloatRules, terms: Sequence[Any]) -> None: ...
    @overload
    def __init__(self, rules: FloatRules, table: NDArray[np.uint32]) -> None: ...

def float_gemm(
    multiplier: FloatMultiplier,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    a_index: NDArray[np.int64],
    b_index: NDArray[np.int64],
    out: NDArray[np.float64],
    threads: int,
) -> None: ...
def float_conv2d(
    multiplier: FloatMultiplier,
    x: NDArray[np.float32],
    w: NDArray[np.float32],
    out: NDArray[np.float64],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    threads: int,
) -> None: ...
def float_multiply(
    multiplier: FloatMultiplier,
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    out: NDArray[np.float32],
    threads: int,
) -> None: ...

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_Doubles = NDArray[np.float64]

class Table:
    """A folded product table, laid out for the kernels."""

    def __init__(
        self, values: NDArray[np.int32], left_signed: bool = ..., right_signed: bool = ...
    ) -> None: ...

class Weights:
    """A right operand, prepared once for the kernels of one engine."""

    def gemm(self, a: NDArray[np.uint8 | np.int16], out: NDArray[Any], threads: int) -> tuple[int, int]: ...
    def conv2d(
        self,
        x: NDArray[np.uint8 | np.int16],
        out: NDArray[Any],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pad: tuple[int, int],
        dilation: tuple[int, int],
        pad_value: int,
        threads: int,
    ) -> tuple[int, int]: ...

class LookupWeights(Weights):
    """Packed for the kernels that look products up."""

    def __init__(self, table: Table, w: NDArray[np.uint8 | np.int16], groups: int = 1) -> None: ...

class Layer:
    """Prepared weights with what their integers stand for."""

    def __init__(
        self,
        weights: Weights,
        bytes_are_signed: bool,
        scale: _Doubles,
        zero: _Doubles,
        bias: _Doubles | None,
    ) -> None: ...
    def gemm(
        self,
        x: NDArray[np.float32],
        scale: float,
        zero: int,
        low: int,
        high: int,
        out: NDArray[np.float32],
        threads: int,
    ) -> bool: ...
    def conv2d(
        self,
        x: NDArray[np.float32],
        scale: float,
        zero: int,
        low: int,
        high: int,
        out: NDArray[np.float32],
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pad: tuple[int, int],
        dilation: tuple[int, int],
        threads: int,
    ) -> bool: ...

def range_params(
    x: NDArray[np.float32], centred: bool, low: int, high: int, threads: int
) -> tuple[float, int] | None: ...
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

class FactorsPart:
    """Terms whose exact products are added up together."""

    def __init__(
        self, left: NDArray[np.int16], right: NDArray[np.int16], shift: int, depth: int, bytes: bool
    ) -> None: ...

class Factors:
    """A folded product table's factors, laid out for the kernels."""

    def __init__(
        self,
        parts: Sequence[FactorsPart],
        left_sums: NDArray[np.int64],
        right_sums: NDArray[np.int64],
        byte_sums: int,
        largest: int,
    ) -> None: ...

class FactoredWeights(Weights):
    """Expanded for the kernels of exact products."""

    def __init__(self, factors: Factors, w: NDArray[np.uint8 | np.int16], groups: int = 1) -> None: ...

def factored_gemm(
    factors: Factors,
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    a_index: NDArray[np.int64],
    b_index: NDArray[np.int64],
    out: NDArray[Any],
    threads: int,
) -> tuple[int, int]: ...
def factored_conv2d(
    factors: Factors,
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
def byte_sums() -> int: ...
def gemm_isa() -> str: ...
def lookup(
    values: NDArray[np.int32],
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    out: NDArray[np.int32],
    threads: int,
) -> None: ...
def enter_float_mode() -> int: ...
def leave_float_mode(mode: int) -> None: ...
def isa() -> str: ...
def runnable_isas() -> list[str]: ...
def helpers() -> str: ...
def helps() -> int: ...
def extremes(x: NDArray[Any], threads: int) -> tuple[float, float, bool]: ...
def quantise(
    x: NDArray[Any],
    scale: _Doubles,
    zero: _Doubles,
    low: int,
    high: int,
    out: NDArray[np.uint8],
    threads: int,
) -> bool: ...
def sum_bytes(q: NDArray[np.uint8], is_signed: bool, out: _Doubles, threads: int) -> None: ...
def sum_windows(
    x: NDArray[np.uint8],
    is_signed: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
    dilation: tuple[int, int],
    pad_byte: int,
    out: _Doubles,
    threads: int,
) -> None: ...
def scale_planes(
    sums: NDArray[Any],
    left: _Doubles,
    left_scale: float,
    right_scale: _Doubles,
    zero: _Doubles,
    extra: _Doubles,
    bias: _Doubles | None,
    out: NDArray[Any],
    threads: int,
) -> None: ...
def scale_rows(
    sums: NDArray[Any],
    left: _Doubles,
    left_scale: float,
    right_scale: _Doubles,
    zero: _Doubles,
    extra: _Doubles,
    out: NDArray[Any],
    threads: int,
) -> None: ...

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

class FloatWeights:
    """A right operand, split once as the kernels read it."""

    def __init__(self, multiplier: FloatMultiplier, w: NDArray[np.float32], groups: int = 1) -> None: ...
    def gemm(
        self, a: NDArray[np.float32], out: NDArray[Any], bias: _Doubles | None, threads: int
    ) -> None: ...
    def conv2d(
        self,
        x: NDArray[np.float32],
        out: NDArray[Any],
        bias: _Doubles | None,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pad: tuple[int, int],
        dilation: tuple[int, int],
        threads: int,
    ) -> None: ...

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
def weighted_left(
    table: NDArray[np.float32],
    g: NDArray[np.float32],
    a: NDArray[np.uint16],
    origins: NDArray[np.int64],
    rows: NDArray[np.int64],
    terms: NDArray[np.int64],
    b: NDArray[np.uint16],
    zero: NDArray[np.float32] | None,
    together: int,
    joint: int,
    out: NDArray[np.float32],
    threads: int,
) -> None: ...
def weighted_right(
    table: NDArray[np.float32],
    g: NDArray[np.float32],
    a: NDArray[np.uint16],
    origins: NDArray[np.int64],
    rows: NDArray[np.int64],
    terms: NDArray[np.int64],
    b: NDArray[np.uint16],
    out: NDArray[np.float32],
    threads: int,
) -> None: ...

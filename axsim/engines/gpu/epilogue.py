"""``axsim.engines.cpu.epilogue`` on a GPU, in one kernel; and conversions between float types.

CuPy compiles its own kernels so that subnormal float32 numbers become zeros; these keep them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.engines import zero_points
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.operands import Quantized
from axsim.engines.shapes.batches import merged
from axsim.engines.shapes.geometry import Geometry

Array = Any  # of the device

_THREADS = 256
_FEW = 2**31  # elements that the kernel counts in 32 bits
_TYPES = {"int32": "int32", "int64": "int64", "float32": "float", "float64": "double"}


@dataclass(frozen=True)
class Layout:
    """Where channels and rows are among the elements: line, channel, and ``inner`` elements of each.

    Attributes:
        channels: of a line.
        inner: elements of a channel.
        groups: a line has sums of rows for each.
        lines: that have the sums of columns in common.
    """

    channels: int = 1
    inner: int = 1
    groups: int = 1
    lines: int = 1


def scaled_lookup(products: Array, a: Quantized, b: Quantized, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.scaled_lookup``."""
    total = zero_points.lookup(products, a.values, b.values, a.zero, b.zero)
    return _scaled(total, Layout(), dtype, left=a, right=b)


def scaled_gemm(sums: Array, a: Quantized, b: Quantized, bias: Array | None, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.scaled_gemm``."""
    *batch, m, n = sums.shape
    rows, columns = zero_points.gemm_sides(a.values, b.values, a.zero, b.zero)
    stack, lines = merged(tuple(batch), m, b.values.shape)
    xp = current().xp
    if rows is not None:
        rows = xp.broadcast_to(rows, sums.shape[:-1])
    if columns is not None:
        columns = xp.broadcast_to(columns, (*stack, n))
    return _scaled(
        sums, Layout(n, lines=max(lines, 1)), dtype, left=a, right=b, rows=rows, columns=columns, bias=bias
    )


def scaled_conv2d(
    sums: Array, x: Quantized, w: Quantized, geometry: Geometry, bias: Array | None, dtype: np.dtype[Any]
) -> Array:
    """As ``Backend.scaled_conv2d``."""
    rows, columns = zero_points.conv2d_sides(x.values, w.values, geometry, x.zero, w.zero)
    layout = Layout(sums.shape[1], math.prod(sums.shape[2:]), geometry.groups, max(len(sums), 1))
    return _scaled(sums, layout, dtype, left=x, right=w, rows=rows, columns=columns, bias=bias)


def biased(sums: Array, bias: Array, axis: int, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.biased``."""
    inner = math.prod(sums.shape[axis + 1 :]) if axis < -1 else 1
    return _scaled(sums, Layout(sums.shape[axis], inner), dtype, bias=bias)


def converted(values: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.converted``."""
    return values if values.dtype == dtype else _scaled(values, Layout(), dtype)


def _scaled(
    values: Array,
    layout: Layout,
    dtype: np.dtype[Any],
    *,
    left: Quantized | None = None,
    right: Quantized | None = None,
    rows: Array | None = None,
    columns: Array | None = None,
    bias: Array | None = None,
) -> Array:
    runtime = current()
    xp = runtime.xp
    out = xp.empty(values.shape, dtype)
    values = xp.ascontiguousarray(values)
    if not out.size:
        return out
    zero, one, nothing = (
        _neutral(runtime, number) for number in (np.int64(0), np.float64(1), -np.float64(0))
    )
    bias = nothing if bias is None else bias
    defines = {
        "VALUE": _TYPES[values.dtype.name],
        "REAL": _TYPES[np.dtype(dtype).name],
        "BIAS": _TYPES[bias.dtype.name],
        "INDEX": "uint32" if values.size < _FEW else "int64",
    }
    blocks = min(-(-values.size // _THREADS), 16 * runtime.device.multiprocessors)
    runtime.kernel("epilogue.cu", "scale", defines)(
        (blocks, 1, 1),
        (_THREADS, 1, 1),
        (
            *(values, out, np.int64(values.size), np.int64(layout.inner), np.int64(layout.channels)),
            *(np.int64(layout.channels // layout.groups), np.int64(layout.lines)),
            *_stepped(runtime, rows, zero),
            *_stepped(runtime, columns, zero),
            *_stepped(runtime, None if right is None else right.zero, zero),
            one if left is None else left.scale.reshape(1),
            *_stepped(runtime, None if right is None else right.scale, one),
            *_stepped(runtime, bias, nothing),
        ),
    )
    return out


def _stepped(runtime: Runtime, array: Array | None, neutral: Array) -> tuple[Array, np.int32]:
    """The array for the kernel, and by how many elements it goes on: 0 where there is one for all."""
    flat = neutral if array is None else runtime.xp.ascontiguousarray(array).reshape(-1)
    return flat, np.int32(flat.size > 1)


def _neutral(runtime: Runtime, number: np.generic) -> Array:
    return runtime.constant(np.array([number]), Layout, ("neutral", repr(number)))

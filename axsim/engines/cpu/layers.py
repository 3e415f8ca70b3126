"""Whole layers in one compiled call: float32 activations, weights that are looked up, float32 results.

The numbers are those of the parts: quantised (``quantize``), summed (``native``), scaled (``epilogue``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim import _native
from axsim.engines.cpu.native import kernel_table
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import SIGNED
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.weights import Weights
from axsim.quantization import QuantParams, not_finite
from axsim.threads import get_num_threads

Array = NDArray[Any]


def gemm(table: FoldedTable, a: Unquantized, b: Weights, bias: Array | None) -> Array:
    """``a @ b`` of float32 a (..., M, K) and b (K, N), plus bias (N,): float32.

    Raises:
        ValueError: ``a`` holds NaN or infinity.
    """
    x = _plain(a.values)
    rows = x.reshape(-1, x.shape[-1]) if x.size else x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])
    out = np.empty((len(rows), b.shape[-1]), np.float32)
    numbers = _numbers(a, x)
    if not _layer(table, a, b, bias, 1).gemm(rows, *numbers, out, get_num_threads()):
        raise not_finite(a.name)
    return out.reshape(*x.shape[:-1], b.shape[-1])


def conv2d(table: FoldedTable, a: Unquantized, w: Weights, geometry: Geometry, bias: Array | None) -> Array:
    """Cross-correlation of float32 x (N, C, H, W) with w, plus bias (O,): float32 (N, O, OH, OW).

    Raises:
        ValueError: x holds NaN or infinity.
    """
    x, kernel = _plain(a.values), (w.shape[2], w.shape[3])
    out = np.empty(
        (len(x), len(w.values), *geometry.output_size(x.shape[2], x.shape[3], *kernel)), np.float32
    )
    pad = geometry.padding[0], geometry.padding[2]
    layer, numbers = _layer(table, a, w, bias, geometry.groups), _numbers(a, x)
    where = kernel, geometry.stride, pad, geometry.dilation
    if not layer.conv2d(x, *numbers, out, *where, get_num_threads()):
        raise not_finite(a.name)
    return out


def _numbers(a: Unquantized, x: Array) -> tuple[float, int, int, int]:
    """Scale, zero point, and the least and greatest integer of the left operand."""
    by = a.by
    if isinstance(by, QuantParams):
        return float(by.scale), int(by.zero_point), by.qmin, by.qmax
    found = _native.range_params(x, by.centred, by.qmin, by.qmax, get_num_threads())
    if found is None:
        raise not_finite(a.name)
    return *found, by.qmin, by.qmax


def _layer(
    table: FoldedTable, a: Unquantized, w: Weights, bias: Array | None, groups: int
) -> _native.LookupLayer:
    """Made once for a table and a bias: the last bias is kept."""
    assert w.quantized is not None
    signs = a.by.dtype == SIGNED, w.dtype == SIGNED
    numbers = None if bias is None else np.ascontiguousarray(bias, np.float64)
    kept, key = w.quantized.kept, ("layer", table, signs)
    found = kept.get(key)
    if found is None or not _same(found[0], numbers):
        if numbers is not None and not np.isfinite(numbers).all():
            raise ValueError("bias holds NaN or infinity")
        weights = w.quantized.keep(
            ("packed", table, signs),
            lambda: _native.LookupWeights(kernel_table(table, *signs), operand(w.values), groups),
        )
        scale, zero = channels(w.quantized, len(w.values) if w.ndim == 4 else w.shape[-1])
        layer = _native.LookupLayer(weights, w.dtype == np.int8, scale, zero, numbers)
        kept[key] = found = None if numbers is None else numbers.copy(), layer
    made: _native.LookupLayer = found[1]
    return made


def operand(values: Array) -> Array:
    """Integers as the compiled module takes them: bytes, or int16."""
    plain = np.ascontiguousarray(values)
    return plain if plain.dtype == SIGNED else plain.view(np.uint8)


def channels(side: Quantized, count: int) -> tuple[Array, Array]:
    """Scale and zero point for each output channel, float64."""
    zero = 0 if side.zero is None else side.zero
    return tuple(np.ascontiguousarray(np.broadcast_to(x, count), np.float64) for x in (side.scale, zero))  # type: ignore[return-value]


def _same(kept: Array | None, bias: Array | None) -> bool:
    if kept is None or bias is None:
        return kept is bias
    return kept.shape == bias.shape and kept.tobytes() == bias.tobytes()


def _plain(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float32)

"""Sums of products of quantised operands, back to real numbers.

    y = s_b (s_a ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b ))  (+ bias)

The bracket is exact in integers (``axsim.engines.zero_points`` derives it); it is scaled in float64, by one
scale after the other (their product could overflow, and 0 times infinity is not 0), and rounded once. The
compiled module does so in one pass, where it was built, and NumPy in several; the numbers are the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import zero_points
from axsim.engines.forms.signs import is_signed
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.operands import Quantized
from axsim.engines.shapes.batches import merged
from axsim.engines.shapes.geometry import Geometry
from axsim.threads import get_num_threads

if NATIVE_IS_BUILT:
    from axsim import _native

Array = NDArray[Any]
Doubles = NDArray[np.float64]


def scaled_lookup(products: Array, a: Quantized, b: Quantized, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.scaled_lookup``, in NumPy; both operands are quantised per tensor."""
    total = zero_points.lookup(products, a.values, b.values, a.zero, b.zero)
    return _scaled(total, a.scale, b.scale, None, dtype)


def gemm_by_numpy(sums: Array, a: Quantized, b: Quantized, bias: Array | None, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.scaled_gemm``, in NumPy."""
    total = zero_points.gemm(sums, a.values, b.values, a.zero, b.zero)
    return _scaled(total, a.scale, b.scale, bias, dtype)


def conv2d_by_numpy(
    sums: Array, x: Quantized, w: Quantized, geometry: Geometry, bias: Array | None, dtype: np.dtype[Any]
) -> Array:
    """As ``Backend.scaled_conv2d``, in NumPy."""
    total = zero_points.conv2d(sums, x.values, w.values, geometry, x.zero, w.zero)
    w_scale = w.scale[:, None, None] if w.scale.ndim else w.scale
    return _scaled(total, x.scale, w_scale, None if bias is None else bias[:, None, None], dtype)


def gemm_by_kernels(
    sums: Array, a: Quantized, b: Quantized, bias: Array | None, dtype: np.dtype[Any]
) -> Array:
    """As ``Backend.scaled_gemm``, compiled."""
    *batch, rows, channels = sums.shape
    stack, rows = merged(tuple(batch), rows, b.values.shape)
    matrices = math.prod(stack)
    scale, zero = b.keep(("each", channels), lambda: (_each(b.scale, channels), _each(_zero(b), channels)))
    left, extra = np.zeros((matrices, rows)), np.zeros((matrices, channels))
    if b.zero is not None:
        left = _spread(_sums_over(a.values, a.values.ndim - 1), sums.shape[:-1]).reshape(matrices, rows)
    if a.zero is not None:
        right_sums = b.keep("column sums", lambda: _sums_over(b.values, b.values.ndim - 2))
        made = float(a.zero) * (a.values.shape[-1] * zero - right_sums)
        extra = _spread(made, (*stack, channels)).reshape(matrices, channels)
    out = np.empty(sums.shape, dtype if bias is None else np.float64)
    _native.scale_rows(
        np.ascontiguousarray(sums).reshape(matrices, rows, channels),
        left,
        float(a.scale),
        scale,
        zero,
        extra,
        out.reshape(matrices, rows, channels),
        get_num_threads(),
    )
    if bias is None:
        return out
    with np.errstate(over="ignore", invalid="ignore"):  # as compiled code has it
        out += bias
        biased: Array = out.astype(dtype, copy=False)
    return biased


def conv2d_by_kernels(
    sums: Array, x: Quantized, w: Quantized, geometry: Geometry, bias: Array | None, dtype: np.dtype[Any]
) -> Array:
    """As ``Backend.scaled_conv2d``, compiled."""
    images, channels, *size = sums.shape
    pixels, terms = math.prod(size), math.prod(w.values.shape[1:])
    scale, zero = w.keep(("each", channels), lambda: (_each(w.scale, channels), _each(_zero(w), channels)))
    left, extra = np.zeros((images, 1, pixels)), np.zeros(channels)
    if w.zero is not None:
        left = _window_sums(x, w.values.shape, geometry, size)
    if x.zero is not None:
        right_sums = w.keep("filter sums", lambda: _sums_over(w.values.reshape(channels, terms), 1))
        extra = float(x.zero) * (terms * zero - right_sums)
    out = np.empty(sums.shape, dtype)
    _native.scale_planes(
        np.ascontiguousarray(sums).reshape(images, channels, pixels),
        left,
        float(x.scale),
        scale,
        zero,
        extra,
        None if bias is None else np.ascontiguousarray(bias, np.float64),
        out.reshape(images, channels, pixels),
        get_num_threads(),
    )
    return out


scaled_gemm = gemm_by_kernels if NATIVE_IS_BUILT else gemm_by_numpy
scaled_conv2d = conv2d_by_kernels if NATIVE_IS_BUILT else conv2d_by_numpy


def _scaled(total: Array, a_scale: Array, b_scale: Array, bias: Array | None, dtype: np.dtype[Any]) -> Array:
    y = np.asarray(np.multiply(total, a_scale, dtype=np.float64))
    y *= b_scale
    if bias is not None:
        y += bias
    scaled: Array = y.astype(dtype, copy=False)
    return scaled


def _zero(operand: Quantized) -> Doubles:
    """The zero points of an operand in main memory."""
    return np.zeros(()) if operand.zero is None else operand.zero.astype(np.float64)


def _each(values: Array, channels: int) -> Doubles:
    """One number for each channel."""
    return _spread(values, (channels,))


def _spread(values: Array, shape: tuple[int, ...]) -> Doubles:
    return np.ascontiguousarray(np.broadcast_to(values, shape), np.float64)


def _sums_over(operand: Array, axis: int) -> Doubles:
    """``operand.sum(axis)`` of integers: whole numbers far below 2**53, and so exact."""
    if is_signed(operand):
        return np.asarray(operand.sum(axis=axis, dtype=np.float64))
    before, after = operand.shape[:axis], operand.shape[axis + 1 :]
    sums = np.empty((*before, *after))
    shape = math.prod(before), operand.shape[axis], math.prod(after)
    _native.sum_bytes(
        _bytes(operand).reshape(shape),
        operand.dtype.kind == "i",
        sums.reshape(shape[0], shape[2]),
        get_num_threads(),
    )
    return sums


def _window_sums(x: Quantized, w_shape: tuple[int, ...], geometry: Geometry, size: list[int]) -> Doubles:
    """The sum of each window's operands, for each group: (N, groups, OH * OW)."""
    if is_signed(x.values):
        centred = zero_points.window_sums(x.values, w_shape, geometry, x.zero)
        sums = centred + math.prod(w_shape[1:]) * _zero(x)
        return sums.reshape(len(sums), geometry.groups, math.prod(size))
    sums = np.empty((len(x.values), geometry.groups, *size))
    _native.sum_windows(
        _bytes(x.values),
        x.values.dtype.kind == "i",
        (w_shape[2], w_shape[3]),
        geometry.stride,
        (geometry.padding[0], geometry.padding[2]),
        geometry.dilation,
        x.pad,
        sums,
        get_num_threads(),
    )
    return sums.reshape(len(sums), geometry.groups, math.prod(size))


def _bytes(operand: Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(operand).view(np.uint8)

"""Sums of products of quantised operands, back to real numbers.

    y = s_a s_b ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b )  (+ bias)

The bracket is exact in integers (``axsim.engines.zero_points`` derives it); it is scaled in float64, by one
scale after the other (their product could overflow, and 0 times infinity is not 0), and rounded once. The
compiled module does so in one pass, where it was built, and NumPy in several; the numbers are the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import NATIVE_IS_BUILT, zero_points
from axsim.engines.geometry import Geometry
from axsim.quantize import QuantParams
from axsim.threads import get_num_threads

if NATIVE_IS_BUILT:
    from axsim import _native

Array = NDArray[Any]
Doubles = NDArray[np.float64]


def lookup(
    products: Array, a: Array, b: Array, a_params: QuantParams, b_params: QuantParams, dtype: Any
) -> Array:
    """Single products of ``a`` and ``b`` that broadcast together, both quantised per tensor, in NumPy."""
    zeros = int(a_params.zero_point), int(b_params.zero_point)
    return _scaled(zero_points.lookup(products, a, b, *zeros), a_params.scale, b_params.scale, None, dtype)


def gemm_by_numpy(
    sums: Array, a: Array, b: Array, a_params: QuantParams, b_params: QuantParams, dtype: Any
) -> Array:
    """``sums`` (..., M, N) of a (..., M, K) and b (..., K, N); ``b_params`` may have N channels."""
    total = zero_points.gemm(sums, a, b, int(a_params.zero_point), b_params.zero_point)
    return _scaled(total, a_params.scale, b_params.scale, None, dtype)


def conv2d_by_numpy(
    sums: Array,
    x: Array,
    w: Array,
    geometry: Geometry,
    x_params: QuantParams,
    w_params: QuantParams,
    bias: Array | None,
    dtype: Any,
) -> Array:
    """``sums`` (N, O, OH, OW) of images and filters; ``w_params`` may have O channels; bias is (O,)."""
    total = zero_points.conv2d(sums, x, w, geometry, int(x_params.zero_point), w_params.zero_point)
    w_scale = w_params.scale if w_params.axis is None else w_params.scale[:, None, None]
    return _scaled(total, x_params.scale, w_scale, None if bias is None else bias[:, None, None], dtype)


def gemm_by_kernels(
    sums: Array, a: Array, b: Array, a_params: QuantParams, b_params: QuantParams, dtype: Any
) -> Array:
    """As ``gemm_by_numpy``."""
    *batch, rows, channels = sums.shape
    shared = b.ndim == 2  # one right operand for all: one tall product
    matrices, rows = (1, math.prod(batch) * rows) if shared else (math.prod(batch), rows)
    a_zero, b_zero = float(a_params.zero_point), _each(b_params.zero_point, channels)
    left, extra = np.zeros(1), np.zeros(1)
    if b_zero.any():
        left = _sums_over(a, a.ndim - 1)
    if a_zero:
        extra = a.shape[-1] * a_zero * b_zero - a_zero * _sums_over(b, b.ndim - 2)
    out = np.empty(sums.shape, dtype)
    _native.scale_rows(
        np.ascontiguousarray(sums).reshape(matrices, rows, channels),
        _spread(left, sums.shape[:-1]).reshape(matrices, rows),
        float(a_params.scale),
        _each(b_params.scale, channels),
        b_zero,
        _spread(extra, (channels,) if shared else (*batch, channels)).reshape(matrices, channels),
        out.reshape(matrices, rows, channels),
        get_num_threads(),
    )
    return out


def conv2d_by_kernels(
    sums: Array,
    x: Array,
    w: Array,
    geometry: Geometry,
    x_params: QuantParams,
    w_params: QuantParams,
    bias: Array | None,
    dtype: Any,
) -> Array:
    """As ``conv2d_by_numpy``."""
    images, channels, *size = sums.shape
    pixels, terms = math.prod(size), math.prod(w.shape[1:])
    x_zero, w_zero = float(x_params.zero_point), _each(w_params.zero_point, channels)
    left, extra = np.zeros((images, 1, pixels)), np.zeros(channels)
    if w_zero.any():
        left = _window_sums(x, w.shape, geometry, int(x_zero), size)
    if x_zero:
        extra = x_zero * (terms * w_zero - _sums_over(w.reshape(channels, terms), 1))
    out = np.empty(sums.shape, dtype)
    _native.scale_planes(
        np.ascontiguousarray(sums).reshape(images, channels, pixels),
        left,
        float(x_params.scale),
        _each(w_params.scale, channels),
        w_zero,
        extra,
        None if bias is None else np.ascontiguousarray(bias, np.float64),
        out.reshape(images, channels, pixels),
        get_num_threads(),
    )
    return out


gemm = gemm_by_kernels if NATIVE_IS_BUILT else gemm_by_numpy
conv2d = conv2d_by_kernels if NATIVE_IS_BUILT else conv2d_by_numpy


def _scaled(total: Array, a_scale: Array, b_scale: Array, bias: Array | None, dtype: Any) -> Array:
    y = np.asarray(np.multiply(total, a_scale, dtype=np.float64))
    y *= b_scale
    if bias is not None:
        y += bias
    scaled: Array = y.astype(dtype, copy=False)
    return scaled


def _each(values: Array, channels: int) -> Doubles:
    """One number for each channel."""
    return _spread(values, (channels,))


def _spread(values: Array, shape: tuple[int, ...]) -> Doubles:
    return np.ascontiguousarray(np.broadcast_to(values, shape), np.float64)


def _sums_over(operand: Array, axis: int) -> Doubles:
    """``operand.sum(axis)`` of uint8 or int8: whole numbers far below 2**53, and so exact."""
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


def _window_sums(
    x: Array, w_shape: tuple[int, ...], geometry: Geometry, x_zero: int, size: list[int]
) -> Doubles:
    """The sum of each window's operands, for each group: (N, groups, OH * OW)."""
    sums = np.empty((len(x), geometry.groups, *size))
    _native.sum_windows(
        _bytes(x),
        x.dtype.kind == "i",
        (w_shape[2], w_shape[3]),
        geometry.stride,
        (geometry.padding[0], geometry.padding[2]),
        geometry.dilation,
        x_zero & 255,
        sums,
        get_num_threads(),
    )
    return sums.reshape(len(x), geometry.groups, math.prod(size))


def _bytes(operand: Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(operand).view(np.uint8)

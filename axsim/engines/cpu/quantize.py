"""Quantising arrays in main memory: in one compiled pass, or by NumPy, with the same integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.signs import SIGNED
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.operands import Quantized, Unquantized
from axsim.quantization import Float, QuantParams, Rule, along, not_finite
from axsim.threads import get_num_threads

if NATIVE_IS_BUILT:
    from axsim import _native

Array = NDArray[Any]


def quantized(operands: Sequence[Unquantized], bias: Array | None) -> list[Quantized]:
    """As ``Backend.quantized``."""
    made = [_quantized(operand) for operand in operands]
    if bias is not None and not np.isfinite(bias).all():
        raise ValueError("bias holds NaN or infinity")
    return made


def described(values: Array, params: QuantParams) -> Quantized:
    """Integers that ``params`` made."""
    zero = params.zero_point if params.zero_point.any() else None
    pad = 0 if params.axis is not None else int(params.zero_point)
    return Quantized(values, params.scale, zero, pad if params.dtype == SIGNED else pad & 255)


def integers_by_numpy(name: str, array: Array, params: QuantParams) -> Array:
    """As ``Backend.integers``, in NumPy."""
    if array.size and not np.isfinite(row_extremes(array.reshape(1, -1))).all():
        raise not_finite(name)
    with np.errstate(over="ignore"):  # a quotient beyond float64 is clipped like any other large one
        q = np.divide(array, along(params.scale, params, array, name), dtype=np.float64)
    q = np.rint(q, out=q if q.ndim else None)
    q = np.clip(q + along(params.zero_point, params, array, name), params.qmin, params.qmax)
    return np.asarray(q).astype(params.dtype)


def integers_by_kernel(name: str, array: Array, params: QuantParams) -> Array:
    """As ``Backend.integers``, in one pass of compiled code."""
    if params.dtype == SIGNED:
        return integers_by_numpy(name, array, params)
    along(params.scale, params, array, name)  # checks the number of channels
    view = (1, 1, array.size)
    if params.axis is not None:
        axis = params.axis % array.ndim
        view = math.prod(array.shape[:axis]), array.shape[axis], math.prod(array.shape[axis + 1 :])
    scale, zero = params.scale.reshape(-1), params.zero_point.reshape(-1).astype(np.float64)
    return _by_kernel(name, array, view, (scale, zero), params)


def _by_kernel(
    name: str,
    array: Array,
    view: tuple[int, int, int],
    numbers: tuple[Float, Float],
    by: QuantParams | Rule,
) -> Array:
    """Integers from ``qmin`` to ``qmax``, by scales and zero points for the middle axis of a view."""
    q = np.empty(array.shape, by.dtype)
    limits, threads = (by.qmin, by.qmax), get_num_threads()
    if not _native.quantise(_plain(array).reshape(view), *numbers, *limits, q.view(np.uint8), threads):
        raise not_finite(name)
    return q


integers = integers_by_kernel if NATIVE_IS_BUILT else integers_by_numpy


def row_extremes(rows: Array) -> tuple[Float, Float]:
    """As ``Backend.row_extremes``."""
    if NATIVE_IS_BUILT and len(rows) == 1:
        low, high, finite = _native.extremes(_plain(rows), get_num_threads())
        return np.array([low if finite else math.nan]), np.array([high if finite else math.nan])
    # NaN passes through min and max, so that no array of flags is needed.
    return rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)


def _quantized(operand: Unquantized) -> Quantized:
    name, x, by = operand.name, operand.values, operand.by
    if isinstance(by, QuantParams):
        return described(integers(name, x, by), by)
    low, high = 0.0, 0.0
    if x.size:
        low, high = (float(end[0]) for end in row_extremes(x.reshape(1, -1)))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise not_finite(name)
    if not NATIVE_IS_BUILT or by.dtype == SIGNED:
        params = by.params(low, high)
        return described(integers(name, x, params), params)
    scale, zero = by.numbers(low, high)
    numbers = np.array([scale]), np.array([float(zero)])
    values = _by_kernel(name, x, (1, 1, x.size), numbers, by)
    return Quantized(values, np.array(scale), np.array(zero) if zero else None, zero & 255)


def _plain(array: Array) -> Array:
    """C-contiguous and in the byte order of the machine, as compiled code takes it."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))

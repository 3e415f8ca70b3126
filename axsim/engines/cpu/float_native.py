"""The compiled engine for float multipliers: the numbers of ``float_reference``, by ``axsim._native``.

Operands are float32, strided as they like; kernels round them to the multiplier's format and take small
numbers for zeros.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim import _native
from axsim.engines.cpu.float_reference import Floats, round_sums
from axsim.engines.shapes.batches import matrix_index, stacked
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.weights import Weights
from axsim.multipliers.float_multiplier import FloatMultiplier, as_seen, with_positive_zeros
from axsim.multipliers.significand import MaskedForm, Segmented
from axsim.threads import get_num_threads

_UNDERFLOW = {"gradual": 0, "flush": 1, "fraction": 2}
_MOST_TERMS = 3


def supports(multiplier: FloatMultiplier) -> bool:
    """Whether this engine has kernels for it: masked forms of up to three terms, and segment tables."""
    significand = multiplier.significand
    return isinstance(significand, Segmented) or (
        isinstance(significand, MaskedForm) and len(significand.terms) <= _MOST_TERMS
    )


def multiply(multiplier: FloatMultiplier, a: Floats, b: Floats) -> Floats:
    """Products of the elements of a and b, broadcast together: float32."""
    a, b = as_seen(multiplier, np, a, b)
    shape = np.broadcast_shapes(a.shape, b.shape)
    out = np.empty(shape, np.float32)
    _native.float_multiply(
        _kernel(multiplier),
        np.ascontiguousarray(np.broadcast_to(a, shape)).reshape(-1),
        np.ascontiguousarray(np.broadcast_to(b, shape)).reshape(-1),
        out.reshape(-1),
        get_num_threads(),
    )
    products: Floats = with_positive_zeros(multiplier, out, np)
    return products


def gemm(multiplier: FloatMultiplier, a: Floats, b: Floats, *, rounded: bool = True) -> NDArray[Any]:
    """``out[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes, strided as they like. The result is float32,
    or float64 with ``rounded=False``, as in ``float_reference.gemm``.
    """
    a, b = as_seen(multiplier, np, a, b)
    a, matrices, shape = stacked(a, b)
    sums = np.empty((math.prod(matrices), a.shape[-2], shape[-1]))
    _native.float_gemm(
        _kernel(multiplier),
        np.ascontiguousarray(a).reshape(math.prod(a.shape[:-2]), *a.shape[-2:]),
        np.ascontiguousarray(b).reshape(math.prod(b.shape[:-2]), *b.shape[-2:]),
        matrix_index(a.shape[:-2], matrices),
        matrix_index(b.shape[:-2], matrices),
        sums,
        get_num_threads(),
    )
    sums = sums.reshape(shape)
    return round_sums(sums) if rounded else sums


def conv2d(
    multiplier: FloatMultiplier, x: Floats, w: Floats, geometry: Geometry, *, rounded: bool = True
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW).

    As ``float_reference.conv2d``; patches are packed a block at a time.
    """
    x, w = as_seen(multiplier, np, x, w)
    sums = np.empty((len(x), len(w), *geometry.output_size(*x.shape[2:], *w.shape[2:])))
    _native.float_conv2d(
        _kernel(multiplier),
        np.ascontiguousarray(x),
        np.ascontiguousarray(w),
        sums,
        geometry.stride,
        (geometry.padding[0], geometry.padding[2]),
        geometry.dilation,
        geometry.groups,
        get_num_threads(),
    )
    return round_sums(sums) if rounded else sums


def layer_gemm(
    multiplier: FloatMultiplier, a: Floats, b: Weights, bias: NDArray[Any] | None, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """``a @ b`` of a (..., M, K) and prepared b (K, N), plus bias (N,): float32 or float64."""
    (a,) = as_seen(multiplier, np, a)
    rows = np.ascontiguousarray(a).reshape(math.prod(a.shape[:-1]), a.shape[-1])
    out = np.empty((len(rows), b.shape[-1]), dtype)
    _weights(multiplier, b, 1).gemm(rows, out, _numbers(bias), get_num_threads())
    return out.reshape(*a.shape[:-1], b.shape[-1])


def layer_conv2d(
    multiplier: FloatMultiplier,
    x: Floats,
    w: Weights,
    geometry: Geometry,
    bias: NDArray[Any] | None,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with prepared w, plus bias (O,): (N, O, OH, OW) of ``dtype``."""
    (x,) = as_seen(multiplier, np, x)
    kernel, padding = (w.shape[2], w.shape[3]), (geometry.padding[0], geometry.padding[2])
    out = np.empty((len(x), w.shape[0], *geometry.output_size(x.shape[2], x.shape[3], *kernel)), dtype)
    where = kernel, geometry.stride, padding, geometry.dilation
    weights = _weights(multiplier, w, geometry.groups)
    weights.conv2d(np.ascontiguousarray(x), out, _numbers(bias), *where, get_num_threads())
    return out


def _weights(multiplier: FloatMultiplier, w: Weights, groups: int) -> _native.FloatWeights:
    def made() -> _native.FloatWeights:
        (values,) = as_seen(multiplier, np, w.values)
        return _native.FloatWeights(_kernel(multiplier), np.ascontiguousarray(values), groups)

    return w.keep("float weights", made)  # they are for one multiplier


def _numbers(bias: NDArray[Any] | None) -> NDArray[np.float64] | None:
    return None if bias is None else np.ascontiguousarray(bias, np.float64)


@lru_cache(maxsize=64)
def _kernel(multiplier: FloatMultiplier) -> _native.FloatMultiplier:
    significand, special = multiplier.significand, multiplier.special
    low, high = significand.bounds
    rules = _native.FloatRules(
        fraction_bits=multiplier.format.fraction_bits,
        published=multiplier.normaliser == "published",
        truncate=multiplier.rounding == "truncate",
        positive_zero=special.zero_sign != "ieee",
        underflow=_UNDERFLOW[special.underflow],
        zero_below=special.zero_below if multiplier.operand_rounding == "nearest-even" else 0.0,
        smallest_normal=multiplier.smallest_result,
        largest=multiplier.format.largest,
        low=low,
        high=high,
    )
    if isinstance(significand, Segmented):
        table = significand.table.values.astype(np.uint32)
        return _native.FloatMultiplier(rules, table)
    if isinstance(significand, MaskedForm) and supports(multiplier):
        return _native.FloatMultiplier(rules, significand.terms)
    raise ValueError(
        f"{multiplier.name}: the native engine has no kernel for {type(significand).__name__} significands; "
        'use engine="reference"'
    )

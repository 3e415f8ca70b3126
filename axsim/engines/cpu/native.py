"""The compiled engine: the same sums as ``reference``, by the kernels of ``axsim._native``."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim import _native
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import is_signed, signs_of, summed
from axsim.engines.shapes.batches import matrix_index, stacked
from axsim.engines.shapes.geometry import Geometry
from axsim.threads import get_num_threads

Bytes = NDArray[np.uint8]
Array = NDArray[Any]

_tables: WeakKeyDictionary[FoldedTable, dict[tuple[bool, bool], _native.Table]] = WeakKeyDictionary()


def lookup(table: FoldedTable, a: Bytes, b: Bytes) -> NDArray[np.int32]:
    """``table[a, b]`` element by element, broadcast together: int32."""
    if is_signed(a, b):
        return summed(lambda table, a, b, _: lookup(table, a, b), table, a, b)
    left, right = (np.ascontiguousarray(side) for side in np.broadcast_arrays(a, b))
    # np.ascontiguousarray gives an array without axes one of length 1.
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), np.int32)
    _native.lookup(table.values, left.reshape(-1), right.reshape(-1), out.reshape(-1), get_num_threads())
    return out


def gemm(table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
    """``out[..., m, n] = sum over k of table[a[..., m, k], b[..., k, n]]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes, strided as they like; the result has dtype
    ``accumulator`` (int32 or int64), which the caller knows to be wide enough.
    """
    if is_signed(a, b):
        pack = partial(packed, table, signs_of(a.dtype, b.dtype), groups=1)
        return gemm_by(pack, a, b, accumulator)
    return gemm_with(partial(_native.gemm, kernel_table(table)), a, b, accumulator)


def conv2d(
    table: FoldedTable, x: Bytes, w: Bytes, geometry: Geometry, pad_byte: int, accumulator: DTypeLike
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW) of ``accumulator``.

    Patches are packed a block at a time; a padded pixel is the operand ``pad_byte``.
    """
    if is_signed(x, w):
        weights = packed(table, signs_of(x.dtype, w.dtype), w, geometry.groups)
        return conv2d_by(weights, x, w.shape, geometry, pad_byte, accumulator)
    return conv2d_with(partial(_native.conv2d, kernel_table(table)), x, w, geometry, pad_byte, accumulator)


def packed(table: FoldedTable, signs: tuple[bool, bool], w: Array, groups: int) -> _native.Weights:
    """A right operand, uint8 or int16, to be looked up; ``signs`` says which operands are int16."""
    return _native.LookupWeights(kernel_table(table, *signs), np.ascontiguousarray(w), groups)


def gemm_by(pack: Callable[[Array], _native.Weights], a: Array, b: Array, accumulator: DTypeLike) -> Array:
    """As ``gemm``, by right operands that ``pack`` makes ready, one right matrix after the other."""
    a, matrices, shape = stacked(a, b)
    if not matrices:
        out = np.empty((*a.shape[:-1], b.shape[-1]), accumulator)
        pack(b).gemm(np.ascontiguousarray(a), out, get_num_threads())
        return out.reshape(shape)
    out = np.empty((*matrices, *shape[-2:]), accumulator)
    left, right = (np.broadcast_to(side, (*matrices, *side.shape[-2:])) for side in (a, b))
    for i in np.ndindex(matrices):
        out[i] = gemm_by(pack, left[i], right[i], accumulator)
    return out


def conv2d_by(
    weights: _native.Weights,
    x: Array,
    w_shape: tuple[int, ...],
    geometry: Geometry,
    pad: int,
    accumulator: DTypeLike,
) -> Array:
    """As ``conv2d``, by weights that are ready."""
    kernel = w_shape[2], w_shape[3]
    out = np.empty((len(x), w_shape[0], *geometry.output_size(x.shape[2], x.shape[3], *kernel)), accumulator)
    padding = geometry.padding[0], geometry.padding[2]
    where = kernel, geometry.stride, padding, geometry.dilation
    weights.conv2d(np.ascontiguousarray(x), out, *where, pad, get_num_threads())
    return out


def gemm_with(kernel: Callable[..., object], a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
    """``gemm`` by a function of ``_native`` of matrices, which of them meet, the result and threads."""
    a, matrices, shape = stacked(a, b)
    out = np.empty((math.prod(matrices), a.shape[-2], shape[-1]), accumulator)
    kernel(
        np.ascontiguousarray(a).reshape(math.prod(a.shape[:-2]), *a.shape[-2:]),
        np.ascontiguousarray(b).reshape(math.prod(b.shape[:-2]), *b.shape[-2:]),
        matrix_index(a.shape[:-2], matrices),
        matrix_index(b.shape[:-2], matrices),
        out,
        get_num_threads(),
    )
    return out.reshape(shape)


def conv2d_with(
    kernel: Callable[..., object],
    x: Bytes,
    w: Bytes,
    geometry: Geometry,
    pad_byte: int,
    accumulator: DTypeLike,
) -> NDArray[Any]:
    """``conv2d`` by a function of ``_native`` that takes image, weights, the result, geometry and threads."""
    out = np.empty((len(x), len(w), *geometry.output_size(*x.shape[2:], *w.shape[2:])), accumulator)
    kernel(
        np.ascontiguousarray(x),
        np.ascontiguousarray(w),
        out,
        geometry.stride,
        (geometry.padding[0], geometry.padding[2]),
        geometry.dilation,
        geometry.groups,
        pad_byte,
        get_num_threads(),
    )
    return out


def kernel_table(folded: FoldedTable, left_signed: bool = False, right_signed: bool = False) -> _native.Table:
    """The table for the kernels, whose operands are bytes, or int16 where signed; made once and kept."""
    of_folded, key = _tables.setdefault(folded, {}), (left_signed, right_signed)
    table = of_folded.get(key)
    if table is None:
        table = of_folded.setdefault(key, _native.Table(folded.values, *key))
    return table

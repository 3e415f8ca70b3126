"""The truth: sums of table entries in plain NumPy. Every other engine is compared with this one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import is_signed
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]

_BLOCK = 1 << 20  # entries gathered at a time


def lookup(table: FoldedTable, a: Bytes, b: Bytes) -> NDArray[np.int32]:
    """``table[a, b]`` element by element, broadcast together: int32.

    Operands are bytes, or int16: magnitudes of the table's bytes with a sign, that of 0 being plus.
    """
    products = table.values[np.abs(a), np.abs(b)]
    negative = (a < 0) != (b < 0)
    return np.asarray(np.where(negative, -products, products)) if is_signed(a, b) else np.asarray(products)


def gemm(table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
    """``out[..., m, n] = sum over k of table[a[..., m, k], b[..., k, n]]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes; the result has dtype ``accumulator`` (int32 or
    int64), which the caller knows to be wide enough.
    """
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    a, b = np.broadcast_to(a, (*batch, m, k)), np.broadcast_to(b, (*batch, k, n))
    out = np.zeros((*batch, m, n), accumulator)
    rows = max(1, _BLOCK // max(1, n * k))
    terms = max(1, _BLOCK // max(1, n * rows))
    for i in np.ndindex(batch):
        for row in range(0, m, rows):
            for term in range(0, k, terms):
                left = a[i][row : row + rows, term : term + terms, None]
                right = b[i][term : term + terms]
                out[i][row : row + rows] += lookup(table, left, right).sum(axis=1, dtype=accumulator)
    return out


def conv2d(
    table: FoldedTable, x: Bytes, w: Bytes, geometry: Geometry, pad_byte: int, accumulator: DTypeLike
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW) of ``accumulator``.

    Patches are unfolded and multiplied as matrices. A padded pixel is the operand ``pad_byte`` and goes
    through the table like any other.
    """
    (filters, group_channels, kh, kw), groups = w.shape, geometry.groups
    oh, ow = geometry.output_size(x.shape[2], x.shape[3], kh, kw)
    out = np.empty((len(x), filters, oh, ow), accumulator)
    terms = group_channels * kh * kw
    weights = w.reshape(groups, filters // groups, terms).swapaxes(1, 2)
    for image, result in zip(x, out, strict=True):
        patches = windows(image, kh, kw, geometry, pad_byte)  # (C, kh, kw, OH, OW)
        unfolded = patches.reshape(groups, terms, oh * ow).swapaxes(1, 2)
        result[:] = gemm(table, unfolded, weights, accumulator).swapaxes(1, 2).reshape(result.shape)
    return out


def windows(image: NDArray[Any], kh: int, kw: int, geometry: Geometry, pad: int) -> NDArray[Any]:
    """View of the padded image (C, H, W) as patches: (C, kh, kw, OH, OW)."""
    (top, bottom, left, right), (dy, dx), (sy, sx) = geometry.padding, geometry.dilation, geometry.stride
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right)), constant_values=pad)
    extent = (dy * (kh - 1) + 1, dx * (kw - 1) + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(1, 2))
    return view[:, ::sy, ::sx, ::dy, ::dx].transpose(0, 3, 4, 1, 2)

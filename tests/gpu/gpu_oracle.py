"""Sums of products on a GPU by other ways than the engines', to compare them with where NumPy would be slow.

Integers: entries fetched with CuPy's own indexing. Floats: products one step in depth at a time, added in
float64 in ascending order. Both take the rows of the left operand that they are given, all or some.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from axsim.engines.shapes.geometry import Geometry

Array = Any  # of the device

BLOCK = 1 << 24  # entries fetched at a time


def table_sums(xp: Any, values: Array, a: Array, b: Array) -> Array:
    """``out[m, n] = sum over k of values[a[m, k], b[k, n]]``, int64.

    values is (256, 256), int32; a (M, K) and b (K, N) are uint8.
    """
    (m, depth), n = a.shape, b.shape[1]
    out = xp.zeros((m, n), np.int64)
    flat, step = values.reshape(-1), max(1, BLOCK // max(1, m * n))
    for k in range(0, depth, step):
        index = (a[:, k : k + step, None].astype(np.int32) << 8) + b[k : k + step].astype(np.int32)
        out += xp.take(flat, index).sum(axis=1, dtype=np.int64)
    return out


def table_windows(xp: Any, values: Array, x: Array, w: Array, geometry: Geometry, pad: int) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), uint8: int64 (N, O, OH, OW)."""
    groups, (filters, group_channels) = geometry.groups, w.shape[:2]
    patches = windows(xp, x, w.shape[2:], geometry, pad)  # (N, C, taps, OH, OW)
    images, (oh, ow) = len(x), patches.shape[3:]
    of_group, terms = filters // groups, group_channels * math.prod(w.shape[2:])
    parts = []
    for group in range(groups):
        channels = slice(group * group_channels, (group + 1) * group_channels)
        rows = patches[:, channels].transpose(0, 3, 4, 1, 2).reshape(images * oh * ow, terms)
        columns = w[group * of_group : (group + 1) * of_group].reshape(of_group, terms).T
        sums = table_sums(xp, values, rows, columns)
        parts.append(sums.reshape(images, oh, ow, of_group).transpose(0, 3, 1, 2))
    return xp.concatenate(parts, axis=1)


def windows(xp: Any, x: Array, kernel: tuple[int, ...], geometry: Geometry, pad: Any) -> Array:
    """The pixels under each tap of a kernel: (N, C, taps, OH, OW)."""
    (top, bottom, left, right), (dy, dx), (sy, sx) = geometry.padding, geometry.dilation, geometry.stride
    height, width = x.shape[2:]
    padded = xp.full((*x.shape[:2], height + top + bottom, width + left + right), pad, x.dtype)
    padded[:, :, top : top + height, left : left + width] = x
    oh, ow = geometry.output_size(height, width, *kernel)
    taps = [
        padded[:, :, i * dy : i * dy + (oh - 1) * sy + 1 : sy, j * dx : j * dx + (ow - 1) * sx + 1 : sx]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return xp.stack(taps, axis=2)


def float_sums(xp: Any, multiply: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
    """``sum over k of multiply(a[m, k], b[k, n])`` in float64, from +0.0, in ascending order of k."""
    out = xp.zeros((a.shape[0], b.shape[1]))
    for k in range(a.shape[1]):
        out += multiply(a[:, k, None], b[k][None]).astype(np.float64)
    return out


def some(count: int, step: int = 16) -> list[int]:
    """Every ``step``-th index below ``count``, and the last: some in every tile of so many and more."""
    return sorted({*range(0, count, step), count - 1}) if count else []

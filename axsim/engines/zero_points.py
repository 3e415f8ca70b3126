"""The part of a quantised sum that zero points make.

With ``a = s_a (q_a - z_a)`` and ``b = s_b (q_b - z_b)``, and T[q_a, q_b] in the place of the product q_a q_b,

    sum a b  ~  s_a s_b ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b )

over K terms. B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, eq. 7, doi 10.1109/CVPR.2018.00286. The functions return the
bracket, in int64 and exactly; z_b may differ from one output channel to the next. A padded pixel is q_a =
z_a.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.geometry import Geometry
from axsim.engines.reference import windows

Ints = NDArray[Any]


def lookup(products: Ints, a: Ints, b: Ints, a_zero: int, b_zero: int) -> NDArray[np.int64]:
    """The bracket for single products (K = 1) of operands ``a`` and ``b`` that broadcast together."""
    total = products.astype(np.int64)
    total -= b_zero * a.astype(np.int64)
    total -= a_zero * b.astype(np.int64)
    total += a_zero * b_zero
    return total


def gemm(sums: Ints, a: Ints, b: Ints, a_zero: int, b_zero: Ints) -> NDArray[np.int64]:
    """The bracket for ``sums`` (..., M, N) of a (..., M, K) and b (..., K, N); ``b_zero`` is () or (N,)."""
    total = sums.astype(np.int64)
    if b_zero.any():
        total -= a.sum(axis=-1, dtype=np.int64)[..., :, None] * b_zero
    if a_zero:
        total -= a_zero * b.sum(axis=-2, dtype=np.int64)[..., None, :]
        total += a.shape[-1] * a_zero * b_zero
    return total


def conv2d(sums: Ints, x: Ints, w: Ints, geometry: Geometry, x_zero: int, w_zero: Ints) -> NDArray[np.int64]:
    """The bracket for ``sums`` (N, O, OH, OW) of images and filters; ``w_zero`` is () or (O,)."""
    total = sums.astype(np.int64)
    groups, filters = geometry.groups, len(w)
    w_zero = np.broadcast_to(w_zero, filters)
    if w_zero.any():
        by_group = total.reshape(len(x), groups, filters // groups, *total.shape[2:])
        by_group -= _window_sums(x, w.shape, geometry, x_zero)[:, :, None] * w_zero.reshape(groups, -1, 1, 1)
    if x_zero:
        terms = math.prod(w.shape[1:])
        constants = x_zero * (terms * w_zero - w.sum(axis=(1, 2, 3), dtype=np.int64))
        total += constants[:, None, None]
    return total


def _window_sums(x: Ints, w_shape: tuple[int, ...], geometry: Geometry, x_zero: int) -> NDArray[np.int64]:
    """The sum of each window's operands, for each group: (N, groups, OH, OW)."""
    _, group_channels, kh, kw = w_shape
    by_group = x.reshape(len(x), geometry.groups, group_channels, *x.shape[2:]).sum(axis=2, dtype=np.int64)
    out = np.empty((*by_group.shape[:2], *geometry.output_size(x.shape[2], x.shape[3], kh, kw)), np.int64)
    for image, result in zip(by_group, out, strict=True):
        windows(image, kh, kw, geometry, group_channels * x_zero).sum(axis=(1, 2), out=result)
    return out

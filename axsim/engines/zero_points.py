"""The part of a quantised sum that zero points make.

With ``a = s_a (q_a - z_a)`` and ``b = s_b (q_b - z_b)``, and T[q_a, q_b] in the place of the product q_a q_b,

    sum a b  ~  s_a s_b ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b )
             =  s_a s_b ( sum T[q_a, q_b] - z_b sum (q_a - z_a) - z_a sum q_b )

over K terms. B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, eq. 7, doi 10.1109/CVPR.2018.00286. The functions return the
bracket, in int64 and exactly. ``a_zero`` is an array without axes; ``b_zero`` likewise, or a number for each
output channel; None stands for a zero point that is known to be 0. A padded pixel is q_a = z_a, and so
adds nothing to the sum of ``q_a - z_a``.

Arrays are NumPy's or a GPU's: nothing here looks at their values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.shapes.geometry import Geometry

Ints = NDArray[Any]
Zero = NDArray[np.int64] | None


def lookup(products: Ints, a: Ints, b: Ints, a_zero: Zero, b_zero: Zero) -> NDArray[np.int64]:
    """The bracket for single products (K = 1) of operands ``a`` and ``b`` that broadcast together."""
    total = products.astype(np.int64)
    if b_zero is not None:
        total -= b_zero * _centred(a.astype(np.int64), 1, a_zero)
    if a_zero is not None:
        total -= a_zero * b.astype(np.int64)
    return total


def gemm(sums: Ints, a: Ints, b: Ints, a_zero: Zero, b_zero: Zero) -> NDArray[np.int64]:
    """The bracket for ``sums`` (..., M, N) of a (..., M, K) and b (..., K, N); ``b_zero`` is () or (N,)."""
    rows, columns = gemm_sides(a, b, a_zero, b_zero)
    total = sums.astype(np.int64)
    if rows is not None and b_zero is not None:
        total -= rows[..., :, None] * b_zero
    if columns is not None:
        total -= columns[..., None, :]
    return total


def gemm_sides(a: Ints, b: Ints, a_zero: Zero, b_zero: Zero) -> tuple[Zero, Zero]:
    """What ``gemm`` subtracts: ``b_zero`` times a number for each row of a; and one for each column of b."""
    rows = columns = None
    if b_zero is not None:
        rows = _centred(a.sum(axis=-1, dtype=np.int64), a.shape[-1], a_zero)
    if a_zero is not None:
        columns = a_zero * b.sum(axis=-2, dtype=np.int64)
    return rows, columns


def conv2d(sums: Ints, x: Ints, w: Ints, geometry: Geometry, x_zero: Zero, w_zero: Zero) -> NDArray[np.int64]:
    """The bracket for ``sums`` (N, O, OH, OW) of images and filters; ``w_zero`` is () or (O,)."""
    windows, filters = conv2d_sides(x, w, geometry, x_zero, w_zero)
    total = sums.astype(np.int64)
    if windows is not None and w_zero is not None:
        groups = geometry.groups
        by_group = total.reshape(len(x), groups, len(w) // groups, *total.shape[2:])
        by_filter = w_zero.reshape(groups, -1, 1, 1) if w_zero.ndim else w_zero
        by_group -= windows[:, :, None] * by_filter
    if filters is not None:
        total -= filters[:, None, None]
    return total


def conv2d_sides(x: Ints, w: Ints, geometry: Geometry, x_zero: Zero, w_zero: Zero) -> tuple[Zero, Zero]:
    """What ``conv2d`` subtracts: ``w_zero`` times (N, groups, OH, OW), and a number for each filter."""
    windows = filters = None
    if w_zero is not None:
        windows = window_sums(x, w.shape, geometry, x_zero)
    if x_zero is not None:
        filters = x_zero * w.sum(axis=(1, 2, 3), dtype=np.int64)
    return windows, filters


def _centred(sums: NDArray[np.int64], terms: int, zero: Zero) -> NDArray[np.int64]:
    """Sums of ``terms`` operands each, as sums of operands less their zero point."""
    return sums if zero is None else sums - terms * zero


def window_sums(x: Ints, w_shape: tuple[int, ...], geometry: Geometry, x_zero: Zero) -> NDArray[np.int64]:
    """The sum of each window's operands less their zero point, for each group: (N, groups, OH, OW)."""
    (_, group_channels, kh, kw), (height, width) = w_shape, x.shape[2:]
    (top, bottom, left, right), (dy, dx), (sy, sx) = geometry.padding, geometry.dilation, geometry.stride
    oh, ow = geometry.output_size(height, width, kh, kw)
    by_group = x.reshape(len(x), geometry.groups, group_channels, height, width).sum(axis=2, dtype=np.int64)
    padded_shape = (*by_group.shape[:2], top + height + bottom, left + width + right)
    padded = np.zeros_like(by_group, shape=padded_shape)
    padded[:, :, top : top + height, left : left + width] = _centred(by_group, group_channels, x_zero)
    # A window is the rows of sums over its columns: kh + kw additions instead of kh * kw.
    of_columns = padded[..., : (ow - 1) * sx + 1 : sx]
    for j in range(1, kw):
        of_columns = of_columns + padded[..., j * dx : j * dx + (ow - 1) * sx + 1 : sx]
    sums = of_columns[..., : (oh - 1) * sy + 1 : sy, :]
    for i in range(1, kh):
        sums = sums + of_columns[..., i * dy : i * dy + (oh - 1) * sy + 1 : sy, :]
    return sums

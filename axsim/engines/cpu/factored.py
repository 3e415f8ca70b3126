"""The factored engine: sums of table entries as exact matrix products, for tables that have exact factors.

Every operand byte becomes the R numbers that a ``FactoredTable`` has for it, side by side along the summed
axis, so that one product of R times the depth gives the sums; what depends on one operand only is added as
row and column sums. The products are made in one of two types (the *compute type*):

* "native": compiled kernels multiply integers of 16 and 8 bits and expand the operands as they read them,
  also int16 ones, whose sign stands beside a byte of magnitude;
* "float64": NumPy's BLAS, in pieces along the summed axis whose sums provably stay within 53 bits, for tables
  whose terms need more than 16 bits, and where there is no compiled module.

Results are the same integers for all, and those of ``reference``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.cpu.blas_threads import limited_threads
from axsim.engines.cpu.reference import windows
from axsim.engines.forms.factored_table import FactoredTable, Part
from axsim.engines.forms.signs import signs_of
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.shapes.batches import stacked
from axsim.engines.shapes.geometry import Geometry

if NATIVE_IS_BUILT:
    from axsim.engines.cpu import factored_native

Bytes = NDArray[np.uint8]

COMPUTE_TYPES = ("native", "float64")

# Numbers that an operand is expanded to at a time. Left ones are used once and should stay in the cache;
# right ones are used for all rows.
_LEFT_BLOCK, _RIGHT_BLOCK = 1 << 20, 1 << 21


def gemm(table: FactoredTable, a: Bytes, b: Bytes, accumulator: DTypeLike, compute_type: str) -> NDArray[Any]:
    """``out[..., m, n] = sum over k of T[a[..., m, k], b[..., k, n]]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes; the result has dtype ``accumulator`` (int32 or
    int64), which the caller knows to be wide enough. ``compute_type`` as for ``check_compute_type``.
    """
    check_compute_type(table, compute_type)
    if compute_type == "native" and (form := table.native_form(signs_of(a.dtype, b.dtype))) is not None:
        return factored_native.gemm(form, a, b, accumulator)
    parts = table.parts(compute_type)
    a, matrices, shape = stacked(a, b)
    k, n = b.shape[-2:]
    a, b = (np.broadcast_to(side, (*matrices, *side.shape[-2:])) for side in (a, b))
    # Sums that wrap on the way are right at the end: integers modulo 2**32 or 2**64.
    left_sums, right_sums = (sums.astype(accumulator) for sums in (table.left_sums, table.right_sums))
    out = np.zeros((*matrices, a.shape[-2], n), accumulator)
    for i in np.ndindex(matrices):
        for rows in _slices(len(a[i]), max(1, _LEFT_BLOCK // max(1, k))):
            out[i][rows] = left_sums.take(a[i][rows]).sum(axis=1, dtype=accumulator)[:, None]
        for depth in _slices(k, max(1, _LEFT_BLOCK // max(1, n))):
            out[i] += right_sums.take(b[i][depth]).sum(axis=0, dtype=accumulator)
        with limited_threads():
            for part in parts:
                _add_gemm(out[i], part, a[i], b[i])
    return out.reshape(shape)


def conv2d(
    table: FactoredTable,
    x: Bytes,
    w: Bytes,
    geometry: Geometry,
    pad_byte: int,
    accumulator: DTypeLike,
    compute_type: str,
) -> NDArray[Any]:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW) of ``accumulator``.

    The image is expanded before it is unfolded, and unfolded a block of channels and rows at a time. A padded
    pixel is the operand ``pad_byte``. ``compute_type`` as for ``check_compute_type``.
    """
    (filters, group_channels, kh, kw), groups = w.shape, geometry.groups
    check_compute_type(table, compute_type, least_depth=1 if compute_type == "native" else kw)
    if compute_type == "native" and (form := table.native_form(signs_of(x.dtype, w.dtype))) is not None:
        return factored_native.conv2d(form, x, w, geometry, pad_byte, accumulator)
    parts = table.parts(compute_type)
    top, bottom, left, right = geometry.padding
    valid = replace(geometry, padding=(0, 0, 0, 0))
    height, width = x.shape[2:]
    oh, ow = geometry.output_size(height, width, kh, kw)
    weights = w.reshape(groups, filters // groups, group_channels, kh, kw)
    filter_sums = table.right_sums.take(weights).sum(axis=(2, 3, 4), dtype=accumulator)
    out = np.empty((len(x), groups, filters // groups, oh, ow), accumulator)
    for image, result in zip(x, out, strict=True):
        padded = np.pad(image, ((0, 0), (top, bottom), (left, right)), constant_values=pad_byte)
        channels = padded.reshape(groups, group_channels, *padded.shape[1:])
        pixel_sums = table.left_sums.take(channels).sum(axis=1, dtype=accumulator)
        window_sums = windows(pixel_sums, kh, kw, valid, 0).sum(axis=(1, 2), dtype=accumulator)
        result[:] = window_sums[:, None] + filter_sums[:, :, None, None]
        with limited_threads():
            for part in parts:
                _add_conv2d(result, part, channels, weights, valid)
    return out.reshape(len(x), filters, oh, ow)


def check_compute_type(table: FactoredTable, compute_type: str, least_depth: int = 1) -> None:
    """Raise ValueError unless products can be made in ``compute_type``.

    It is not one of ``COMPUTE_TYPES``, or its sums are not exact even for ``least_depth`` operand pairs.
    """
    if compute_type not in COMPUTE_TYPES:
        raise ValueError(f"compute_type is {compute_type!r}, expected one of {', '.join(COMPUTE_TYPES)}")
    if compute_type == "native" and table.native_form() is None:
        what = (
            "16-bit components, which this table's terms do not fit" if NATIVE_IS_BUILT else "axsim._native"
        )
        raise ValueError(f"compute_type is 'native', which needs {what}; expected 'float64'")
    if (depth := table.depth(compute_type)) < least_depth:
        raise ValueError(
            f"compute_type is {compute_type!r}, whose sums of this table's terms are exact for {depth} "
            f"operand pairs, not for {least_depth}; look products up instead"
        )


def _add_gemm(out: NDArray[Any], part: Part, a: Bytes, b: Bytes) -> None:
    terms, n = len(part.left), b.shape[1]
    columns = np.ascontiguousarray(part.left.T)
    for k in _slices(len(b), min(part.depth, max(64, _RIGHT_BLOCK // max(1, terms * n)))):
        depth = terms * (k.stop - k.start)
        right = _expand(part.right, b[k]).swapaxes(0, 1).reshape(depth, n)
        for m in _slices(len(a), max(1, _LEFT_BLOCK // depth)):
            left = columns.take(a[m, k], axis=0).reshape(m.stop - m.start, depth)
            _add(out[m], left @ right, part.shift)


def _add_conv2d(out: NDArray[Any], part: Part, x: Bytes, w: Bytes, geometry: Geometry) -> None:
    """x (groups, C, H, W) and w (groups, O, C, kh, kw), into out (groups, O, OH, OW)."""
    (groups, filters, channels, kh, kw), terms, (oh, ow) = w.shape, len(part.left), out.shape[2:]
    weights = _expand(part.right, w).transpose(1, 2, 3, 0, 4, 5)  # (groups, O, C, R, kh, kw)
    pairs = min(part.depth, _RIGHT_BLOCK // max(1, groups * terms * ow))
    for c in _slices(channels, max(1, pairs // (kh * kw))):
        pixels = _expand(part.left, x[:, c]).transpose(1, 2, 0, 3, 4)  # (groups, C, R, H, W)
        flat = pixels.reshape(math.prod(pixels.shape[:3]), *pixels.shape[3:])
        patches = windows(flat, kh, kw, geometry, 0).reshape(*pixels.shape[:3], kh, kw, oh, ow)
        # One channel's window may be deeper than sums are exact: then it is cut between rows of the kernel.
        for i in _slices(kh, max(1, part.depth // (kw * (c.stop - c.start)))):
            depth = terms * (c.stop - c.start) * (i.stop - i.start) * kw
            left = weights[:, :, c, :, i].reshape(groups, filters, depth)
            for rows in _slices(oh, max(1, _RIGHT_BLOCK // max(1, groups * depth * ow))):
                size = (rows.stop - rows.start) * ow
                right = patches[:, :, :, i, :, rows].reshape(groups, depth, size)
                sums = (left @ right).reshape(groups, filters, rows.stop - rows.start, ow)
                _add(out[:, :, rows], sums, part.shift)


def _expand(components: NDArray[Any], operand: Bytes) -> NDArray[Any]:
    """Every term's component of every operand: (R, ...)."""
    return np.asarray(components.take(operand, axis=1))


def _add(out: NDArray[Any], sums: NDArray[Any], shift: int) -> None:
    """Add ``sums * 2**shift``, integers of any type, modulo the size of out's integers."""
    if sums.dtype == np.float64:
        sums = sums.astype(np.int64)  # a float beyond int32 has no defined conversion to it
    whole = sums.astype(out.dtype, copy=False)
    out += whole << shift if shift else whole


def _slices(length: int, size: int) -> list[slice]:
    """As few slices of at most ``size``, about equal, as cover ``length``."""
    count = -(-length // size)
    edges = [length * i // max(count, 1) for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]

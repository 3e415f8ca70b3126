"""The look-up engine on a GPU: the same sums as ``axsim.engines.cpu.reference``, on device arrays.

Operands may be strided. Beside the result, a product of matrices takes as much device memory as its operands
have bytes, or a tenth more (they are packed in the order in which the kernels read them, rows rounded up to a
whole tile); a convolution as much as its weights. Windows of images are never unfolded, but for those fewer
than the filters, and then take no more than the weights, rounded up to a whole tile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import is_signed, summed
from axsim.engines.gpu.gather.operands import Axis, Matrices, Windows, matrix_index
from axsim.engines.gpu.gather.plan import (
    DEPTHWISE_FILTERS,
    MOST_TILES,
    TABLE_BYTES,
    THREADS,
    Sums,
    choose_variant,
)
from axsim.engines.gpu.gather.tables import entries, on_device
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.shapes.batches import stacked
from axsim.engines.shapes.geometry import Geometry

Array = Any  # of the device

_LOOKUP_THREADS = 1024
_SHARED_LOOKUPS = 1 << 21  # from so many elements on, it pays to copy the table to shared memory
_DEPTHWISE_ROWS = 2048


def lookup(table: FoldedTable, a: Array, b: Array) -> Array:
    """``table[a, b]`` element by element, broadcast together: int32."""
    if is_signed(a, b):
        return summed(lambda table, a, b, _: lookup(table, a, b), table, a, b)
    runtime = current()
    xp = runtime.xp
    kept = entries(table)
    shape = np.broadcast_shapes(a.shape, b.shape)
    left, right = (xp.ascontiguousarray(xp.broadcast_to(side, shape)).reshape(-1) for side in (a, b))
    out = xp.empty(shape, np.int32)
    if not out.size:
        return out
    shared = (
        TABLE_BYTES
        if out.size >= _SHARED_LOOKUPS
        and kept.entry_bytes == 2
        and runtime.device.shared_per_block >= TABLE_BYTES
        else 0
    )
    blocks = runtime.device.multiprocessors if shared else -(-out.size // (4 * _LOOKUP_THREADS))
    defines = {"ENTRY_BYTES": kept.entry_bytes, "TABLE_SHARED": int(shared > 0)}
    runtime.kernel("gather_lookup.cu", "gather_lookup", defines)(
        (min(blocks, MOST_TILES), 1, 1),
        (_LOOKUP_THREADS, 1, 1),
        (on_device(runtime, table, True), left, right, out, np.int64(out.size), np.int64(kept.offset)),
        shared=shared,
    )
    return out


def gemm(table: FoldedTable, a: Array, b: Array, accumulator: DTypeLike) -> Array:
    """``out[..., m, n] = sum over k of table[a[..., m, k], b[..., k, n]]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes; the result has dtype ``accumulator`` (int32 or
    int64), which the caller knows to be wide enough.
    """
    if is_signed(a, b):
        return summed(lambda table, a, b, _: gemm(table, a, b, accumulator), table, a, b)
    runtime = current()
    a, batch, shape = stacked(a, b)
    (m, k), n = a.shape[-2:], b.shape[-1]
    out = runtime.xp.empty(shape, accumulator)
    left = Side(Matrices(a), matrix_index(runtime, table, a.shape[:-2], batch), Axis(m, m, 0, n))
    right = Side(
        Matrices(b.swapaxes(-1, -2)), matrix_index(runtime, table, b.shape[:-2], batch), Axis(n, n, 0, 1)
    )
    _sum(runtime, table, left, right, k, out, math.prod(batch))
    return out


def conv2d(
    table: FoldedTable, x: Array, w: Array, geometry: Geometry, pad_byte: Any, accumulator: DTypeLike
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW) of ``accumulator``.

    A padded pixel is the operand ``pad_byte``, a number or a device array of one uint8.
    """
    if is_signed(x, w):
        return summed(
            lambda table, x, w, pad: conv2d(table, x, w, geometry, pad, accumulator), table, x, w, pad_byte
        )
    runtime = current()
    xp = runtime.xp
    x, w = xp.ascontiguousarray(x), xp.ascontiguousarray(w)
    (filters, group_channels, *kernel), groups = w.shape, geometry.groups
    height, width = geometry.output_size(*x.shape[2:], *kernel)
    out = xp.empty((x.shape[0], filters, height, width), accumulator)
    pad = xp.full(1, pad_byte, np.uint8) if isinstance(pad_byte, int) else pad_byte.reshape(1)
    windows = Windows(x, pad, geometry, (kernel[0], kernel[1]), (height, width))
    pixels, group_filters = height * width, filters // groups
    if group_channels == 1 and group_filters < DEPTHWISE_FILTERS:
        _sum_depthwise(runtime, table, windows, w, out)
        return out
    terms = group_channels * kernel[0] * kernel[1]
    index = matrix_index(runtime, table, (groups,), (groups,))
    left = Side(windows, index, Axis(x.shape[0] * pixels, pixels, filters * pixels, 1))
    right = Side(
        Matrices(w.reshape(groups, group_filters, terms)),
        index,
        Axis(group_filters, group_filters, 0, pixels),
    )
    _sum(runtime, table, left, right, terms, out, groups)
    return out


@dataclass(frozen=True)
class Side:
    """An operand, which of its matrices each matrix of the batch takes, and where its rows go."""

    operand: Matrices | Windows
    index: Array
    axis: Axis


def _sum(
    runtime: Runtime, table: FoldedTable, left: Side, right: Side, depth: int, out: Array, batch: int
) -> None:
    """All sums of a batch of products, one after the other in ``out`` or interleaved by axes."""
    if not out.size or not depth:
        out.fill(0)
        return
    kept = entries(table)
    windows = left.operand if isinstance(left.operand, Windows) else None
    work = Sums(
        *(batch, left.axis.size, right.axis.size, depth, windows is not None),
        *(kept.entry_bytes, kept.safe_depth, out.itemsize),
    )
    variant = choose_variant(runtime.device, work)
    stream, fixed = (left, right) if variant.stream_left else (right, left)
    patches = windows if windows is not None and variant.stream_left else None
    streamed = (
        patches.images
        if patches
        else stream.operand.packed(runtime, variant.rows, variant.run, variant.pitch)
    )
    held = fixed.operand.packed(runtime, variant.lanes, 1, 1)
    if variant.splits > 1:
        out.fill(0)
    defines = {
        **variant.defines,
        "ENTRY_BYTES": kept.entry_bytes,
        "OUT_BYTES": out.itemsize,
        **(patches.defines if patches else {"PATCHES": 0}),
    }
    batch_stride = left.axis.size * right.axis.size if windows is None else right.axis.size * windows.pixels
    runtime.kernel(f"{variant.kernel}.cu", variant.kernel, defines)(
        (variant.blocks(runtime.device), 1, 1),
        (THREADS, 1, 1),
        (
            *(on_device(runtime, table, not variant.stream_left), streamed, stream.index),
            *(held, fixed.index, out),
            *(np.uint32(variant.tiles), np.int64(batch_stride), np.int64(depth), np.int32(variant.piece)),
            *(np.uint32(variant.splits), np.int64(kept.offset)),
            *(*stream.axis.arguments, *fixed.axis.arguments),
            *(patches.arguments if patches else ()),
        ),
        shared=variant.shared,
    )


def _sum_depthwise(runtime: Runtime, table: FoldedTable, windows: Windows, w: Array, out: Array) -> None:
    """Convolution with one channel to a group."""
    if not out.size:
        return
    kept = entries(table)
    images, filters = out.shape[:2]
    tiles = filters * -(-images * windows.pixels // _DEPTHWISE_ROWS)
    defines = {"ENTRY_BYTES": kept.entry_bytes, "OUT_BYTES": out.itemsize, **windows.defines}
    runtime.kernel("gather_depthwise.cu", "gather_depthwise", defines)(
        (min(tiles, MOST_TILES), 1, 1),
        (THREADS, 1, 1),
        (
            *(on_device(runtime, table, False), windows.images, w, out),
            *map(np.int64, (images, filters, kept.offset)),
            *windows.arguments,
        ),
    )

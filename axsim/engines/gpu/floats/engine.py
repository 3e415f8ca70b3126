"""Products through float multipliers on a GPU: the numbers of ``float_reference``, bit for bit.

Significands that go through a masked form are multiplied by ``float_forms.cu``, those that go through a table
by ``float_segments.cu``, products without sums by ``float_multiply.cu``. For the first two everything is one
problem, patches times filters: windows of pixels and the weights of a convolution; or two matrices, that of
the longer axis in the place of the patches. Arrays are CuPy's, of float32; kernels round them to the
multiplier's format.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.engines.gpu.floats.problem import Problem, Strided, merged_batches
from axsim.engines.gpu.floats.rules import cells, check, is_wide, kind, masks, padded, rules, supports
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.shapes.batches import stacked
from axsim.engines.shapes.geometry import Geometry
from axsim.multipliers.float_multiplier import FloatMultiplier, as_seen, with_positive_zeros
from axsim.multipliers.significand import MaskedForm, Segmented

__all__ = ["conv2d", "gemm", "multiply", "supports"]

Array = Any

_MOST_BLOCKS = 2**31 - 1
_MULTIPLY_THREADS = 256
_FORM_THREADS = 128
_SEGMENT_THREADS = 256
_SEGMENT_ROWS, _SEGMENT_COLUMNS = 512, 8


def multiply(multiplier: FloatMultiplier, a: Array, b: Array) -> Array:
    """Products of the elements of a and b, broadcast together: float32.

    Raises:
        ValueError: there is no kernel for the multiplier.
    """
    runtime = current()
    check(multiplier)
    a, b = as_seen(multiplier, runtime.xp, a, b)
    shape = np.broadcast_shapes(a.shape, b.shape)
    out = runtime.xp.empty(shape, np.float32)
    left, right = (_flat(runtime, x, shape) for x in (a, b))
    if not out.size:
        return out
    significand = multiplier.significand
    if isinstance(significand, Segmented):
        kernel = runtime.kernel("float_multiply.cu", "float_multiply_segments")
        table = runtime.constant(lambda: significand.table.values.astype(np.uint32), significand)
        through: tuple[Any, ...] = (table, np.int32(significand.segments))
    else:
        assert isinstance(significand, MaskedForm)
        kernel = runtime.kernel("float_multiply.cu", "float_multiply_forms")
        weights, lefts, rights = zip(*padded(significand), strict=True)
        through = (*map(np.uint32, lefts), *map(np.uint32, rights), *map(np.uint64, weights))
    steps = np.int32(left.size > 1), np.int32(right.size > 1)
    blocks = min(-(-out.size // _MULTIPLY_THREADS), 32 * runtime.device.multiprocessors)
    kernel(
        (blocks, 1, 1),
        (_MULTIPLY_THREADS, 1, 1),
        (
            left,
            right,
            out,
            np.int64(out.size),
            *steps,
            *rules(multiplier),
            np.int32(kind(multiplier)),
            *through,
        ),
    )
    return with_positive_zeros(multiplier, out, runtime.xp)


def gemm(multiplier: FloatMultiplier, a: Array, b: Array, *, rounded: bool = True) -> Array:
    """``out[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]``; leading axes broadcast.

    As ``float_reference.gemm``: float64 sums in ascending order of k from +0.0, rounded once to float32; with
    ``rounded=False`` they stay as they are.

    Raises:
        ValueError: there is no kernel for the multiplier, or an axis is longer than about 2**31.
    """
    runtime = current()
    check(multiplier)
    a, b = as_seen(multiplier, runtime.xp, a, b)
    a, batch, shape = stacked(a, b)
    (m, k), n = a.shape[-2:], b.shape[-1]
    out = runtime.xp.empty(shape, np.float32 if rounded else np.float64)
    if not out.size:
        return out
    left_patches = m >= n
    rows, columns = (m, n) if left_patches else (n, m)
    sides = [a.swapaxes(-1, -2), b]  # (..., k, m) and (..., k, n)
    if not left_patches:
        sides.reverse()
    # Threads of the kernel for segments take neighbouring rows; the other kernel loads in either order.
    by_rows = isinstance(multiplier.significand, Segmented)
    patches, filters = Strided.of(runtime, sides[0], contiguous=by_rows), Strided.of(runtime, sides[1])
    axes = merged_batches(batch, patches, filters)
    if len(axes) > 2:
        patches, filters = (
            Strided.of(runtime, runtime.xp.broadcast_to(x, (*batch, *x.shape[-2:])), contiguous=True)
            for x in sides
        )
        axes = merged_batches(batch, patches, filters)
    (_, patch_outer, filter_outer), (inner, patch_inner, filter_inner) = [(1, 0, 0)] * (2 - len(axes)) + axes
    problem = Problem(
        rows=rows,
        columns=columns,
        depth=k,
        batches=math.prod(batch),
        inner=inner,
        patch_outer=patch_outer,
        patch_inner=patch_inner,
        filter_outer=filter_outer,
        filter_inner=filter_inner,
        out_batch=m * n,
        channel_stride=patches.strides[-2],
        x_stride=patches.strides[-1],
        width=rows,
        out_width=rows,
        column_stride=filters.strides[-1],
        depth_stride=filters.strides[-2],
        out_pixel=n if left_patches else 1,
        out_column=1 if left_patches else n,
        patches_by_depth=patches.strides[-2] < patches.strides[-1],
        filters_by_depth=filters.strides[-2] < filters.strides[-1],
        rounded=rounded,
    )
    _sum(runtime, multiplier, problem, (patches.memory, filters.memory, out), left_patches=left_patches)
    return out


def conv2d(
    multiplier: FloatMultiplier, x: Array, w: Array, geometry: Geometry, *, rounded: bool = True
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW).

    As ``float_reference.conv2d``; patches are never unfolded in memory. ``rounded`` as in ``gemm``.

    Raises:
        ValueError: there is no kernel for the multiplier, or an axis is longer than about 2**31.
    """
    runtime = current()
    check(multiplier)
    x, w = as_seen(multiplier, runtime.xp, x, w)
    (images, _, height, width), (filters, channels, kernel_height, kernel_width) = x.shape, w.shape
    out_height, out_width = geometry.output_size(height, width, kernel_height, kernel_width)
    out = runtime.xp.empty((images, filters, out_height, out_width), np.float32 if rounded else np.float64)
    if not out.size:
        return out
    pixels, weights = Strided.of(runtime, x), Strided.of(runtime, w, contiguous=True)
    window, area = kernel_height * kernel_width, out_height * out_width
    columns, depth = filters // geometry.groups, channels * window
    image_stride, channel_stride, y_stride, x_stride = pixels.strides
    problem = Problem(
        rows=images * area,
        columns=columns,
        depth=depth,
        batches=geometry.groups,
        inner=geometry.groups,
        patch_outer=0,
        patch_inner=channels * channel_stride,
        filter_outer=0,
        filter_inner=columns * depth,
        out_batch=columns * area,
        image_stride=image_stride,
        channel_stride=channel_stride,
        y_stride=y_stride,
        x_stride=x_stride,
        height=height,
        width=width,
        out_height=out_height,
        out_width=out_width,
        kernel_height=kernel_height,
        kernel_width=kernel_width,
        stride_y=geometry.stride[0],
        stride_x=geometry.stride[1],
        pad_top=geometry.padding[0],
        pad_left=geometry.padding[2],
        dilation_y=geometry.dilation[0],
        dilation_x=geometry.dilation[1],
        column_stride=depth,
        depth_stride=1,
        out_image=filters * area,
        out_pixel=1,
        out_column=area,
        patches_by_depth=window == 1 and channel_stride < x_stride,
        filters_by_depth=True,
        rounded=rounded,
    )
    _sum(runtime, multiplier, problem, (pixels.memory, weights.memory, out), left_patches=True)
    return out


@dataclass(frozen=True)
class Tile:
    """A tile of outputs of ``float_forms.cu``.

    Attributes:
        number: which one it is in the source.
        rows, columns: outputs of a block.
        depth: terms whose operands are in shared memory at a time.
        cost: instructions that a product of Ax-FPM takes, operands included, as the source counts them.
    """

    number: int
    rows: int
    columns: int
    depth: int
    cost: float

    def shared_bytes(self, terms: int) -> int:
        """Dynamic shared memory: operands of two tiles of depth."""
        pitches = self.rows + self.columns + 2 * (16 // self.depth)
        return 2 * self.depth * pitches * (8 * terms + 4)


TILES = (Tile(0, 64, 64, 8, 8.4), Tile(1, 32, 32, 8, 12.2), Tile(2, 256, 4, 4, 27.0))


def choose_tile(problem: Problem, multiprocessors: int) -> Tile:
    """The tile that takes a multiprocessor the fewest instructions."""

    def instructions(tile: Tile) -> float:
        blocks = -(-problem.parts(tile.rows, tile.columns) // multiprocessors)
        return blocks * tile.rows * tile.columns * tile.cost

    return min(TILES, key=instructions)


def _sum(
    runtime: Runtime,
    multiplier: FloatMultiplier,
    problem: Problem,
    arrays: tuple[Array, Array, Array],
    *,
    left_patches: bool,
) -> None:
    """Launches the kernel for the problem; ``arrays`` are patches, filters and the output."""
    significand = multiplier.significand
    arguments = (*arrays, *problem.arguments(), *rules(multiplier))
    defines = {"AXSIM_KIND": kind(multiplier)}
    if isinstance(significand, Segmented):
        defines |= {"AXSIM_SEGMENTS": significand.segments, "AXSIM_WIDE": int(is_wide(significand))}
        kernel = runtime.kernel("float_segments.cu", "float_segments", defines)
        # Rows of the table belong to the filters' segments.
        table = runtime.constant(
            lambda: cells(significand, left_rows=not left_patches), significand, (not left_patches, "cells")
        )
        blocks = min(problem.parts(_SEGMENT_ROWS, _SEGMENT_COLUMNS), _MOST_BLOCKS)
        kernel((blocks, 1, 1), (_SEGMENT_THREADS, 1, 1), (*arguments, table))
        return
    assert isinstance(significand, MaskedForm)
    tile, terms = choose_tile(problem, runtime.device.multiprocessors), len(significand.terms)
    kernel = runtime.kernel(
        "float_forms.cu", "float_forms", defines | {"AXSIM_TERMS": terms, "AXSIM_TILE": tile.number}
    )
    patch_masks, filter_masks = (masks(significand, left=left) for left in (left_patches, not left_patches))
    weights = (np.float64(term.weight) for term in padded(significand))
    blocks = min(problem.parts(tile.rows, tile.columns), _MOST_BLOCKS)
    kernel(
        (blocks, 1, 1),
        (_FORM_THREADS, 1, 1),
        (*arguments, *patch_masks, *filter_masks, *weights),
        shared=tile.shared_bytes(terms),
        carveout=100,  # the blocks that its registers allow need it: up to 130 KB together
    )


def _flat(runtime: Runtime, x: Array, shape: tuple[int, ...]) -> Array:
    """x broadcast to the shape, as one contiguous axis; a single element stays one."""
    if x.size == 1:
        return x.reshape(1)
    return runtime.xp.ascontiguousarray(runtime.xp.broadcast_to(x, shape)).reshape(-1)

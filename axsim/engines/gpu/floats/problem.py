"""What float kernels are told of their operands: ``Problem`` in ``sources/float_operands.cuh``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from axsim.engines.gpu.runtime.interface import Runtime

Array = Any

_MOST = 2**31 - 2**12  # kernels count a little past the end, in int32


@dataclass(frozen=True)
class Strided:
    """An array as kernels take it: contiguous memory, and for each axis of the array a stride in elements."""

    memory: Array
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, runtime: Runtime, array: Array, *, contiguous: bool = False) -> Strided:
        """Without a copy if the array's axes lie in memory without gaps, in whatever order.

        Args:
            runtime: where the array is.
            array: any strides.
            contiguous: copy unless the order is that of the axes.
        """
        axes = range(array.ndim)
        order = tuple(axes) if contiguous else tuple(sorted(axes, key=lambda axis: -array.strides[axis]))
        memory = runtime.xp.ascontiguousarray(array.transpose(order))
        steps = [1]
        for length in memory.shape[:0:-1]:
            steps.append(steps[-1] * max(length, 1))
        of_axis = dict(zip(order, reversed(steps), strict=True))
        return cls(memory, array.shape, tuple(of_axis[axis] for axis in axes))


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Rows of patches times columns of filters, for some batches; strides count elements.

    By default a patch is a row of a matrix: an image one pixel high, as wide as there are rows.
    """

    rows: int
    columns: int
    depth: int
    batches: int
    inner: int
    patch_outer: int
    patch_inner: int
    filter_outer: int
    filter_inner: int
    out_batch: int
    image_stride: int = 0
    channel_stride: int
    y_stride: int = 0
    x_stride: int
    height: int = 1
    width: int
    out_height: int = 1
    out_width: int
    kernel_height: int = 1
    kernel_width: int = 1
    stride_y: int = 1
    stride_x: int = 1
    pad_top: int = 0
    pad_left: int = 0
    dilation_y: int = 1
    dilation_x: int = 1
    column_stride: int
    depth_stride: int
    out_image: int = 0
    out_pixel: int
    out_column: int
    patches_by_depth: int
    filters_by_depth: int
    rounded: int

    def arguments(self) -> tuple[Any, ...]:
        """The kernels' arguments behind the three arrays.

        Raises:
            ValueError: a length is too near the end of int32.
        """
        return tuple(
            np.int64(value) if name in _INT64 else _int32(name, value)
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
        )

    def parts(self, rows: int, columns: int) -> int:
        """How many parts of so many rows and columns it takes to cover the output."""
        return self.batches * -(-self.rows // rows) * -(-self.columns // columns)


_INT64 = {"rows", "batches", "out_batch", "out_image", "out_pixel", "out_column"}
_INT64 |= {f"{side}_{which}" for side in ("patch", "filter") for which in ("outer", "inner")}
_INT64 |= {f"{axis}_stride" for axis in ("image", "channel", "y", "x", "column", "depth")}


def _int32(name: str, value: int) -> np.int32:
    if value > _MOST:
        raise ValueError(f"{name} of the product is {value}, but GPU kernels count to {_MOST}; split it")
    return np.int32(value)


def merged_batches(batch: Sequence[int], patches: Strided, filters: Strided) -> list[tuple[int, int, int]]:
    """The axes of a batch of matrices: (length, stride of patches, stride of filters), as few as possible.

    Both operands' leading axes broadcast to ``batch``; an axis of length 1 has no stride.
    """
    axes: list[tuple[int, int, int]] = []
    for i, length in enumerate(reversed(batch)):
        if length == 1:
            continue
        patch, filter_ = (_stride_from_the_end(operand, i + 3) for operand in (patches, filters))
        if axes and (patch, filter_) == (axes[0][0] * axes[0][1], axes[0][0] * axes[0][2]):
            axes[0] = (axes[0][0] * length, *axes[0][1:])
        else:
            axes.insert(0, (length, patch, filter_))
    return axes


def _stride_from_the_end(operand: Strided, axis: int) -> int:
    return operand.strides[-axis] if axis <= len(operand.shape) and operand.shape[-axis] > 1 else 0

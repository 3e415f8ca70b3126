"""The operands of the look-up kernels: matrices to be packed, and windows of images streamed as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.shapes.geometry import Geometry

Array = Any  # of the device
Arguments = tuple[Any, ...]

_PACK_THREADS = 256
_PACK_TERMS = 16
_MOST_BLOCKS = 2**31 - 1


@dataclass(frozen=True)
class Axis:
    """Where the rows of one operand lie in the output: i at (i // inner) * outer + (i % inner) * stride."""

    size: int
    inner: int
    outer: int
    stride: int

    @property
    def arguments(self) -> Arguments:
        """The kernels' parameters."""
        return tuple(map(np.int64, (self.size, self.inner, self.outer, self.stride)))


@dataclass(frozen=True)
class Matrices:
    """A stack of matrices (..., rows, terms), strided as it likes."""

    array: Array

    def packed(self, runtime: Runtime, block_rows: int, run: int, pitch: int) -> Array:
        """``[matrix][block of rows][term][place]``, followed by room for one term more.

        Place ``slot * pitch + i`` of a block is its row ``slot + i * block_rows // run``, for ``i < run``.
        """
        rows, terms = self.array.shape[-2:]
        matrices = math.prod(self.array.shape[:-2])
        swapped = self.array.swapaxes(-1, -2)
        if swapped.flags.c_contiguous:
            source, strides = swapped, (1, rows)
        else:
            source, strides = runtime.xp.ascontiguousarray(self.array), (terms, 1)
        blocks = matrices * -(-rows // block_rows)
        to = runtime.xp.empty((blocks * terms + 1) * (block_rows // run * pitch), np.uint8)
        runtime.kernel("gather_pack.cu", "gather_pack", {"PATCHES": 0})(
            (min(blocks * -(-terms // _PACK_TERMS), _MOST_BLOCKS), 1, 1),
            (_PACK_THREADS, 1, 1),
            (
                source,
                to,
                *map(np.int64, (matrices, rows, terms)),
                *map(np.int32, (block_rows, run, pitch)),
                *tuple(map(np.int64, (rows * terms, *strides))),
            ),
        )
        return to


@dataclass(frozen=True)
class Windows:
    """The windows of an image batch (N, C, H, W), C-contiguous, as one matrix for each group of channels.

    Row (n, oy, ox), term (channel of the group, ky, kx). A pixel outside its image is the operand ``pad``, an
    array of one byte.
    """

    images: Array
    pad: Array
    geometry: Geometry
    kernel: tuple[int, int]
    out: tuple[int, int]

    @property
    def pixels(self) -> int:
        """Windows of one image."""
        return math.prod(self.out)

    @property
    def defines(self) -> Mapping[str, int]:
        """How the kernels that look into images are compiled: with 32-bit indices where these suffice."""
        count = math.prod(self.images.shape)
        height, width = self.images.shape[2:]
        top, bottom, left, right = self.geometry.padding
        near = max(height + top + bottom, width + left + right) < 2**15
        few = count + (top + bottom) * width + left + right < 2**31
        return {"PATCHES": 1, "INDEX_BYTES": 4 if near and few else 8}

    @property
    def arguments(self) -> Arguments:
        """The kernels' parameters, behind all others."""
        channels, height, width = self.images.shape[1:]
        top, _, left, _ = self.geometry.padding
        return (
            self.pad,
            *map(np.int64, (channels, channels // self.geometry.groups)),
            *map(np.int32, (height, width, *self.out, *self.kernel)),
            *map(np.int32, (*self.geometry.stride, top, left, *self.geometry.dilation)),
        )

    def packed(self, runtime: Runtime, block_rows: int, run: int, pitch: int) -> Array:
        """As ``Matrices.packed``: all windows, unfolded."""
        groups, images = self.geometry.groups, self.images.shape[0]
        rows = images * self.pixels
        terms = self.images.shape[1] // groups * math.prod(self.kernel)
        block_places = block_rows // run * pitch
        places = groups * -(-rows // block_rows) * terms * block_places
        to = runtime.xp.empty(places + block_places, np.uint8)
        runtime.kernel("gather_pack.cu", "gather_pack", self.defines)(
            (min(-(-places // _PACK_THREADS), _MOST_BLOCKS), 1, 1),
            (_PACK_THREADS, 1, 1),
            (
                self.images,
                to,
                *map(np.int64, (groups, rows, terms)),
                *map(np.int32, (block_rows, run, pitch)),
                *self.arguments,
            ),
        )
        return to


def matrix_index(runtime: Runtime, table: FoldedTable, own: tuple[int, ...], batch: tuple[int, ...]) -> Array:
    """Which of an operand's own matrices each matrix of the broadcast batch takes; made on the device."""
    xp = runtime.xp
    if math.prod(batch) == 1:
        return runtime.constant(np.zeros(1, np.int64), table, "the only matrix")
    index = xp.arange(math.prod(own), dtype=np.int64).reshape(own)
    return xp.ascontiguousarray(xp.broadcast_to(index, batch)).reshape(-1)

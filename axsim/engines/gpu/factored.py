"""The factored engine on a GPU: sums of table entries as exact matrix products on tensor cores.

As in ``axsim.engines.cpu.factored``, every operand byte becomes the R numbers that a ``FactoredTable`` has
for it, side by side along the summed axis; what depends on one operand only is added as row and column sums.
A kernel expands both operands, rows of K * R numbers padded with zeros; a library multiplies them; another
kernel adds the products of all parts and the sums. The products are made in one of two types (the *compute
type*):

* "int8", with int32 sums: a part for every power of two that the table's terms are multiplied by;
* "float16", with float32 sums, for tables whose components are at most 2,048 in magnitude, which float16
  holds exactly: one part, cut along the summed axis into pieces whose sums provably stay within 24 bits.

Convolutions are unfolded and expanded in one step, a block of windows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.factored_table import FactoredTable
from axsim.engines.gpu.factored_terms import Piece, pieces_of
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.shapes.batches import stacked
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]
Defines = dict[str, int | str]

_SOURCE = "factored.cu"
_THREADS = 256
_MAX_SLABS = 8  # shifts of a launch of the combining kernel, a byte of an integer each
_MAX_GRID_Y = 1024  # blocks along the rows of a combination; they take the rows in turns
_ROWS = 32  # what the number of rows of an expanded operand is a multiple of
_BLOCK = 1 << 28  # bytes of expanded operands, and of products, at a time


def gemm(table: FactoredTable, a: Bytes, b: Bytes, accumulator: DTypeLike, compute_type: str) -> Any:
    """``out[..., m, n] = sum over k of T[a[..., m, k], b[..., k, n]]``; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes; the result has dtype ``accumulator`` (int32 or
    int64), which the caller knows to be wide enough. ``compute_type`` as for ``terms_of``.
    """
    product = _Product(current(), table, compute_type, np.dtype(accumulator))
    xp = product.runtime.xp
    a, matrices, shape = stacked(a, b)
    k, n = b.shape[-2:]
    a, b = (xp.broadcast_to(side, (*matrices, *side.shape[-2:])) for side in (a, b))
    out = xp.empty((*matrices, a.shape[-2], n), accumulator)
    for i, index in enumerate(np.ndindex(matrices)):
        target = Target(out, i * a.shape[-2] * n, inner=n, outer_stride=0, row_stride=n)
        product.add(_matrix(xp, a[index], left=True), _matrix(xp, b[index].T, left=False), k, target)
    return out.reshape(shape)


def conv2d(
    table: FactoredTable,
    x: Bytes,
    w: Bytes,
    geometry: Geometry,
    pad_byte: Any,
    accumulator: DTypeLike,
    compute_type: str,
) -> Any:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): (N, O, OH, OW) of ``accumulator``.

    A padded pixel is the operand ``pad_byte``: an int, or one uint8 on the device. ``compute_type`` as for
    ``terms_of``.
    """
    product = _Product(current(), table, compute_type, np.dtype(accumulator))
    xp = product.runtime.xp
    (filters, group_channels, kh, kw), groups = w.shape, geometry.groups
    oh, ow = geometry.output_size(x.shape[2], x.shape[3], kh, kw)
    out = xp.empty((len(x), filters, oh, ow), accumulator)
    images = xp.ascontiguousarray(x)
    weights = xp.ascontiguousarray(w).reshape(filters, group_channels * kh * kw)
    pad = xp.full(1, pad_byte, np.uint8) if isinstance(pad_byte, int) else pad_byte.reshape(1)
    of_group = filters // groups
    for group in range(groups):
        rows = Rows(weights, group * of_group, of_group, left=False)
        windows = Windows(images, group * group_channels, len(x) * oh * ow, (kh, kw), (oh, ow), geometry, pad)
        target = Target(
            out, group * of_group * oh * ow, inner=oh * ow, outer_stride=filters * oh * ow, row_stride=oh * ow
        )
        product.add(rows, windows, group_channels * kh * kw, target)
    return out


class Target(NamedTuple):
    """Where sums go: row i, column j to ``out.flat[first + j // inner * outer_stride + i * row_stride + j %
    inner]``."""

    out: Any
    first: int
    inner: int
    outer_stride: int
    row_stride: int


class Operand(Protocol):
    """One side of a product: ``count`` rows of operand bytes, all of one length."""

    @property
    def count(self) -> int: ...
    @property
    def left(self) -> bool:
        """Whether they are left operands of the table."""

    def expand(self, launch: Expansion, start: int, stop: int, piece: Piece) -> None:
        """Expand the rows ``start <= row < stop`` for a piece."""


@dataclass(frozen=True)
class Expansion:
    """What an expansion's kernel is given beside the operands."""

    runtime: Runtime
    defines: Defines
    tables: tuple[Any, Any]
    out: Any
    sums: Any
    sum_mode: int

    def launch(self, kernel: str, blocks: int, args: tuple[Any, ...], width: int) -> None:
        grid = max(1, min(blocks, 16 * self.runtime.device.multiprocessors)), 1, 1
        rest = *self.tables, self.out, np.int32(width), self.sums, np.int32(self.sum_mode)
        self.runtime.kernel(_SOURCE, kernel, self.defines)(grid, (_THREADS, 1, 1), (*args, *rest))


@dataclass(frozen=True)
class Rows:
    """``count`` rows of a C-contiguous matrix, from row ``first`` on."""

    matrix: Any
    first: int
    count: int
    left: bool

    def expand(self, launch: Expansion, start: int, stop: int, piece: Piece) -> None:
        """As ``Operand.expand``."""
        where = np.int64(self.matrix.shape[1]), np.int64(self.first + start), np.int32(stop - start)
        depth = np.int64(piece.start), np.int32(piece.stop - piece.start)
        launch.launch("expand_rows", stop - start, (self.matrix, *where, *depth), piece.width)


@dataclass(frozen=True)
class Windows:
    """The windows of C-contiguous images, of the channels from ``first_channel`` on; left operands.

    The columns of a matrix are the windows of one image, as high as one line, with a channel for each row.
    """

    images: Any
    first_channel: int
    count: int
    kernel: tuple[int, int]
    out_size: tuple[int, int]
    geometry: Geometry
    pad: Any
    left: bool = True

    def expand(self, launch: Expansion, start: int, stop: int, piece: Piece) -> None:
        """As ``Operand.expand``."""
        _, channels, height, width = self.images.shape
        top, _, left, _ = self.geometry.padding
        strides = channels * height * width, height * width, width
        bytes_ = np.int64(self.first_channel * height * width), *map(np.int64, strides)
        numbers = height, width, *self.kernel, *self.geometry.stride, top, left, *self.geometry.dilation
        which = (
            np.int64(start),
            np.int32(stop - start),
            np.int32(piece.start),
            np.int32(piece.stop - piece.start),
        )
        args = self.images, *bytes_, *map(np.int32, (*numbers, *self.out_size)), self.pad, *which
        launch.launch("expand_windows", -(-(stop - start) // 32), args, piece.width)


def _matrix(xp: Any, matrix: Any, *, left: bool) -> Operand:
    """The rows of a matrix that lies in memory as it likes."""
    rows, depth = matrix.shape
    if not matrix.flags.c_contiguous and matrix.flags.f_contiguous:
        # Rows of the transposed matrix lie in memory: windows of 1 x 1 of an image with a channel for each.
        image = matrix.T.reshape(1, depth, 1, rows)
        plain = Geometry((1, 1), (0, 0, 0, 0), (1, 1), 1)
        return Windows(image, 0, rows, (1, 1), (1, rows), plain, xp.zeros(1, np.uint8), left)
    return Rows(xp.ascontiguousarray(matrix), 0, rows, left)


@dataclass(frozen=True)
class _Product:
    """Exact products for one table and compute_type."""

    runtime: Runtime
    table: FactoredTable
    compute_type: str
    accumulator: np.dtype[Any]

    def add(self, rows: Operand, columns: Operand, depth: int, target: Target) -> None:
        """Write the sums of all rows with all columns, over ``depth`` operand pairs."""
        pieces = pieces_of(self.table, self.compute_type, depth)
        width = sum(piece.width for piece in pieces)
        for c in _blocks(columns.count, _BLOCK // width):
            right, column_sums = self._expanded(columns, c, pieces)
            products_of_row = 4 * _padded(c.stop - c.start) * min(len(pieces), _MAX_SLABS)
            for r in _blocks(rows.count, _BLOCK // max(width, products_of_row)):
                left, row_sums = self._expanded(rows, r, pieces)
                for first in range(0, len(pieces), _MAX_SLABS):
                    some = slice(first, first + _MAX_SLABS)
                    products = self._products(left[some], right[some])
                    shifts = [piece.terms.shift for piece in pieces[some]]
                    self._combine(products, shifts, row_sums, column_sums, r, c, target, bool(first))

    def _expanded(self, operand: Operand, rows: slice, pieces: tuple[Piece, ...]) -> tuple[list[Any], Any]:
        """The rows expanded for every piece, and the sums of what depends on this operand only."""
        xp, owner, left = self.runtime.xp, self.table, operand.left
        sums_of = owner.left_sums if left else owner.right_sums
        sums_table = self.runtime.constant(
            lambda: sums_of.astype(self.accumulator), owner, ("sums", left, self.accumulator.name)
        )
        count = rows.stop - rows.start
        sums = xp.empty(count, self.accumulator)
        made = []
        for piece in pieces:
            components = piece.terms.left if left else piece.terms.right
            key = "components", self.compute_type, piece.part, left
            table = self.runtime.constant(components.view(np.uint8), owner, key)
            out = xp.empty((_padded(count), piece.width), np.uint8)
            # The pieces of the first part go over all operands, and so they take the sums along.
            sum_mode = 0 if piece.part else 1 if piece.start == 0 else 2
            defines: Defines = {"UNIT": piece.terms.unit, "ACCUMULATOR": _unsigned(self.accumulator)}
            launch = Expansion(self.runtime, defines, (table, sums_table), out, sums, sum_mode)
            operand.expand(launch, rows.start, rows.stop, piece)
            made.append(out.view(components.dtype))
        return made, sums

    def _products(self, left: list[Any], right: list[Any]) -> Any:
        """The matrix product for every piece: (pieces, rows, columns), rows and columns padded."""
        multiply, dtype = (
            (self.runtime.int8_products, np.int32)
            if self.compute_type == "int8"
            else (self.runtime.half_products, np.float32)
        )
        products = self.runtime.xp.empty((len(left), len(left[0]), len(right[0])), dtype)
        for u, v, product in zip(left, right, products, strict=True):
            multiply(u, v, product)
        return products

    def _combine(
        self,
        products: Any,
        shifts: list[int],
        row_sums: Any,
        column_sums: Any,
        rows: slice,
        columns: slice,
        target: Target,
        add: bool,
    ) -> None:
        count, width = rows.stop - rows.start, columns.stop - columns.start
        defines = {
            "ACCUMULATOR": _unsigned(self.accumulator),
            "PRODUCT": "int32" if products.dtype == np.int32 else "float",
        }
        packed = sum(shift << 8 * i for i, shift in enumerate(shifts))
        first = target.first + rows.start * target.row_stride
        self.runtime.kernel(_SOURCE, "combine", defines)(
            (-(-width // _THREADS), min(count, _MAX_GRID_Y), 1),
            (_THREADS, 1, 1),
            (
                products,
                np.int32(len(products)),
                np.uint64(packed),
                np.int64(products.shape[1] * products.shape[2]),
                np.int64(products.shape[2]),
                np.int32(count),
                np.int32(width),
                row_sums,
                column_sums,
                target.out,
                np.int64(first),
                np.int64(columns.start),
                np.int64(target.inner),
                np.int64(target.outer_stride),
                np.int64(target.row_stride),
                np.int32(add),
            ),
        )


def _unsigned(dtype: np.dtype[Any]) -> str:
    return f"uint{8 * dtype.itemsize}"


def _padded(rows: int) -> int:
    return -(-rows // _ROWS) * _ROWS


def _blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size``, a multiple of ``_ROWS`` but for the last."""
    step = max(_ROWS, size // _ROWS * _ROWS)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))

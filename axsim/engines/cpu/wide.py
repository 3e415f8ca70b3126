"""Sums of products of wide circuits, in main memory: exact, and slower than those of tables of bytes.

Products are made by NumPy, a block at a time. Where a circuit is tiled, the digits of matrices are multiplied
by the tile's table, as any other matrices of bytes, and the sums are shifted and added:

    C = sum over i, j of 2**(i a_bits + j b_bits) (A_i times B_j through the tile)

Negative operands of an unsigned circuit have negative digits then; that is right only if every product of the
tile with an operand 0 is 0, since a digit 0 has no sign. Otherwise products are made one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.cpu import reference
from axsim.engines.cpu.choice import choose
from axsim.engines.forms.folded import fold
from axsim.engines.forms.wide import WideProducts
from axsim.engines.plan import Candidate, Plan, Subject
from axsim.engines.shapes.batches import broadcast
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.tables.product import ProductTable
from axsim.tables.tiles import keeps_zero

Array = NDArray[Any]
Integers = NDArray[np.int64]

ENGINES = ("auto", "reference")

_BLOCK = 1 << 20  # products at a time


def check_engine(name: str) -> None:
    """ValueError unless ``name`` is an engine for wide circuits."""
    if name not in ENGINES:
        raise ValueError(
            f"engine is {name!r}, which multiplies bytes; for a circuit with wider operands expected auto or "
            "reference"
        )


def lookup(products: WideProducts, a: Array, b: Array) -> Integers:
    """Products element by element, broadcast together."""
    shape = broadcast(a.shape, b.shape)
    if products.way != "gates":
        return np.asarray(products(a, b)).reshape(shape)
    left, right = (np.broadcast_to(side, shape).reshape(-1) for side in (a, b))
    out = np.empty(left.size, np.int64)
    for start in range(0, out.size, _BLOCK):
        chunk = slice(start, start + _BLOCK)
        out[chunk] = products(left[chunk], right[chunk])
    return out.reshape(shape)


def gemm(products: WideProducts, a: Array, b: Array, *, plain: bool = False) -> Integers:
    """``out[..., m, n] = sum over k of P(a[..., m, k], b[..., k, n])``: int64; leading axes broadcast.

    a is (..., M, K), b (..., K, N), both of at least two axes; the caller knows that the sums fit. ``plain``:
    without digits, product by product.
    """
    if not plain and by_digits(products, a, b):
        total = np.zeros((*broadcast(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), np.int64)
        work = Work.of_gemm(a.shape, b.shape)
        for left, right, shift in _pairs(products.tile, products.multiplier.a_bits, a, b):
            subject = _subject(products, left, right)
            engine = choose("auto", work, subject)
            total += engine.gemm(subject.folded, left, right, np.int64) << shift
        return total
    batch = broadcast(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    a, b = np.broadcast_to(a, (*batch, m, k)), np.broadcast_to(b, (*batch, k, n))
    out = np.zeros((*batch, m, n), np.int64)
    rows = max(1, _BLOCK // max(1, n * k))
    terms = max(1, _BLOCK // max(1, n * rows))
    for i in np.ndindex(batch):
        for row in range(0, m, rows):
            for term in range(0, k, terms):
                left = a[i][row : row + rows, term : term + terms, None]
                right = b[i][term : term + terms]
                out[i][row : row + rows] += products(left, right).sum(axis=1)
    return out


def conv2d(
    products: WideProducts, x: Array, w: Array, geometry: Geometry, pad: int, *, plain: bool = False
) -> Integers:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw): int64 (N, O, OH, OW).

    A padded pixel is the operand ``pad``, and goes through the circuit like any other.
    """
    (filters, group_channels, kh, kw), groups = w.shape, geometry.groups
    oh, ow = geometry.output_size(x.shape[2], x.shape[3], kh, kw)
    out = np.zeros((len(x), filters, oh, ow), np.int64)
    if not plain and by_digits(products, x, w) and (pad >= 0 or keeps_zero(products.tile)):
        return _conv2d_by_digits(products, x, w, geometry, pad, out)
    terms = group_channels * kh * kw
    weights = w.reshape(groups, filters // groups, terms).swapaxes(1, 2)
    for image, result in zip(x, out, strict=True):
        patches = reference.windows(image.astype(np.int64), kh, kw, geometry, pad)  # (C, kh, kw, OH, OW)
        unfolded = patches.reshape(groups, terms, oh * ow).swapaxes(1, 2)
        result[:] = gemm(products, unfolded, weights, plain=True).swapaxes(1, 2).reshape(result.shape)
    return out


def _conv2d_by_digits(
    products: WideProducts, x: Array, w: Array, geometry: Geometry, pad: int, total: Integers
) -> Integers:
    work = Work.of_conv2d(x.shape, w.shape, geometry)
    padded = np.array([pad])
    for left, right, shift, own in _pairs_padded(products, x, w, padded):
        subject = _subject(products, left, right)
        engine = choose("auto", work, subject)
        total += engine.conv2d(subject.folded, left, right, geometry, own, np.int64) << shift
    return total


def by_digits(products: WideProducts, a: Array, b: Array) -> bool:
    """Whether the sums of these operands are made of sums of digits."""
    if products.way != "tiles":
        return False
    return keeps_zero(products.tile) or not any(_has_negatives(operand) for operand in (a, b))


def plan(work: Work, products: WideProducts, a: Array, b: Array) -> Plan:
    """What is done for these operands, and why."""
    m = products.multiplier
    digits = by_digits(products, a, b)
    way = "digits" if digits else products.way
    candidates = [
        Candidate(
            "digits",
            digits,
            f"sums of {products.source}, added exactly"
            if digits
            else "the circuit is not known to be tiled"
            if products.way != "tiles"
            else "the tile's products with 0 are not all 0, and operands are negative",
        ),
        *(
            [Candidate(products.way, True, f"products one by one, from {products.source}")]
            if products.way == "tiles"
            else [
                Candidate("table", products.way == "table", _about_table(products)),
                Candidate("gates", True, "a simulation of the gates"),
            ]
        ),
    ]
    return Plan(
        f"{work.operation} through {m.name}: {a.dtype} by {b.dtype}, {work.size}",
        tuple(candidates),
        way,
        f"{m.a_bits} x {m.b_bits} bits are wider than the bytes that kernels take: the first usable one "
        "of these, all slower than kernels",
    )


def _about_table(products: WideProducts) -> str:
    if products.way == "table":
        return f"{products.source[0].upper()}{products.source[1:]}, looked up by NumPy"
    return "a table of all products would be too large"


def _subject(products: WideProducts, left: Array, right: Array) -> Subject:
    tile = products.tile
    block = products.multiplier.block
    assert block is not None
    return Subject(tile, fold(tile, left.dtype, right.dtype), left.dtype, right.dtype, block.name)


def _pairs(tile: ProductTable, bits: int, a: Array, b: Array) -> Iterator[tuple[Array, Array, int]]:
    """All pairs of digits of the operands that count, and their shift."""
    skip = keeps_zero(tile)
    rights = [(shift, digit) for shift, digit in _digits(b, tile.b_bits, bits) if not skip or digit.any()]
    for left_shift, left in _digits(a, tile.a_bits, bits):
        if not skip or left.any():
            for right_shift, right in rights:
                yield left, right, left_shift + right_shift


def _pairs_padded(
    products: WideProducts, x: Array, w: Array, pad: Array
) -> Iterator[tuple[Array, Array, int, int]]:
    """The same for a convolution, with the digit of a padded pixel."""
    tile, bits = products.tile, products.multiplier.a_bits
    skip = keeps_zero(tile)
    negative = _has_negatives(x) or bool(pad[0] < 0)
    rights = [(shift, digit) for shift, digit in _digits(w, tile.b_bits, bits) if not skip or digit.any()]
    pads = [int(digit[0]) for _, digit in _digits(pad, tile.a_bits, bits)]
    for (left_shift, left), own in zip(_digits(x, tile.a_bits, bits, negative), pads, strict=True):
        if not skip or left.any() or own:
            for right_shift, right in rights:
                yield left, right, left_shift + right_shift, own


def _digits(
    operand: Array, width: int, bits: int, negative: bool | None = None
) -> Iterator[tuple[int, Array]]:
    """The digits as engines take them, each with its shift: uint8; int16 where operands are negative."""
    values = operand.astype(np.int64)
    if _has_negatives(operand) if negative is None else negative:
        magnitude, sign = np.abs(values), np.sign(values)
        for shift in range(0, bits, width):
            yield shift, ((magnitude >> shift & ((1 << width) - 1)) * sign).astype(np.int16)
    else:
        for shift in range(0, bits, width):
            yield shift, (values >> shift & ((1 << width) - 1)).astype(np.uint8)


def _has_negatives(operand: Array) -> bool:
    return operand.dtype.kind == "i" and bool(operand.size) and bool(operand.min() < 0)

"""Sums of table entries times floats: what the backward of an approximate product is made of.

Where the derivative of a product by its left operand is a table D, and by its right operand a table E, the
gradients of ``y[m, n] = sum over k of T[a(m, k), b[k, n]]`` are

    left:   sum over n of g[m, n] D[a(m, k), b[k, n]]
    right:  sum over m of g[m, n] E[a(m, k), b[k, n]]

``axsim.engines.shapes.places`` says where a(m, k) is: in a matrix, or in an image, where it belongs to
several rows, whose sums are added up. Operands are indices into the tables. Sums are made in float32, those
of many rows in float64; they do not depend on the number of threads, nor on the instruction set.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.shapes.places import Places
from axsim.threads import get_num_threads

if NATIVE_IS_BUILT:
    from axsim import _native

Floats = NDArray[np.float32]
Indices = NDArray[np.uint16]

_LANES = 16


def padded_width(columns: int) -> int:
    """How many columns weights have in memory for so many: those that are added hold zeros.

    >>> padded_width(1), padded_width(6), padded_width(32)
    (1, 16, 32)
    """
    return 1 if columns == 1 else -(-columns // _LANES) * _LANES


def left_by_numpy(
    table: Floats, g: Floats, a: Indices, places: Places, b: Indices, zero: Floats | None = None
) -> Floats:
    """``sum over n of g[i, m, n] * (table[a(i, m, k), b[i, k, n]] - zero[i, n])``, added up where a is.

    Args:
        table: C-contiguous (left operands, right operands).
        g: (batch, rows, ``padded_width(columns)``), C-contiguous.
        a: of any shape, C-contiguous; below ``len(table)``.
        places: where the left operands of rows and terms are in ``a``.
        b: (batch, terms, columns), C-contiguous; below ``table.shape[1]``.
        zero: what is subtracted for each column, (batch, columns); None: nothing.

    Returns:
        float32, shaped like ``a``.
    """
    out = np.zeros(a.size)
    for i, columns in enumerate(b.transpose(0, 2, 1)):
        where = places.index(i)
        operands = a.reshape(-1)[where]
        for n, right in enumerate(columns):
            entries = table[operands, right]
            entries = entries if zero is None else entries - zero[i, n]
            np.add.at(out, where, g[i, :, n, None] * entries)
    return out.reshape(a.shape).astype(np.float32)


def right_by_numpy(table: Floats, g: Floats, a: Indices, places: Places, b: Indices) -> Floats:
    """``sum over m of g[i, m, n] * table[a(i, m, k), b[i, k, n]]``: float32 (batch, terms, columns).

    Arguments as for ``left_by_numpy``.
    """
    out = np.empty(b.shape, np.float32)
    for i, columns in enumerate(b.transpose(0, 2, 1)):
        operands = a.reshape(-1)[places.index(i)]
        for n, right in enumerate(columns):
            out[i, :, n] = np.einsum("m,mk->k", g[i, :, n], table[operands, right], dtype=np.float64)
    return out


def left_by_kernel(
    table: Floats, g: Floats, a: Indices, places: Places, b: Indices, zero: Floats | None = None
) -> Floats:
    """As ``left_by_numpy``, in compiled code."""
    out = np.zeros(a.shape, np.float32)
    where = places.origins, places.rows, places.terms
    groups = places.together, places.joint
    _native.weighted_left(table, g, a, *where, b, zero, *groups, out, get_num_threads())
    return out


def right_by_kernel(table: Floats, g: Floats, a: Indices, places: Places, b: Indices) -> Floats:
    """As ``right_by_numpy``, in compiled code."""
    out = np.empty(b.shape, np.float32)
    where = places.origins, places.rows, places.terms
    _native.weighted_right(table, g, a, *where, b, out, get_num_threads())
    return out


left = left_by_kernel if NATIVE_IS_BUILT else left_by_numpy
right = right_by_kernel if NATIVE_IS_BUILT else right_by_numpy

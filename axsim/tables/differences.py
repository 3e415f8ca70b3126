"""How a product changes with an operand: slopes of a table, for gradients.

A table has no derivative. What stands in its place are differences along the line of products that an operand
runs through, smoothed over a window, as in LUT-2D of C. Meng, W. Burleson and G. De Micheli, "Gradient
Estimation Methods of Approximate Multipliers for High-Accuracy Retraining of Deep Learning Models", arXiv
2509.10519 (2025). With ``h`` their half window size (here ``window``),

    S[i] = mean of P[i - h], ..., P[i + h]
    D[i] = (S[i + 1] - S[i - 1]) / 2        where all that this takes is on the line: h < i < n - 1 - h
    D[i] = (P[n - 1] - P[0]) / (n - 1)      at the borders: the slope of the whole line

Borders are the one departure from the paper, which has ``(max P - min P) / 2**bits`` there: that is 255/256
of the exact product's slope, and of the wrong sign where the other operand is negative. Here the exact
product's differences are the other operand, throughout.

Lines run over operands in rising order of their values. So the line of an operand with a sign beside its
magnitude has no border at 0, where ``sign(a) sign(b) T[|a|, |b|]`` goes through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array
from axsim.circuits.operands import operand_range
from axsim.quantization import whole
from axsim.tables.product import ProductTable

Doubles = NDArray[np.float64]
Range = tuple[int, int]


def products(table: ProductTable, left: Range, right: Range) -> NDArray[np.int64]:
    """The products of all operands of two ranges: int64, ``[a - left[0], b - right[0]]``.

    An unsigned table multiplies magnitudes, and the product's sign is that of the operands' signs together;
    the sign of 0 is plus.

    Args:
        table: of the circuit.
        left, right: the least and the greatest operand.

    Raises:
        ValueError: an operand is out of the circuit's range.

    >>> table = ProductTable.from_function(lambda a, b: a * b | 1, 4, 4)
    >>> products(table, (0, 2), (-1, 1)).tolist()
    [[-1, 1, 1], [-1, 1, 1], [-3, 1, 3]]
    """
    (rows, row_signs), (columns, column_signs) = _sides(table, left, right)
    made: NDArray[np.int64] = table.values[np.ix_(rows, columns)].astype(np.int64)
    made *= np.multiply.outer(row_signs, column_signs)
    return made


def differences(values: ArrayLike, window: int, axis: int) -> Doubles:
    """Smoothed differences of products along one operand's line: float64, shaped like ``values``.

    Args:
        values: products of two ranges of operands, as :func:`products` has them.
        window: the half window size ``h``, 0 or more: ``2 h + 1`` neighbours are averaged. Where the line is
            too short for it, all of it is border.
        axis: 0 for the differences in the left operand, 1 for those in the right one.

    Raises:
        TypeError: ``window`` is not an integer.
        ValueError: ``window`` is negative, ``axis`` neither 0 nor 1, or a line holds fewer than two products.

    >>> squares = np.arange(6)[:, None] ** 2
    >>> differences(squares, 1, axis=0)[:, 0].tolist()
    [5.0, 5.0, 4.0, 6.0, 5.0, 5.0]
    """
    lines = _lines(values, axis)
    half = _window(window)
    made = np.empty(lines.shape)
    count = len(lines)
    made[:] = (lines[-1] - lines[0]) / (count - 1)
    if count > 2 * half + 2:
        # S[i + 1] - S[i - 1]: all but the outer two on either side fall out.
        inner = count - 2 * half - 2
        outer = lines[2 * half + 2 :] + lines[2 * half + 1 : -1] - lines[1 : inner + 1] - lines[:inner]
        made[half + 1 : count - half - 1] = outer / (2 * (2 * half + 1))
    return made if axis == 0 else np.ascontiguousarray(made.T)


def slopes(values: ArrayLike, window: int, axis: int) -> Doubles:
    """The smoothed differences in one operand, averaged over it: float64, one for each other operand.

    What the products of one operand with all others rise by: for the exact product, the other operand.
    This is LUT-1D's table, of the paper above.

    Args, errors:
        as :func:`differences`.

    >>> table = ProductTable.from_function(lambda a, b: a * b & ~3, 4, 4)
    >>> slopes(products(table, (0, 15), (0, 15)), 2, axis=0)[[0, 1, 2, 8]].round(4).tolist()
    [0.0, 0.9, 1.95, 8.0]
    """
    return np.asarray(differences(values, window, axis).mean(axis=axis))


def folded_derivatives(
    table: ProductTable, da: ArrayLike, db: ArrayLike, left: Range, right: Range
) -> tuple[Doubles, Doubles]:
    """Derivatives of one's own, given for a circuit's operands, for operands of two ranges.

    Magnitudes have the derivatives' entries: of ``sign(a) sign(b) T[|a|, |b|]``, the derivative by a is
    ``sign(b) da[|a|, |b|]``, and by b it is ``sign(a) db[|a|, |b|]``.

    Args:
        table: of the circuit.
        da, db: shaped like ``table.values`` and indexed like it, by operands' bit patterns: what stands for
            the derivative of the product by the left operand, and by the right one.
        left, right: as for :func:`products`.

    Returns:
        Two arrays float64, ``[a - left[0], b - right[0]]``.

    Raises:
        ValueError: ``da`` or ``db`` has another shape or holds NaN or infinity, or an operand is out of
            range.

    >>> table = ProductTable.from_function(lambda a, b: a * b, 2, 2)
    >>> b, a = np.meshgrid(np.arange(4), np.arange(4))
    >>> by_a, by_b = folded_derivatives(table, b, a, (0, 2), (-1, 1))
    >>> by_a[2].tolist(), by_b[2].tolist()
    ([-1.0, 0.0, 1.0], [2.0, 2.0, 2.0])
    """
    (rows, row_signs), (columns, column_signs) = _sides(table, left, right)
    where = np.ix_(rows, columns)
    by_a, by_b = (_derivatives(name, given, table) for name, given in (("da", da), ("db", db)))
    # A zero times a sign of minus would be -0.0.
    return by_a[where] * column_signs + 0.0, by_b[where] * row_signs[:, None] + 0.0


def _derivatives(name: str, given: ArrayLike, table: ProductTable) -> Doubles:
    values = np.asarray(as_array(name, given), np.float64)
    if values.shape != table.values.shape:
        raise ValueError(
            f"{name} has shape {values.shape}, expected {table.values.shape}, one entry for each product"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return values


def _sides(table: ProductTable, left: Range, right: Range) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """For each side the operands' indices into the table, and the signs that they give the product."""
    made = []
    for name, bits, (low, high) in (("left", table.a_bits, left), ("right", table.b_bits, right)):
        least, greatest = operand_range(bits, table.signed)
        least = least if table.signed else -greatest
        if not least <= low <= high <= greatest:
            raise ValueError(
                f"{name} is ({low}, {high}), but the circuit takes operands from {least} to {greatest}"
            )
        operands = np.arange(low, high + 1)
        if table.signed:
            made.append((operands & ((1 << bits) - 1), np.ones(len(operands), np.int64)))
        else:
            made.append((np.abs(operands), np.where(operands < 0, -1, 1)))
    return made


def _lines(values: ArrayLike, axis: int) -> NDArray[np.int64]:
    array = as_array("values", values)
    if axis not in (0, 1):
        raise ValueError(f"axis is {axis!r}, expected 0 (the left operand) or 1 (the right one)")
    if array.ndim != 2 or array.shape[axis] < 2:
        raise ValueError(f"values have shape {array.shape}, expected two axes, axis {axis} of two or more")
    if array.dtype.kind not in "iu":
        raise TypeError(f"values are {array.dtype}, expected integers: exact products")
    return np.moveaxis(array, axis, 0).astype(np.int64)


def _window(window: int) -> int:
    half = whole("window", window)
    if half < 0:
        raise ValueError(f"window is {half}, expected 0 or more neighbours on either side")
    return half

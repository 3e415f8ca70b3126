"""The operations; ``help(axsim.ops)`` says what they have in common."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.backend import accept
from axsim.engines.shapes.geometry import geometry
from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.ops import floating, integer
from axsim.ops.options import Options, Quantization
from axsim.quantization import QuantParams

Array = NDArray[Any]
Mult = str | Multiplier | FloatMultiplier


def multiply(
    a: Any,
    b: Any,
    mult: Mult = "exact8",
    *,
    a_quant: Quantization = None,
    b_quant: Quantization = None,
    out_dtype: Any = None,
    engine: str = "auto",
) -> Any:
    """``a * b`` element by element, through the multiplier; shapes broadcast.

    Args:
        a, b: arrays of uint8, int8, float32 or float64, of one kind and on one device.
        mult: a multiplier or its name.
        a_quant, b_quant: how float operands are quantised, per tensor; see ``help(axsim.ops)``.
        out_dtype: int32 (default) or int64; for float operands float32 or float64 (default: the operands'
            type).
        engine: "auto", "native" or "reference"; on a GPU "auto" or "gather". All give the same numbers.

    Raises:
        TypeError: an operand or ``out_dtype`` is of a wrong type.
        ValueError: shapes do not broadcast, an operand is out of the multiplier's range, or holds NaN or
            infinity.

    >>> import numpy as np
    >>> multiply(np.array([13, 200], np.uint8), np.array([100, -13], np.int8), "L40")
    array([ 1684, -2024], dtype=int32)
    """
    accepted = accept(a=a, b=b)
    a, b = accepted.arrays
    _check_broadcast(a.shape, b.shape)
    multiplier, kind = resolve(mult)
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        return accepted.wrap(kind.multiply(accepted.backend, multiplier, a, b, options))


def matmul(
    a: Any,
    b: Any,
    mult: Mult = "exact8",
    *,
    a_quant: Quantization = None,
    b_quant: Quantization = None,
    out_dtype: Any = None,
    engine: str = "auto",
) -> Any:
    """``a @ b`` with every product through the multiplier: ``C[m, n] = sum over k of T[a[m, k], b[k, n]]``.

    Shapes are those of ``numpy.matmul``: (..., M, K) and (..., K, N) give (..., M, N), leading axes
    broadcast, and a vector is a row on the left, a column on the right. K = 0 gives zeros.

    Args:
        a, b: arrays of uint8, int8, float32 or float64, of at least one axis.
        mult: a multiplier or its name.
        a_quant, b_quant: how float operands are quantised; see ``help(axsim.ops)``.
        out_dtype: int32 (default) or int64; for float operands float32 or float64 (default: the operands'
            type).
        engine: "auto", "factored" (integer multipliers whose table has exact factors), "native" or
            "reference"; on a GPU "gather" instead of these two. All give the same numbers; ``axsim.explain``
            says which "auto" takes.

    Raises:
        TypeError: an operand or ``out_dtype`` is of a wrong type.
        ValueError: shapes do not fit, an operand is out of the multiplier's range, or holds NaN or infinity.
        AccumulatorOverflowError: K times the largest product is beyond int32; ``out_dtype="int64"`` helps.

    >>> import numpy as np
    >>> matmul(np.float32([[1.5, 2]]), np.float32([[1.5], [3]]), "axfpm")  # 1.5 * 1.5 = 3, 2 * 3 = 8
    array([[11.]], dtype=float32)
    >>> a = np.array([[1, 2], [3, 250]], np.uint8)
    >>> matmul(a, a)
    array([[    7,   502],
           [  753, 62506]], dtype=int32)
    >>> matmul(a, a, "L40")
    array([[    7,   502],
           [  513, 55994]], dtype=int32)
    """
    accepted = accept(a=a, b=b)
    a, b = accepted.arrays
    row, column = a.ndim == 1, b.ndim == 1
    a2, b2 = matrices(a, b, b_quant)
    multiplier, kind = resolve(mult)
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        out = kind.matmul(accepted.backend, multiplier, a2, b2, options)
        if row:
            out = out[..., 0, :]
        return accepted.wrap(out[..., 0] if column else out)


def conv2d(
    x: Any,
    w: Any,
    mult: Mult = "exact8",
    *,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    a_quant: Quantization = None,
    b_quant: Quantization = None,
    out_dtype: Any = None,
    engine: str = "auto",
) -> Any:
    """2-D convolution (cross-correlation, as in neural networks) with every product through the multiplier.

    ``out[n, o, oy, ox] = bias[o] + sum over c, i, j of T[x[n, c, oy*sy - top + i*dy, ox*sx - left + j*dx],
    w[o, c, i, j]]``, c over the channels of o's group.

    Args:
        x: (N, C, H, W) of uint8, int8, float32 or float64.
        w: (O, C / groups, kh, kw) of the same kinds.
        mult: a multiplier or its name.
        bias: (O,); integers with integer operands, floats with float operands.
        stride, dilation: a number, or (vertical, horizontal).
        padding: pixels added on every side, (vertical, horizontal), ((top, bottom), (left, right)); "valid"
            is 0; "same" gives ceil(H / stride) by ceil(W / stride) windows, an odd pixel going to the bottom
            or right.
        groups: groups of channels that are convolved apart; C for a depthwise convolution.
        a_quant, b_quant: how float x and w are quantised; see ``help(axsim.ops)``.
        out_dtype: int32 (default) or int64; for float operands float32 or float64 (default: the operands'
            type).
        engine: "auto", "factored" (integer multipliers whose table has exact factors), "native" or
            "reference"; on a GPU "gather" instead of these two. All give the same numbers; ``axsim.explain``
            says which "auto" takes.

    Returns:
        (N, O, OH, OW) with ``OH = (H + top + bottom - dy * (kh - 1) - 1) // sy + 1``, OW likewise.

    Raises:
        TypeError: an operand or another argument is of a wrong type.
        ValueError: shapes do not fit, an operand is out of the multiplier's range, or holds NaN or infinity.
        AccumulatorOverflowError: the terms of a window times the largest product, and the bias, are beyond
            int32; ``out_dtype="int64"`` helps.

    >>> import numpy as np
    >>> x = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    >>> sobel = np.array([[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]], np.int8)
    >>> conv2d(x, sobel)
    array([[[[8, 8],
             [8, 8]]]], dtype=int32)
    """
    arrays = {"x": x, "w": w} if bias is None else {"x": x, "w": w, "bias": bias}
    accepted = accept(**arrays)
    x, w, *rest = accepted.arrays
    windows = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    if rest and rest[0].shape != (len(w),):
        raise ValueError(f"bias has shape {rest[0].shape}, expected ({len(w)},), one for each filter of w")
    multiplier, kind = resolve(mult)
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        out = kind.conv2d(accepted.backend, multiplier, x, w, rest[0] if rest else None, windows, options)
        return accepted.wrap(out)


def matrices(a: Array, b: Array, b_quant: Quantization) -> tuple[Array, Array]:
    """The operands of ``matmul`` with two axes or more, a vector made a row or a column; checked."""
    if not a.ndim or not b.ndim:
        raise ValueError(
            f"{'b' if a.ndim else 'a'} has no axes, expected at least one; multiply() takes NumPy scalars"
        )
    row, column = a.ndim == 1, b.ndim == 1
    if column and isinstance(b_quant, QuantParams) and b_quant.axis is not None:
        raise ValueError(
            "b_quant has parameters for each index of an axis, but b is a vector: it has no output channels"
        )
    a2, b2 = a[None] if row else a, b[:, None] if column else b
    if a2.shape[-1] != b2.shape[-2]:
        raise ValueError(
            f"a has shape {a.shape} and b {b.shape}: a's last axis ({a2.shape[-1]}) must equal b's "
            f"{'only' if column else 'last but one'} ({b2.shape[-2]})"
        )
    _check_broadcast(a2.shape[:-2], b2.shape[:-2])
    return a2, b2


def resolve(mult: Mult) -> tuple[Any, ModuleType]:
    """The multiplier, and the module that carries out operations with its kind."""
    multiplier = get(mult)
    return multiplier, integer if isinstance(multiplier, Multiplier) else floating


def _check_broadcast(a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(a_shape, b_shape)
    except ValueError:
        raise ValueError(
            f"axes {a_shape} of a and {b_shape} of b do not broadcast: in each pair they must be equal or "
            "one of them 1"
        ) from None

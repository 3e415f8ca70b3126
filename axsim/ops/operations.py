"""The operations; ``help(axsim.ops)`` says what they have in common."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from axsim.engines.backend import Accepted, accept
from axsim.engines.shapes.batches import broadcast
from axsim.engines.shapes.geometry import geometry
from axsim.engines.weights import Weights
from axsim.entrance import entrance
from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.ops import floating, integer, wide
from axsim.ops.checks import Right
from axsim.ops.options import Options, Quantization
from axsim.ops.prepared import Mult, Prepared, check_pair, is_pair
from axsim.quantization import QuantParams

Array = NDArray[Any]


@entrance
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
        a, b: arrays of uint8, int8, int16 (-255 to 255), float32 or float64, of one kind and on one device;
            of int16 and int32 in their whole range for wide circuits.
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
    multiplier = get(mult)
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        return accepted.wrap(kind_of(multiplier, a, b).multiply(accepted.backend, multiplier, a, b, options))


@entrance
def matmul(
    a: Any,
    b: Any,
    mult: Mult | None = None,
    *,
    bias: Any = None,
    a_quant: Quantization = None,
    b_quant: Quantization = None,
    out_dtype: Any = None,
    engine: str = "auto",
) -> Any:
    """``a @ b`` with every product through the multiplier: ``C[m, n] = sum over k of T[a[m, k], b[k, n]]``.

    Shapes are those of ``numpy.matmul``: (..., M, K) and (..., K, N) give (..., M, N), leading axes
    broadcast, and a vector is a row on the left, a column on the right. K = 0 gives zeros.

    Args:
        a: array of uint8, int8, int16 (-255 to 255), float32 or float64, of at least one axis.
        b: the same; or a pair (integers, ``QuantParams``) for a float ``a``; or what ``axsim.prepare`` made.
        mult: a multiplier or its name; ``exact8``, or what ``b`` was prepared for, unless given.
        bias: (N,), added before the result is rounded; integers with integer operands, floats with float
            ones.
        a_quant, b_quant: how float operands are quantised; see ``help(axsim.ops)``.
        out_dtype: int32 (default) or int64; for float operands float32 or float64 (default: the operands'
            type).
        engine: "auto", "factored" (integer multipliers whose table has exact factors), "native" or
            "reference"; on a GPU "gather" instead of these two, and for wide circuits "auto" or "reference".
            All give the same numbers; ``axsim.explain`` says which "auto" takes.

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
    accepted, multiplier, (a, b, bias) = take(("a", a), ("b", b), mult, "matmul", bias=bias)
    a2, b2 = matrices(a, b, b_quant)
    if bias is not None and bias.shape != b2.shape[-1:]:
        raise ValueError(f"bias has shape {bias.shape}, expected {b2.shape[-1:]}, one for each column of b")
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        out = kind_of(multiplier, a2, b2).matmul(accepted.backend, multiplier, a2, b2, bias, options)
        if a.ndim == 1:
            out = out[..., 0, :]
        return accepted.wrap(out[..., 0] if b.ndim == 1 else out)


@entrance
def conv2d(
    x: Any,
    w: Any,
    mult: Mult | None = None,
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
        x: (N, C, H, W) of uint8, int8, int16 (-255 to 255), float32 or float64.
        w: (O, C / groups, kh, kw) of the same kinds; or a pair (integers, ``QuantParams``) for a float ``x``;
            or what ``axsim.prepare`` made.
        mult: a multiplier or its name; ``exact8``, or what ``w`` was prepared for, unless given.
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
            "reference"; on a GPU "gather" instead of these two, and for wide circuits "auto" or "reference".
            All give the same numbers; ``axsim.explain`` says which "auto" takes.

    Without ``a_quant`` the range of a float x is that of the whole batch, and an image's result depends on
    the images beside it; ``a_quant`` fixes it.

    Returns:
        (N, O, OH, OW) with ``OH = (H + top + bottom - dy * (kh - 1) - 1) // sy + 1``, OW likewise.

    Raises:
        TypeError: an operand or another argument is of a wrong type.
        ValueError: shapes do not fit, an operand is out of the multiplier's range, or holds NaN or infinity.
        AccumulatorOverflowError: the terms of a window times the largest product, and the bias, are beyond
            int32; ``out_dtype="int64"`` helps.

    >>> import numpy as np
    >>> import axsim
    >>> x = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    >>> sobel = np.array([[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]], np.int8)
    >>> conv2d(x, sobel)
    array([[[[8, 8],
             [8, 8]]]], dtype=int32)
    >>> images = np.float32([0.1, 0.2, 0.3, 9.0]).reshape(2, 1, 1, 2)
    >>> kernel = np.float32([[[[1.0, 1.0]]]])
    >>> fixed = axsim.quantize.affine(np.float32([0, 1]))  # known: pixels from 0 to 1
    >>> [round(conv2d(some, kernel)[0].item(), 3) for some in (images, images[:1])]
    [0.318, 0.3]
    >>> [round(conv2d(some, kernel, a_quant=fixed)[0].item(), 3) for some in (images, images[:1])]
    [0.302, 0.302]
    """
    accepted, multiplier, (x, w, bias) = take(("x", x), ("w", w), mult, "conv2d", bias=bias, groups=groups)
    windows = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    if bias is not None and bias.shape != w.shape[:1]:
        raise ValueError(f"bias has shape {bias.shape}, expected {w.shape[:1]}, one for each filter of w")
    options = Options(a_quant, b_quant, out_dtype, engine)
    with accepted.context:
        out = kind_of(multiplier, x, w).conv2d(accepted.backend, multiplier, x, w, bias, windows, options)
        return accepted.wrap(out)


def take(
    left: tuple[str, Any],
    right: tuple[str, Any],
    mult: Mult | None,
    operation: str,
    *,
    bias: Any = None,
    groups: Any = 1,
) -> tuple[Accepted, Multiplier | FloatMultiplier, tuple[Array, Right, Array | None]]:
    """Where the operands of a call are, the multiplier, and left, right and bias as operations know them.

    ``left`` and ``right`` are operands with their names for messages.
    """
    (a_name, a), (b_name, b) = left, right
    arrays = {a_name: a} if bias is None else {a_name: a, "bias": bias}
    if isinstance(b, Prepared):
        multiplier = b.multiplier if mult is None else get(mult)
        b.check(b_name, multiplier, operation, groups)
        accepted = accept(**arrays)
        with accepted.context:
            b = b.on(accepted.backend)
    else:
        multiplier = get("exact8" if mult is None else mult)
        values, params = b if is_pair(b) else (b, None)
        accepted = accept(**arrays, **{b_name: values})
        b = accepted.arrays.pop()
        if params is not None:
            check_pair(b_name, multiplier, b, params, b.ndim - 1 if operation == "matmul" else 0)
            with accepted.context:
                b = Weights(b, accepted.backend.described(b, params))
    return accepted, multiplier, (accepted.arrays[0], b, accepted.arrays[1] if bias is not None else None)


def matrices(a: Array, b: Right, b_quant: Quantization) -> tuple[Array, Right]:
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
    a2, b2 = a[None] if row else a, _column(b) if column else b
    if a2.shape[-1] != b2.shape[-2]:
        raise ValueError(
            f"a has shape {a.shape} and b {b.shape}: a's last axis ({a2.shape[-1]}) must equal b's "
            f"{'only' if column else 'last but one'} ({b2.shape[-2]})"
        )
    _check_broadcast(a2.shape[:-2], b2.shape[:-2])
    return a2, b2


def _column(b: Right) -> Right:
    if isinstance(b, Weights):
        return b.column()
    return b[:, None]


def kind_of(multiplier: Multiplier | FloatMultiplier, a: Right, b: Right) -> Any:
    """The module that carries out operations of these operands with a multiplier of that kind."""
    if not isinstance(multiplier, Multiplier):
        return floating
    return wide if wide.takes(multiplier, a, b) else integer


def _check_broadcast(a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    try:
        broadcast(a_shape, b_shape)
    except ValueError:
        raise ValueError(
            f"axes {a_shape} of a and {b_shape} of b do not broadcast: in each pair they must be equal or "
            "one of them 1"
        ) from None

"""Array operations whose every product goes through an approximate multiplier.

The left operand (``a``, ``x``: activations) is the first operand of the circuit, the right one (``b``, ``w``:
weights) the second: approximate multipliers seldom commute. Integer sums are exact.

**Integers.** Operands are uint8 or int8, each on its own. An unsigned circuit takes int8 operands in sign and
magnitude, ``sign(a) sign(b) T[|a|, |b|]``; a signed circuit takes them as they are, and uint8 operands as far
as the values fit. Results are int32, or int64 with ``out_dtype="int64"``.

**Floats.** Both operands float32 or float64: each is quantised to integers ``q = clip(round_half_even(x / s)
+ z, qmin, qmax)``, and the result is

    y = s_a s_b ( sum T[q_a, q_b] - z_b sum q_a - z_a sum q_b + K z_a z_b )  (+ bias)

with the bracket exact in integers, scaled in float64 and rounded once to the operands' type (Jacob et al.,
CVPR 2018, doi 10.1109/CVPR.2018.00286). A padded pixel is a real 0, so it is ``z_a`` and goes through the
table like any other operand, as it does in hardware. What ``a_quant`` and ``b_quant`` choose, for a circuit
whose operand has n bits (8, if it has more):

==================  =====================================  ===================================================
quantisation        unsigned circuit                       signed circuit
==================  =====================================  ===================================================
None, "affine"      uint8, 0 to 2**n - 1                   int8, -2**(n - 1) to 2**(n - 1) - 1
"symmetric"         int8, magnitudes up to 2**n - 1 (127   int8, magnitudes up to 2**(n - 1) - 1
                    for n = 8), z = 0: sign and magnitude
a QuantParams       as made by ``axsim.quantize.affine``, ``symmetric``: other bits, percentiles, known
                    ranges; for ``b`` and ``w`` also per output channel (last axis of ``b``, axis 0 of ``w``)
==================  =====================================  ===================================================

None and the two strings take one pair of parameters from the least and greatest element. Activations that are
never negative with ``b_quant="symmetric"`` (no zero points at all) are the common choice for inference.

**Float multipliers** (``axfpm``, ``float32[L40]``) take float32 and float16 operands as they are.
Every product is exact to the bit; sums are made in float64, in ascending order of k, and rounded once to
float32 (``out_dtype="float64"`` leaves them unrounded). Bias is added before the rounding. A padded pixel is
0.0.

**Arrays.** NumPy arrays in, NumPy arrays out; torch tensors in, torch tensors out; CuPy arrays in, CuPy
arrays out. Any strides, also read-only. Gradients do not flow.

**GPUs.** CuPy arrays and torch tensors on a CUDA device are multiplied there, with the same numbers, if CuPy
is installed; all operands must be on one device. Nothing is copied, work goes to the caller's stream, and
memory comes from the caller's allocator. The host waits for the GPU once in a call that quantises floats (to
raise for NaN and infinity), that has integers for a circuit narrower than their type (to check that they
fit), or that has a bias whose type could overflow the result's; never otherwise, and never while a CUDA graph
is captured. Calls can be captured after one call with the same shapes and types. NaN or infinity in float
operands then gives NaN, and what cannot be done without looking at values is refused. Capture torch tensors
with ``torch.cuda.graph``, whose memory pool holds all that a call allocates; for CuPy's graphs axsim keeps
that memory itself, for good.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim._arrays import accept
from axsim.engines import floating, integer
from axsim.engines.geometry import geometry
from axsim.engines.options import Options, Quantisation
from axsim.engines.planner import Plan
from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.quantize import QuantParams

Array = NDArray[Any]
Mult = str | Multiplier | FloatMultiplier


def multiply(
    a: Any,
    b: Any,
    mult: Mult = "exact8",
    *,
    a_quant: Quantisation = None,
    b_quant: Quantisation = None,
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
    (a, b), wrap, context = accept(a=a, b=b)
    _check_broadcast(a.shape, b.shape)
    multiplier, kind = _resolve(mult)
    with context:
        return wrap(kind.multiply(multiplier, a, b, Options(a_quant, b_quant, out_dtype, engine)))


def matmul(
    a: Any,
    b: Any,
    mult: Mult = "exact8",
    *,
    a_quant: Quantisation = None,
    b_quant: Quantisation = None,
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
    (a, b), wrap, context = accept(a=a, b=b)
    row, column = a.ndim == 1, b.ndim == 1
    a2, b2 = _matrices(a, b, b_quant)
    multiplier, kind = _resolve(mult)
    with context:
        out = kind.matmul(multiplier, a2, b2, Options(a_quant, b_quant, out_dtype, engine))
        if row:
            out = out[..., 0, :]
        return wrap(out[..., 0] if column else out)


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
    a_quant: Quantisation = None,
    b_quant: Quantisation = None,
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
    (x, w, *rest), wrap, context = accept(**arrays)
    windows = geometry(
        x_shape=x.shape, w_shape=w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    if rest and rest[0].shape != (len(w),):
        raise ValueError(f"bias has shape {rest[0].shape}, expected ({len(w)},), one for each filter of w")
    multiplier, kind = _resolve(mult)
    options = Options(a_quant, b_quant, out_dtype, engine)
    with context:
        return wrap(kind.conv2d(multiplier, x, w, rest[0] if rest else None, windows, options))


def explain(
    a: Any,
    b: Any,
    mult: Mult = "exact8",
    *,
    operation: str = "matmul",
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    a_quant: Quantisation = None,
    b_quant: Quantisation = None,
    out_dtype: Any = None,
) -> Plan:
    """Which engine ``engine="auto"`` takes for these operands, and why; ``print`` shows it as a table.

    Args:
        a, b: the operands of ``matmul``; or with ``operation="conv2d"`` x and w.
        mult: an integer multiplier or its name.
        operation: "matmul" or "conv2d".
        stride, padding, dilation, groups: as for ``conv2d``, and for that alone.
        a_quant, b_quant, out_dtype: as for the operation.

    Returns:
        An ``axsim.engines.planner.Plan``: the candidates, each with its predicted seconds or the reason why
        it cannot be used, and the choice.

    Raises:
        TypeError, ValueError, AccumulatorOverflowError: as for the operation; or ``mult`` is a float
            multiplier.

    >>> import numpy as np
    >>> operand = np.zeros((32, 32), np.uint8)
    >>> plan = explain(operand, operand, "L40")
    >>> [(c.engine, c.note) for c in plan.candidates if c.seconds is None]
    [('factored', 'the table has no exact factors of at most 32 terms')]
    """
    (a, b), _, context = accept(a=a, b=b)
    multiplier, _ = _resolve(mult)
    if not isinstance(multiplier, Multiplier):
        raise TypeError(
            f"mult is {multiplier.name}, a float multiplier, expected an integer one: the planner does not "
            "choose for float multipliers, which have one engine for each kind of array"
        )
    options = Options(a_quant, b_quant, out_dtype)
    if operation == "matmul":
        a2, b2 = _matrices(a, b, b_quant)
        with context:
            return integer.explain_matmul(multiplier, a2, b2, options)
    if operation != "conv2d":
        raise ValueError(f"operation is {operation!r}, expected 'matmul' or 'conv2d'")
    where = geometry(
        x_shape=a.shape, w_shape=b.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    with context:
        return integer.explain_conv2d(multiplier, a, b, where, options)


def _matrices(a: Array, b: Array, b_quant: Quantisation) -> tuple[Array, Array]:
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


def _resolve(mult: Mult) -> tuple[Any, ModuleType]:
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

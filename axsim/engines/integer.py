"""Products through an integer multiplier: quantise, sum in an engine, and scale back.

The three operations take NumPy arrays whose shapes fit. Integer operands give integer sums; float operands
are quantised first (``axsim.ops`` has the rules) and give floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import epilogue, planner, select
from axsim.engines.fold import FoldedTable, Limits, fold
from axsim.engines.geometry import Geometry
from axsim.engines.options import Options, Quantisation, result_dtype
from axsim.engines.planner import Plan, Subject, Work
from axsim.errors import AccumulatorOverflowError
from axsim.multipliers import Multiplier
from axsim.quantize import QuantParams, affine, quantize, symmetric

Array = NDArray[Any]

_INT32, _INT64, _BYTE = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint8)
_MAX = {_INT32: 2**31 - 1, _INT64: 2**63 - 1}
_WHOLE: dict[str, Limits] = {"u": (0, 255), "i": (-128, 127)}  # all that uint8 and int8 hold
_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


@dataclass(frozen=True)
class Operands:
    """What one call multiplies.

    Attributes:
        a, b: uint8 or int8, as they came in or quantised.
        params: how ``a`` and ``b`` were quantised; None if integers came in.
        subject: the multiplier's table, folded for these types.
        accumulator: int32 or int64, wide enough for the sums.
        out_dtype: the result's.
    """

    a: Array
    b: Array
    params: tuple[QuantParams, QuantParams] | None
    subject: Subject
    accumulator: np.dtype[Any]
    out_dtype: np.dtype[Any]

    @property
    def table(self) -> FoldedTable:
        """The table that the engines look products up in."""
        return self.subject.folded

    @property
    def bytes(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """``a`` and ``b`` as the engines know them."""
        return self.a.view(_BYTE), self.b.view(_BYTE)


def multiply(multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    call = _prepare(multiplier, ("a", a), ("b", b), options, terms=1, channel_axis=None)
    products = select(options.engine).lookup(call.table, *call.bytes)
    if call.params is None:
        return products.astype(call.out_dtype, copy=False)
    return epilogue.lookup(products, call.a, call.b, *call.params, call.out_dtype)


def matmul(multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N): (..., M, N)."""
    # A vector was made a column: its only axis held the terms of the sum, not output channels.
    call = _prepare(multiplier, ("a", a), ("b", b), options, terms=a.shape[-1], channel_axis=b.ndim - 1)
    engine = planner.choose(options.engine, Work.of_gemm(a.shape, b.shape), call.subject)
    sums = engine.gemm(call.table, *call.bytes, call.accumulator)
    if call.params is None:
        return sums
    return epilogue.gemm(sums, call.a, call.b, *call.params, call.out_dtype)


def conv2d(
    multiplier: Multiplier, x: Array, w: Array, bias: Array | None, geometry: Geometry, options: Options
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), plus bias (O,): (N, O, OH, OW)."""
    terms = math.prod(w.shape[1:])
    call = _prepare(multiplier, ("x", x), ("w", w), options, terms=terms, channel_axis=0, bias=bias)
    zero = 0 if call.params is None else int(call.params[0].zero_point)
    engine = planner.choose(options.engine, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)
    sums = engine.conv2d(call.table, *call.bytes, geometry, zero & 255, call.accumulator)
    if call.params is None:
        if bias is not None:
            sums += bias[:, None, None]
        return sums
    return epilogue.conv2d(sums, call.a, call.b, geometry, *call.params, bias, call.out_dtype)


def explain_matmul(multiplier: Multiplier, a: Array, b: Array, options: Options) -> Plan:
    """How ``matmul`` chooses its engine for these arguments."""
    call = _prepare(multiplier, ("a", a), ("b", b), options, terms=a.shape[-1], channel_axis=b.ndim - 1)
    return planner.plan(multiplier.name, Work.of_gemm(a.shape, b.shape), call.subject)


def explain_conv2d(multiplier: Multiplier, x: Array, w: Array, geometry: Geometry, options: Options) -> Plan:
    """How ``conv2d`` chooses its engine for these arguments."""
    terms = math.prod(w.shape[1:])
    call = _prepare(multiplier, ("a", x), ("b", w), options, terms=terms, channel_axis=0)
    return planner.plan(multiplier.name, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)


def _prepare(
    multiplier: Multiplier,
    left: tuple[str, Array],
    right: tuple[str, Array],
    options: Options,
    *,
    terms: int,
    channel_axis: int | None,
    bias: Array | None = None,
) -> Operands:
    """Check the operands, each with its name for messages; quantise floats; choose the accumulator."""
    (a_name, a), (b_name, b) = left, right
    floats = _is_float(a_name, a)
    if floats != _is_float(b_name, b):
        raise TypeError(
            f"{a_name} is {a.dtype} and {b_name} is {b.dtype}: quantise the float operand yourself "
            "(axsim.quantize.quantize), or pass two floats"
        )
    params = None
    if floats:
        out_dtype = result_dtype(options.out_dtype, _FLOATS, np.result_type(a, b))
        bits, signed = (multiplier.a_bits, multiplier.b_bits), multiplier.signed
        params = (
            _params(a_name, a, "a_quant", options.a_quant, bits[0], signed, None),
            _params(b_name, b, "b_quant", options.b_quant, bits[1], signed, channel_axis),
        )
        a, b = quantize(a, params[0], name=a_name), quantize(b, params[1], name=b_name)
    else:
        if options.a_quant is not None or options.b_quant is not None:
            raise TypeError(f"a_quant or b_quant is given, but {a_name} and {b_name} are integers already")
        out_dtype = result_dtype(options.out_dtype, (_INT32, _INT64), _INT32)

    table = fold(multiplier.table, a.dtype, b.dtype)
    if params is None:
        _check_values(a_name, a, table.a_limits, multiplier)
        _check_values(b_name, b, table.b_limits, multiplier)
    else:
        _check_range("a_quant", params[0], table.a_limits, multiplier)
        _check_range("b_quant", params[1], table.b_limits, multiplier)

    shift = 0 if bias is None else _check_bias(bias, floats)
    largest = terms * table.max_abs + shift
    if not floats and largest > _MAX[out_dtype]:
        added = f", and a bias of up to {shift}," if shift else ""
        raise AccumulatorOverflowError(
            f"a sum of {terms} products of {multiplier.name}, each up to {table.max_abs}{added or ','} can "
            f"reach {largest}, beyond {out_dtype}"
            + ("; pass out_dtype='int64'" if out_dtype == _INT32 else "")
        )
    accumulator = out_dtype if not floats else _INT32 if largest <= _MAX[_INT32] else _INT64
    return Operands(a, b, params, Subject(multiplier.table, table, a.dtype, b.dtype), accumulator, out_dtype)


def _is_float(name: str, array: Array) -> bool:
    """Whether the operand is to be quantised; TypeError if it is neither a float nor an 8-bit integer."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind in "iu" and size == 1:
        return False
    if kind == "f" and size in (4, 8):
        return True
    hint = ""
    if kind in "iu":
        hint = "; cast it to uint8 or int8 if the values fit"
    elif kind == "f":
        hint = "; cast it to float32"
    raise TypeError(f"{name} is {array.dtype}, expected uint8, int8, float32 or float64{hint}")


def _params(
    name: str,
    x: Array,
    argument: str,
    given: Quantisation,
    bits: int,
    signed: bool,
    channel_axis: int | None,
) -> QuantParams:
    """The parameters to quantise a float operand with, for a circuit of ``bits``."""
    if isinstance(given, QuantParams):
        if given.axis is not None and (channel_axis is None or given.axis % x.ndim != channel_axis):
            allowed = "per tensor" if channel_axis is None else f"per tensor or along axis {channel_axis}"
            raise ValueError(
                f"{argument} has parameters for each index of axis {given.axis}; expected {allowed}: along "
                "any other axis the scale cannot be taken out of the sum"
            )
        return given
    if given is None or given == "affine":
        return affine(x, bits=min(bits, 8), signed=signed, name=name)
    if given == "symmetric":  # an unsigned circuit gets the sign beside its magnitude bits
        return symmetric(x, bits=min(bits if signed else bits + 1, 8), name=name)
    raise ValueError(f"{argument} is {given!r}, expected 'affine', 'symmetric' or axsim.quantize.QuantParams")


def _check_values(name: str, array: Array, limits: Limits, multiplier: Multiplier) -> None:
    if array.size == 0 or limits == _WHOLE[array.dtype.kind]:
        return
    low, high = limits
    for extreme in (int(array.min()), int(array.max())):
        if not low <= extreme <= high:
            raise ValueError(
                f"{name} holds {extreme}, but {multiplier.name} takes {low} to {high} from {array.dtype}"
            )


def _check_range(argument: str, params: QuantParams, limits: Limits, multiplier: Multiplier) -> None:
    if params.qmin < limits[0] or params.qmax > limits[1]:
        raise ValueError(
            f"{argument} makes integers from {params.qmin} to {params.qmax}, but {multiplier.name} takes "
            f"{limits[0]} to {limits[1]} from {params.dtype}; choose fewer bits"
        )


def _check_bias(bias: Array, floats: bool) -> int:
    """The largest magnitude in an integer bias; 0 for a float one, which is added after scaling."""
    if floats:
        if bias.dtype not in _FLOATS:
            raise TypeError(f"bias is {bias.dtype}, expected float32 or float64, as x and w are floats")
        if not np.isfinite(bias).all():
            raise ValueError("bias holds NaN or infinity")
        return 0
    if bias.dtype.kind not in "iu":
        raise TypeError(f"bias is {bias.dtype}, expected integers, as x and w are integers")
    return max((abs(int(value)) for value in (bias.min(), bias.max())), default=0) if bias.size else 0

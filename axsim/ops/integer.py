"""Products through an integer multiplier: quantise, sum in an engine, and scale back.

The three operations take arrays whose shapes fit, all NumPy's or all on one GPU. Integer operands give
integer sums; float operands are quantized first (``axsim.ops`` has the rules) and give floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.folded import FoldedTable, Limits, fold
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.plan import Plan, Subject
from axsim.engines.protocols import Backend
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.errors import AccumulatorOverflowError
from axsim.multipliers import Multiplier
from axsim.ops.options import Options, Quantization, result_dtype
from axsim.quantization import QuantParams, Rule

Array = NDArray[Any]

_INT32, _INT64, _BYTE = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.uint8)
_MAX = {_INT32: 2**31 - 1, _INT64: 2**63 - 1}
_WHOLE: dict[str, Limits] = {"u": (0, 255), "i": (-128, 127)}  # all that uint8 and int8 hold
_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


@dataclass(frozen=True)
class Operands:
    """What one call multiplies.

    Attributes:
        backend: of the place where the arrays are.
        a, b: uint8 or int8, as they came in or quantized.
        quantized: how ``a`` and ``b`` were quantized; None if integers came in.
        subject: the multiplier's table, folded for these types.
        accumulator: int32 or int64, wide enough for the sums.
        out_dtype: the result's.
    """

    backend: Backend
    a: Array
    b: Array
    quantized: tuple[Quantized, Quantized] | None
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


def multiply(backend: Backend, multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    call = _checked(backend, multiplier, ("a", a), ("b", b), options, terms=1, channel_axis=None)
    products = backend.select(options.engine).lookup(call.table, *call.bytes)
    if call.quantized is None:
        return products.astype(call.out_dtype, copy=False)
    return backend.scaled_lookup(products, *call.quantized, call.out_dtype)


def matmul(backend: Backend, multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N): (..., M, N)."""
    # A vector was made a column: its only axis held the terms of the sum, not output channels.
    call = _checked(
        backend, multiplier, ("a", a), ("b", b), options, terms=a.shape[-1], channel_axis=b.ndim - 1
    )
    engine = backend.choose(options.engine, Work.of_gemm(a.shape, b.shape), call.subject)
    sums = engine.gemm(call.table, *call.bytes, call.accumulator)
    if call.quantized is None:
        return sums
    return backend.scaled_gemm(sums, *call.quantized, call.out_dtype)


def conv2d(
    backend: Backend,
    multiplier: Multiplier,
    x: Array,
    w: Array,
    bias: Array | None,
    geometry: Geometry,
    options: Options,
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), plus bias (O,): (N, O, OH, OW)."""
    terms = math.prod(w.shape[1:])
    call = _checked(backend, multiplier, ("x", x), ("w", w), options, terms=terms, channel_axis=0, bias=bias)
    pad_byte = 0 if call.quantized is None else call.quantized[0].zero_byte
    engine = backend.choose(options.engine, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)
    sums = engine.conv2d(call.table, *call.bytes, geometry, pad_byte, call.accumulator)
    if call.quantized is None:
        if bias is not None:
            sums += bias.astype(sums.dtype)[:, None, None]
        return sums
    return backend.scaled_conv2d(sums, *call.quantized, geometry, bias, call.out_dtype)


def explain_matmul(backend: Backend, multiplier: Multiplier, a: Array, b: Array, options: Options) -> Plan:
    """How ``matmul`` chooses its engine for these arguments."""
    call = _checked(
        backend, multiplier, ("a", a), ("b", b), options, terms=a.shape[-1], channel_axis=b.ndim - 1
    )
    return backend.plan(multiplier.name, Work.of_gemm(a.shape, b.shape), call.subject)


def explain_conv2d(
    backend: Backend, multiplier: Multiplier, x: Array, w: Array, geometry: Geometry, options: Options
) -> Plan:
    """How ``conv2d`` chooses its engine for these arguments."""
    terms = math.prod(w.shape[1:])
    call = _checked(backend, multiplier, ("a", x), ("b", w), options, terms=terms, channel_axis=0)
    return backend.plan(multiplier.name, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)


def _checked(
    backend: Backend,
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
    if bias is not None:
        _check_bias_type(bias, floats)
    if floats:
        out_dtype = result_dtype(options.out_dtype, _FLOATS, np.result_type(a.dtype, b.dtype))
        a_by = _rule(a, "a_quant", options.a_quant, multiplier.a_bits, multiplier.signed, None)
        b_by = _rule(b, "b_quant", options.b_quant, multiplier.b_bits, multiplier.signed, channel_axis)
        table = fold(multiplier.table, a_by.dtype, b_by.dtype)
        _check_range("a_quant", a_by, table.a_limits, multiplier)
        _check_range("b_quant", b_by, table.b_limits, multiplier)
        made = backend.quantized([Unquantized(a_name, a, a_by), Unquantized(b_name, b, b_by)], bias)
        quantized = made[0], made[1]
        a, b = quantized[0].values, quantized[1].values
        largest = terms * table.max_abs
        accumulator = _INT32 if largest <= _MAX[_INT32] else _INT64
    else:
        if options.a_quant is not None or options.b_quant is not None:
            raise TypeError(f"a_quant or b_quant is given, but {a_name} and {b_name} are integers already")
        accumulator = out_dtype = result_dtype(options.out_dtype, (_INT32, _INT64), _INT32)
        table = fold(multiplier.table, a.dtype, b.dtype)
        _check_values(backend, (a_name, a, table.a_limits), (b_name, b, table.b_limits), multiplier)
        _check_sums(backend, multiplier.name, terms, table.max_abs, bias, out_dtype)
        quantized = None
    return Operands(
        backend, a, b, quantized, Subject(multiplier.table, table, a.dtype, b.dtype), accumulator, out_dtype
    )


def _is_float(name: str, array: Array) -> bool:
    """Whether the operand is to be quantized; TypeError if it is neither a float nor an 8-bit integer."""
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


def _rule(
    x: Array, argument: str, given: Quantization, bits: int, signed: bool, channel_axis: int | None
) -> Rule | QuantParams:
    """What to quantise a float operand by, for a circuit of ``bits``."""
    if isinstance(given, QuantParams):
        if given.axis is not None and (channel_axis is None or given.axis % x.ndim != channel_axis):
            allowed = "per tensor" if channel_axis is None else f"per tensor or along axis {channel_axis}"
            raise ValueError(
                f"{argument} has parameters for each index of axis {given.axis}; expected {allowed}: along "
                "any other axis the scale cannot be taken out of the sum"
            )
        return given
    if given is None or given == "affine":
        return Rule.affine(min(bits, 8), signed=signed)
    if given == "symmetric":  # an unsigned circuit gets the sign beside its magnitude bits
        return Rule.symmetric(min(bits if signed else bits + 1, 8))
    raise ValueError(f"{argument} is {given!r}, expected 'affine', 'symmetric' or axsim.quantize.QuantParams")


def _check_values(
    backend: Backend,
    left: tuple[str, Array, Limits],
    right: tuple[str, Array, Limits],
    multiplier: Multiplier,
) -> None:
    """Look at the values where the circuit does not take all that their type holds."""
    narrow = [side for side in (left, right) if side[2] != _WHOLE[side[1].dtype.kind]]
    if not narrow:
        return
    found = backend.extremes(*(array for _, array, _ in narrow))
    for (name, array, (low, high)), extremes in zip(narrow, found, strict=True):
        for extreme in extremes:
            if not low <= extreme <= high:
                raise ValueError(
                    f"{name} holds {extreme}, but {multiplier.name} takes {low} to {high} from {array.dtype}"
                )


def _check_range(argument: str, by: Rule | QuantParams, limits: Limits, multiplier: Multiplier) -> None:
    if by.qmin < limits[0] or by.qmax > limits[1]:
        raise ValueError(
            f"{argument} makes integers from {by.qmin} to {by.qmax}, but {multiplier.name} takes "
            f"{limits[0]} to {limits[1]} from {by.dtype}; choose fewer bits"
        )


def _check_bias_type(bias: Array, floats: bool) -> None:
    if floats and bias.dtype not in _FLOATS:
        raise TypeError(f"bias is {bias.dtype}, expected float32 or float64, as x and w are floats")
    if not floats and bias.dtype.kind not in "iu":
        raise TypeError(f"bias is {bias.dtype}, expected integers, as x and w are integers")


def _check_sums(
    backend: Backend, name: str, terms: int, max_abs: int, bias: Array | None, out_dtype: np.dtype[Any]
) -> None:
    """Raise AccumulatorOverflowError if a sum of integers, and the bias, could be beyond ``out_dtype``."""
    shift = 0
    if bias is not None:
        # The values of the bias count only where all that its type holds would be too much.
        held = np.iinfo(bias.dtype)
        extremes = (int(held.min), int(held.max))
        if terms * max_abs + max(map(abs, extremes)) > _MAX[out_dtype]:
            (extremes,) = backend.extremes(bias)
        shift = max(map(abs, extremes))
    largest = terms * max_abs + shift
    if largest > _MAX[out_dtype]:
        added = f", and a bias of up to {shift}," if shift else ""
        raise AccumulatorOverflowError(
            f"a sum of {terms} products of {name}, each up to {max_abs}{added or ','} can "
            f"reach {largest}, beyond {out_dtype}"
            + ("; pass out_dtype='int64'" if out_dtype == _INT32 else "")
        )

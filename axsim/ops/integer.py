"""Products through an integer multiplier: quantise, sum in an engine, and scale back.

The three operations take arrays whose shapes fit, all NumPy's or all on one GPU. Integer operands give
integer sums; float operands are quantized first (``axsim.ops`` has the rules) and give floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.forms.folded import FoldedTable, Limits, fold
from axsim.engines.forms.signs import SIGNED
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.plan import Plan, Subject
from axsim.engines.protocols import Backend, Layers, Sums
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.engines.weights import Weights
from axsim.multipliers import Multiplier
from axsim.ops.checks import (
    FLOATS,
    INTEGERS,
    LARGEST,
    Right,
    are_floats,
    check_sums,
    quantization_rule,
    quantized,
)
from axsim.ops.options import Options, Quantization, result_dtype
from axsim.quantization import QuantParams, Rule, along

Array = NDArray[Any]

_INT32, _INT64 = INTEGERS
_BYTE = np.dtype(np.uint8)
_WHOLE: dict[np.dtype[Any], Limits] = {
    np.dtype(np.uint8): (0, 255),
    np.dtype(np.int8): (-128, 127),
}  # all that these types hold


@dataclass(frozen=True)
class Call:
    """What one call multiplies.

    Attributes:
        backend: of the place where the arrays are.
        a, b: the operands as they came in, ``b`` perhaps made ready.
        by: how floats are quantised; empty if integers came in. Without the right operand, if that is ready.
        subject: the multiplier's table, folded for the integers' types.
        accumulator: int32 or int64, wide enough for the sums.
        out_dtype: the result's.
    """

    backend: Backend
    a: Array
    b: Right
    by: tuple[Unquantized, ...]
    subject: Subject
    accumulator: np.dtype[Any]
    out_dtype: np.dtype[Any]

    @property
    def table(self) -> FoldedTable:
        """The table that the engines look products up in."""
        return self.subject.folded

    @property
    def integers(self) -> tuple[Array, Array]:
        """``a`` and ``b`` as the engines know them, if integers came in."""
        return as_bytes(self.a), as_bytes(self.b.values if isinstance(self.b, Weights) else self.b)

    def quantized(self, bias: Array | None = None) -> tuple[Quantized, Quantized]:
        """Both operands as integers that stand for floats; ValueError if one, or bias, is not finite."""
        left, *rest = self.backend.quantized(self.by, bias)
        right = self.b.quantized if isinstance(self.b, Weights) else rest[0]
        assert right is not None
        return left, right

    def layers(self, engine: Sums, axes: int) -> tuple[Layers | None, Any]:
        """What carries the whole call out at once, None where nothing does, and the right operand."""
        b, fits = self.b, not self.by or self.a.dtype == self.out_dtype == np.float32
        if fits and isinstance(b, Weights) and b.ndim == axes and self.a.size and b.values.size:
            return self.backend.layers(engine, self.subject), b
        return None, b


def multiply(backend: Backend, multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    call = _checked(backend, multiplier, ("a", a), ("b", b), options, terms=1, channel_axis=None)
    engine = backend.select(options.engine)
    if not call.by:
        return engine.lookup(call.table, *call.integers).astype(call.out_dtype, copy=False)
    left, right = call.quantized()
    products = engine.lookup(call.table, as_bytes(left.values), as_bytes(right.values))
    return backend.scaled_lookup(products, left, right, call.out_dtype)


def matmul(
    backend: Backend, multiplier: Multiplier, a: Array, b: Right, bias: Array | None, options: Options
) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N), plus bias (N,): (..., M, N)."""
    # A vector was made a column: its only axis held the terms of the sum, not output channels.
    sides = ("a", a), ("b", b)
    terms, axis = a.shape[-1], b.ndim - 1
    call = _checked(backend, multiplier, *sides, options, terms=terms, channel_axis=axis, bias=bias)
    engine = backend.choose(options.engine, Work.of_gemm(a.shape, b.shape), call.subject)
    layers, weights = call.layers(engine, 2)
    if not call.by:
        if layers is None:
            sums = engine.gemm(call.table, *call.integers, call.accumulator)
        else:
            sums = layers.gemm(as_bytes(a), weights, call.accumulator)
        return sums if bias is None else sums + bias.astype(sums.dtype)
    if layers is not None:
        return layers.float_gemm(call.by[0], weights, bias)
    left, right = call.quantized(bias)
    sums = engine.gemm(call.table, as_bytes(left.values), as_bytes(right.values), call.accumulator)
    return backend.scaled_gemm(sums, left, right, bias, call.out_dtype)


def conv2d(
    backend: Backend,
    multiplier: Multiplier,
    x: Array,
    w: Right,
    bias: Array | None,
    geometry: Geometry,
    options: Options,
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), plus bias (O,): (N, O, OH, OW)."""
    terms = math.prod(w.shape[1:])
    call = _checked(backend, multiplier, ("x", x), ("w", w), options, terms=terms, channel_axis=0, bias=bias)
    engine = backend.choose(options.engine, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)
    layers, weights = call.layers(engine, 4)
    if not call.by:
        if layers is None:
            sums = engine.conv2d(call.table, *call.integers, geometry, 0, call.accumulator)
        else:
            sums = layers.conv2d(as_bytes(x), weights, geometry, call.accumulator)
        return sums if bias is None else sums + bias.astype(sums.dtype)[:, None, None]
    if layers is not None:
        return layers.float_conv2d(call.by[0], weights, geometry, bias)
    left, right = call.quantized(bias)
    operands = as_bytes(left.values), as_bytes(right.values)
    sums = engine.conv2d(call.table, *operands, geometry, left.pad, call.accumulator)
    return backend.scaled_conv2d(sums, left, right, geometry, bias, call.out_dtype)


def explain_matmul(backend: Backend, multiplier: Multiplier, a: Array, b: Right, options: Options) -> Plan:
    """How ``matmul`` chooses its engine for these arguments."""
    call = _checked(
        backend, multiplier, ("a", a), ("b", b), options, terms=a.shape[-1], channel_axis=b.ndim - 1
    )
    return backend.plan(multiplier.name, Work.of_gemm(a.shape, b.shape), call.subject)


def explain_conv2d(
    backend: Backend, multiplier: Multiplier, x: Array, w: Right, geometry: Geometry, options: Options
) -> Plan:
    """How ``conv2d`` chooses its engine for these arguments."""
    terms = math.prod(w.shape[1:])
    call = _checked(backend, multiplier, ("a", x), ("b", w), options, terms=terms, channel_axis=0)
    return backend.plan(multiplier.name, Work.of_conv2d(x.shape, w.shape, geometry), call.subject)


def _checked(
    backend: Backend,
    multiplier: Multiplier,
    left: tuple[str, Array],
    right: tuple[str, Right],
    options: Options,
    *,
    terms: int,
    channel_axis: int | None,
    bias: Array | None = None,
) -> Call:
    """Check the operands, each with its name for messages; how floats are quantised; the accumulator."""
    (a_name, a), (b_name, b) = left, right
    floats = are_floats(left, right, bias, options, _is_float, pairs=channel_axis is not None)
    by: tuple[Unquantized, ...] = ()
    if floats:
        a_by = quantization_rule(a, "a_quant", options.a_quant, multiplier.a_bits, multiplier.signed, None)
        by = (Unquantized(a_name, a, a_by),)
        if isinstance(b, Weights):
            source, b_type = b.source or a.dtype, b.dtype
        else:
            b_by = right_rule(multiplier, b, options.b_quant, channel_axis)
            by, source, b_type = (*by, Unquantized(b_name, b, b_by)), b.dtype, b_by.dtype
        out_dtype = result_dtype(options.out_dtype, FLOATS, np.result_type(a.dtype, source))
        table, types = fold(multiplier.table, a_by.dtype, b_type), (a_by.dtype, b_type)
        check_range("a_quant", a_by, table.a_limits, multiplier)
        accumulator = _INT32 if terms * table.max_abs <= LARGEST[_INT32] else _INT64
    else:
        accumulator = out_dtype = result_dtype(options.out_dtype, (_INT32, _INT64), _INT32)
        table, types = _folded(multiplier, (a_name, a.dtype), (b_name, b.dtype)), (a.dtype, b.dtype)
        sides = [(a_name, a, table.a_limits)]
        if not isinstance(b, Weights):
            sides.append((b_name, b, table.b_limits))
        _check_values(backend, multiplier, sides)
        check_sums(backend, multiplier.name, terms, table.max_abs, bias, out_dtype)
    subject = Subject(multiplier.table, table, *types, multiplier.name)
    return Call(backend, a, b, by, subject, accumulator, out_dtype)


def ready(
    backend: Backend,
    multiplier: Multiplier,
    name: str,
    b: Array,
    given: Quantization | QuantParams,
    channel_axis: int,
) -> tuple[Array, QuantParams | None]:
    """A right operand as integers, checked, and what they stand for: None if integers came in.

    Raises:
        TypeError: it is neither a float nor an integer that the multiplier takes.
        ValueError: it does not fit the multiplier, or holds NaN or infinity.
    """
    if not _is_float(name, b):
        if given is not None:
            raise TypeError(f"b_quant is given, but {name} holds integers already")
        table = _folded(multiplier, ("", _BYTE), (name, b.dtype))
        _check_values(backend, multiplier, [(name, b, table.b_limits)])
        return b, None
    return quantized(backend, name, b, right_rule(multiplier, b, given, channel_axis))


def right_rule(
    multiplier: Multiplier, b: Array, given: Quantization, channel_axis: int | None
) -> Rule | QuantParams:
    """What to quantise a float right operand by; ValueError unless the multiplier takes what that makes."""
    by = quantization_rule(b, "b_quant", given, multiplier.b_bits, multiplier.signed, channel_axis)
    check_integers("b_quant", by, multiplier)
    return by


def check_parameters(
    name: str, params: QuantParams, values: Array, multiplier: Multiplier, channel_axis: int
) -> None:
    """ValueError unless the multiplier's right operand can be integers that ``params`` made."""
    quantization_rule(values, name, params, multiplier.b_bits, multiplier.signed, channel_axis)
    along(params.scale, params, values, name)  # checks the number of channels
    check_integers(name, params, multiplier)


def check_integers(argument: str, by: Rule | QuantParams, multiplier: Multiplier) -> None:
    """ValueError unless the multiplier's right operand takes all integers of the range."""
    if multiplier.signed and by.dtype == SIGNED:
        raise ValueError(_no_signs(multiplier))
    check_range(argument, by, fold(multiplier.table, by.dtype, by.dtype).b_limits, multiplier)


def _folded(
    multiplier: Multiplier, left: tuple[str, np.dtype[Any]], right: tuple[str, np.dtype[Any]]
) -> FoldedTable:
    if multiplier.signed:
        for name, dtype in (left, right):
            if dtype == SIGNED:
                raise TypeError(f"{name} is int16: {_no_signs(multiplier)}")
    return fold(multiplier.table, left[1], right[1])


def _no_signs(multiplier: Multiplier) -> str:
    return (
        f"{multiplier.name} is signed, and takes uint8 and int8 operands; int16 ones have their sign beside "
        "8 bits of magnitude, as unsigned circuits take them"
    )


def as_bytes(operand: Array) -> Array:
    """An integer operand as engines take it: bytes, or int16."""
    return operand if operand.dtype == SIGNED else operand.view(_BYTE)


def _is_float(name: str, array: Array) -> bool:
    """Whether the operand is to be quantized; TypeError if it is neither a float nor an 8-bit integer."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if (kind in "iu" and size == 1) or array.dtype == SIGNED:
        return False
    if kind == "f" and size in (4, 8):
        return True
    hint = ""
    if kind in "iu":
        hint = "; cast it to uint8 or int8 if the values fit, or to int16 if they are from -255 to 255"
    elif kind == "f":
        hint = "; cast it to float32"
    raise TypeError(f"{name} is {array.dtype}, expected uint8, int8, int16, float32 or float64{hint}")


def _check_values(
    backend: Backend, multiplier: Multiplier, sides: Sequence[tuple[str, Array, Limits]]
) -> None:
    """Look at the values where the circuit does not take all that their type holds."""
    narrow = [side for side in sides if side[2] != _WHOLE.get(side[1].dtype)]
    if not narrow:
        return
    found = backend.extremes(*(array for _, array, _ in narrow))
    for (name, array, (low, high)), extremes in zip(narrow, found, strict=True):
        for extreme in extremes:
            if not low <= extreme <= high:
                raise ValueError(
                    f"{name} holds {extreme}, but {multiplier.name} takes {low} to {high} from {array.dtype}"
                )


def check_range(argument: str, by: Rule | QuantParams, limits: Limits, multiplier: Multiplier) -> None:
    """ValueError unless all integers that ``by`` makes are within the operand's limits."""
    if by.qmin < limits[0] or by.qmax > limits[1]:
        raise ValueError(
            f"{argument} makes integers from {by.qmin} to {by.qmax}, but {multiplier.name} takes "
            f"{limits[0]} to {limits[1]} from {by.dtype}; choose fewer bits"
        )

"""Products through an integer multiplier whose operands are wider than a byte: checks, and the same rules.

The functions are those of ``axsim.ops.integer``, and take the same arguments. Integers may be int16 and
int32, too; floats become integers of up to 8 bits, as for any other circuit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.cpu import wide
from axsim.engines.forms.wide import TYPES, WideProducts, is_wide, limits, wide_products
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.plan import Plan
from axsim.engines.protocols import Backend
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.engines.weights import Weights
from axsim.multipliers import Multiplier
from axsim.ops.checks import (
    FLOATS,
    INTEGERS,
    Right,
    are_floats,
    check_sums,
    quantization_rule,
    quantized,
)
from axsim.ops.options import Options, Quantization, result_dtype
from axsim.quantization import QuantParams, Rule, along

Array = NDArray[Any]


def takes(multiplier: Multiplier, a: Any, b: Any) -> bool:
    """Whether an operation of these operands is carried out here."""
    return is_wide(multiplier, np.dtype(a.dtype), np.dtype(b.dtype))


@dataclass(frozen=True)
class Call:
    """What one call multiplies: operands as integers, or what makes them integers; and the result's type."""

    backend: Backend
    products: WideProducts
    a: Array
    b: Right
    by: tuple[Unquantized, ...]
    out_dtype: np.dtype[Any]
    plain: bool

    @property
    def integers(self) -> tuple[Array, Array]:
        """The operands, if integers came in."""
        return self.a, self.b.values if isinstance(self.b, Weights) else self.b

    def quantized(self, bias: Array | None = None) -> tuple[Quantized, Quantized]:
        """Both operands as integers that stand for floats."""
        left, *rest = self.backend.quantized(self.by, bias)
        right = self.b.quantized if isinstance(self.b, Weights) else rest[0]
        assert right is not None
        return left, right


def multiply(backend: Backend, multiplier: Multiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    call = _checked(backend, multiplier, ("a", a), ("b", b), options, terms=1, channel_axis=None)
    if not call.by:
        return wide.lookup(call.products, a, b).astype(call.out_dtype, copy=False)
    left, right = call.quantized()
    products = wide.lookup(call.products, left.values, right.values)
    return backend.scaled_lookup(products, left, right, call.out_dtype)


def matmul(
    backend: Backend, multiplier: Multiplier, a: Array, b: Right, bias: Array | None, options: Options
) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N), plus bias (N,): (..., M, N)."""
    sides = ("a", a), ("b", b)
    terms, axis = a.shape[-1], b.ndim - 1
    call = _checked(backend, multiplier, *sides, options, terms=terms, channel_axis=axis, bias=bias)
    if not call.by:
        sums = wide.gemm(call.products, *call.integers, plain=call.plain)
        return _with_bias(sums, bias).astype(call.out_dtype, copy=False)
    left, right = call.quantized(bias)
    sums = wide.gemm(call.products, left.values, right.values, plain=call.plain)
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
    if not call.by:
        sums = wide.conv2d(call.products, *call.integers, geometry, 0, plain=call.plain)
        return _with_bias(sums, bias, 2).astype(call.out_dtype, copy=False)
    left, right = call.quantized(bias)
    pad = 0 if left.zero is None else int(left.zero)
    sums = wide.conv2d(call.products, left.values, right.values, geometry, pad, plain=call.plain)
    return backend.scaled_conv2d(sums, left, right, geometry, bias, call.out_dtype)


def explain_matmul(backend: Backend, multiplier: Multiplier, a: Array, b: Right, options: Options) -> Plan:
    """How ``matmul`` makes its products for these arguments."""
    sides = ("a", a), ("b", b)
    call = _checked(backend, multiplier, *sides, options, terms=a.shape[-1], channel_axis=b.ndim - 1)
    return wide.plan(Work.of_gemm(a.shape, b.shape), call.products, *_known(call))


def explain_conv2d(
    backend: Backend, multiplier: Multiplier, x: Array, w: Right, geometry: Geometry, options: Options
) -> Plan:
    """How ``conv2d`` makes its products for these arguments."""
    terms = math.prod(w.shape[1:])
    call = _checked(backend, multiplier, ("a", x), ("b", w), options, terms=terms, channel_axis=0)
    return wide.plan(Work.of_conv2d(x.shape, w.shape, geometry), call.products, *_known(call))


def ready(
    backend: Backend, multiplier: Multiplier, name: str, b: Array, given: Quantization, channel_axis: int
) -> tuple[Array, QuantParams | None]:
    """A right operand as integers, checked, and what they stand for; as ``axsim.ops.integer.ready``."""
    _check_place(backend, multiplier)
    if not _is_float(name, b):
        if given is not None:
            raise TypeError(f"b_quant is given, but {name} holds integers already")
        _check_values(backend, multiplier, name, b, multiplier.b_bits)
        return b, None
    return quantized(backend, name, b, _right_rule(multiplier, b, given, channel_axis))


def check_parameters(
    name: str, params: QuantParams, values: Array, multiplier: Multiplier, channel_axis: int
) -> None:
    """ValueError unless the multiplier's right operand can be integers that ``params`` made."""
    _right_rule(multiplier, values, params, channel_axis)
    along(params.scale, params, values, name)  # checks the number of channels


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
    (a_name, a), (b_name, b) = left, right
    _check_place(backend, multiplier)
    wide.check_engine(options.engine)
    plain = options.engine == "reference"
    floats = are_floats(left, right, bias, options, _is_float, pairs=channel_axis is not None)
    products = wide_products(multiplier)
    if floats:
        a_by = quantization_rule(a, "a_quant", options.a_quant, multiplier.a_bits, multiplier.signed, None)
        _check_range("a_quant", a_by, multiplier, multiplier.a_bits)
        by: tuple[Unquantized, ...] = (Unquantized(a_name, a, a_by),)
        if isinstance(b, Weights):
            source = b.source or a.dtype
        else:
            b_by = _right_rule(multiplier, b, options.b_quant, channel_axis)
            by, source = (*by, Unquantized(b_name, b, b_by)), b.dtype
        out_dtype = result_dtype(options.out_dtype, FLOATS, np.result_type(a.dtype, source))
        # Operands of 8 bits have small products in any circuit that is near to exact; bounds are for all.
        check_sums(backend, multiplier.name, terms, products.max_abs, None, INTEGERS[1])
        return Call(backend, products, a, b, by, out_dtype, plain)
    out_dtype = result_dtype(options.out_dtype, INTEGERS, INTEGERS[0])
    _check_values(backend, multiplier, a_name, a, multiplier.a_bits)
    if not isinstance(b, Weights):
        _check_values(backend, multiplier, b_name, b, multiplier.b_bits)
    check_sums(backend, multiplier.name, terms, products.max_abs, bias, out_dtype)
    return Call(backend, products, a, b, (), out_dtype, plain)


def _known(call: Call) -> tuple[Array, Array]:
    """The integers whose signs decide how sums are made."""
    if not call.by:
        return call.integers
    left, right = call.quantized()
    return left.values, right.values


def _right_rule(
    multiplier: Multiplier, b: Array, given: Quantization, channel_axis: int | None
) -> Rule | QuantParams:
    by = quantization_rule(b, "b_quant", given, multiplier.b_bits, multiplier.signed, channel_axis)
    _check_range("b_quant", by, multiplier, multiplier.b_bits)
    return by


def _with_bias(sums: Array, bias: Array | None, axes: int = 0) -> Array:
    return sums if bias is None else sums + bias.astype(np.int64).reshape(-1, *[1] * axes)


def _check_place(backend: Backend, multiplier: Multiplier) -> None:
    if backend.place() != "main memory":
        raise ValueError(
            f"{multiplier.name} has {multiplier.a_bits}x{multiplier.b_bits} bits: circuits with operands "
            "wider than a byte are computed in main memory; move the operands there, e.g. x.cpu()"
        )


def _is_float(name: str, array: Array) -> bool:
    if array.dtype in TYPES:
        return False
    if array.dtype.kind == "f" and array.dtype.itemsize in (4, 8):
        return True
    hint = "; cast it to int32 if the values fit" if array.dtype.kind in "iu" else ""
    raise TypeError(f"{name} is {array.dtype}, expected uint8, int8, int16, int32, float32 or float64{hint}")


def _check_values(backend: Backend, multiplier: Multiplier, name: str, array: Array, bits: int) -> None:
    low, high = limits(array.dtype, bits, multiplier.signed)
    ((least, greatest),) = backend.extremes(array)
    for extreme in (least, greatest):
        if not low <= extreme <= high:
            raise ValueError(
                f"{name} holds {extreme}, but {multiplier.name} takes {low} to {high} from {array.dtype}"
            )


def _check_range(argument: str, by: Rule | QuantParams, multiplier: Multiplier, bits: int) -> None:
    low, high = limits(by.dtype, bits, multiplier.signed)
    if by.qmin < low or by.qmax > high:
        raise ValueError(
            f"{argument} makes integers from {by.qmin} to {by.qmax}, but {multiplier.name} takes "
            f"{low} to {high} from {by.dtype}; choose fewer bits"
        )

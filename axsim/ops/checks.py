"""What operands of all integer multipliers are checked for, narrow ones and wide ones alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.protocols import Backend
from axsim.engines.weights import Weights
from axsim.errors import AccumulatorOverflowError
from axsim.ops.options import Options, Quantization
from axsim.quantization import QuantParams, Rule, not_finite

Array = NDArray[Any]
Right = Array | Weights  # as it came in, or made ready for this multiplier

INTEGERS = np.dtype(np.int32), np.dtype(np.int64)
FLOATS = np.dtype(np.float32), np.dtype(np.float64)
LARGEST = {INTEGERS[0]: 2**31 - 1, INTEGERS[1]: 2**63 - 1}


def are_floats(
    left: tuple[str, Array],
    right: tuple[str, Right],
    bias: Array | None,
    options: Options,
    is_float: Callable[[str, Array], bool],
    *,
    pairs: bool,
) -> bool:
    """Whether the operands, each with its name for messages, are floats that are to be quantised.

    ``is_float`` says it of one array, and raises TypeError for one that the multiplier does not take.
    ``pairs``: whether the right operand may be (integers, ``QuantParams``).

    Raises:
        TypeError: operands, bias and quantisation do not go together.
    """
    (a_name, a), (b_name, b) = left, right
    floats = is_float(a_name, a)
    if floats != (b.quantized is not None if isinstance(b, Weights) else is_float(b_name, b)):
        raise TypeError(_mixed(a_name, a, b_name, b, pairs=pairs))
    if bias is not None:
        _check_bias_type(bias, floats)
    if not floats and (options.a_quant is not None or options.b_quant is not None):
        raise TypeError(f"a_quant or b_quant is given, but {a_name} and {b_name} are integers already")
    if isinstance(b, Weights) and options.b_quant is not None:
        raise TypeError(f"b_quant is given, but {b_name} is quantized already")
    return floats


def quantized(backend: Backend, name: str, b: Array, by: Rule | QuantParams) -> tuple[Array, QuantParams]:
    """Floats as integers, and what these stand for; a rule takes the range of the whole array.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    if isinstance(by, Rule):
        low, high = backend.row_extremes(b.reshape(1, -1)) if b.size else (np.zeros(1), np.zeros(1))
        if not np.isfinite([low, high]).all():
            raise not_finite(name)
        by = by.params(low[0], high[0])
    return backend.integers(name, b, by), by


def quantization_rule(
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
    if isinstance(given, Rule):
        return given
    if given is None or given == "affine":
        return Rule.affine(min(bits, 8), signed=signed)
    if given == "symmetric":  # an unsigned circuit gets the sign beside its magnitude bits
        return Rule.symmetric(min(bits if signed else bits + 1, 8))
    if given == "sign-magnitude":  # the sign beside all of the magnitude bits
        return Rule.symmetric(min(bits if signed else bits + 1, 8 if signed else 9))
    raise ValueError(
        f"{argument} is {given!r}, expected 'affine', 'symmetric', 'sign-magnitude' or "
        "axsim.quantize.QuantParams"
    )


def check_sums(
    backend: Backend, name: str, terms: int, max_abs: int, bias: Array | None, out_dtype: np.dtype[Any]
) -> None:
    """Raise AccumulatorOverflowError if a sum of integers, and the bias, could be beyond ``out_dtype``."""
    shift = 0
    if bias is not None:
        # The values of the bias count only where all that its type holds would be too much.
        held = np.iinfo(bias.dtype)
        extremes = (int(held.min), int(held.max))
        if terms * max_abs + max(map(abs, extremes)) > LARGEST[out_dtype]:
            (extremes,) = backend.extremes(bias)
        shift = max(map(abs, extremes))
    largest = terms * max_abs + shift
    if largest > LARGEST[out_dtype]:
        added = f", and a bias of up to {shift}," if shift else ""
        raise AccumulatorOverflowError(
            f"a sum of {terms} products of {name}, each up to {max_abs}{added or ','} can "
            f"reach {largest}, beyond {out_dtype}"
            + ("; pass out_dtype='int64'" if out_dtype == INTEGERS[0] else "")
        )


def _mixed(a_name: str, a: Array, b_name: str, b: Right, *, pairs: bool) -> str:
    if isinstance(b, Weights) and b.quantized is not None:
        return (
            f"{a_name} is {a.dtype}, but {b_name} holds integers that stand for floats, and expects a float "
            f"{a_name}; prepare the integers alone to multiply integers"
        )
    hint = "quantise the float operand yourself (axsim.quantize.quantize), or pass two floats"
    if pairs and a.dtype.kind == "f":
        pair = f"{b_name}=(integers, axsim.quantize.QuantParams(...))"
        hint = f"say what the integers stand for, {pair}, or {hint}"
    return f"{a_name} is {a.dtype} and {b_name} is {b.dtype}: {hint}"


def _check_bias_type(bias: Array, floats: bool) -> None:
    if floats and bias.dtype not in FLOATS:
        raise TypeError(f"bias is {bias.dtype}, expected float32 or float64, as x and w are floats")
    if not floats and bias.dtype.kind not in "iu":
        raise TypeError(f"bias is {bias.dtype}, expected integers, as x and w are integers")

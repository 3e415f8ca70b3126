"""The place of arrays in main memory; ``axsim.engines.cuda.device`` is the one of a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import float_reference, select
from axsim.engines.epilogue import scaled_conv2d, scaled_gemm, scaled_lookup
from axsim.engines.place import Quantised, Unquantised
from axsim.engines.planner import choose, plan
from axsim.quantize import QuantParams, affine, quantize, symmetric

__all__ = [
    "biased", "choose", "converted", "extremes", "plan", "quantised", "scaled_conv2d", "scaled_gemm",
    "scaled_lookup", "select",
]  # fmt: skip

Array = NDArray[Any]


def quantised(operands: Sequence[Unquantised], bias: Array | None) -> list[Quantised]:
    """As ``Place.quantised``."""
    made = [_quantised(operand) for operand in operands]
    if bias is not None and not np.isfinite(bias).all():
        raise ValueError("bias holds NaN or infinity")
    return made


def extremes(*arrays: Array) -> list[tuple[int, int]]:
    """As ``Place.extremes``."""
    return [(int(array.min()), int(array.max())) if array.size else (0, 0) for array in arrays]


def _quantised(operand: Unquantised) -> Quantised:
    name, x, by = operand.name, operand.values, operand.by
    if isinstance(by, QuantParams):
        params = by
    elif by.centred:
        params = symmetric(x, by.bits, name=name)
    else:
        params = affine(x, by.bits, signed=by.qmin < 0, name=name)
    return described(quantize(x, params, name=name), params)


def described(values: Array, params: QuantParams) -> Quantised:
    """Integers that ``params`` made."""
    zero = params.zero_point if params.zero_point.any() else None
    zero_byte = 0 if params.axis is not None else int(params.zero_point) & 255
    return Quantised(values, params.scale, zero, zero_byte)


def biased(sums: Array, bias: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Place.biased``."""
    with np.errstate(invalid="ignore"):  # infinity - infinity
        sums += bias[:, None, None]
    return float_reference.round_sums(sums) if dtype == np.float32 else sums


def converted(values: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Place.converted``."""
    return values.astype(dtype, copy=False)

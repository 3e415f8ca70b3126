"""The backend of arrays in main memory; ``axsim.engines.gpu.backend`` is that of a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.cpu import float_reference, reference
from axsim.engines.cpu.choice import choose, plan, select
from axsim.engines.cpu.epilogue import scaled_conv2d, scaled_gemm, scaled_lookup
from axsim.engines.cpu.quantize import integers, quantized, row_extremes
from axsim.engines.protocols import FloatEngine
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.quantization import QuantParams

__all__ = [
    "biased", "choose", "constants", "converted", "extremes", "floats", "host", "integers", "plan",
    "quantized", "row_extremes", "scaled_conv2d", "scaled_gemm", "scaled_lookup", "select",
]  # fmt: skip

Array = NDArray[Any]


def floats(name: str, multiplier: FloatMultiplier) -> FloatEngine:
    """As ``Backend.floats``."""
    if select(name) is reference:
        return float_reference
    from axsim.engines.cpu import float_native

    return float_reference if name == "auto" and not float_native.supports(multiplier) else float_native


def extremes(*arrays: Array) -> list[tuple[int, int]]:
    """As ``Backend.extremes``."""
    return [(int(array.min()), int(array.max())) if array.size else (0, 0) for array in arrays]


def host(array: Array) -> Array:
    """As ``Backend.host``."""
    return array


def constants(params: QuantParams) -> tuple[Array, Array]:
    """As ``Backend.constants``."""
    return params.scale, params.zero_point


def biased(sums: Array, bias: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.biased``."""
    with np.errstate(invalid="ignore"):  # infinity - infinity
        sums += bias[:, None, None]
    return float_reference.round_sums(sums) if dtype == np.float32 else sums


def converted(values: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.converted``."""
    return values.astype(dtype, copy=False)

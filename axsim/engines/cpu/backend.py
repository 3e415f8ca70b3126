"""The backend of arrays in main memory; ``axsim.engines.gpu.backend`` is that of a GPU."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.cpu import float_reference, reference
from axsim.engines.cpu.choice import choose, plan, select
from axsim.engines.cpu.epilogue import scaled_conv2d, scaled_gemm, scaled_lookup
from axsim.engines.cpu.quantize import described, integers, quantized, row_extremes
from axsim.engines.isa import NATIVE_IS_BUILT
from axsim.engines.plan import Subject
from axsim.engines.protocols import FloatEngine, FloatLayers, Layers, Sums
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.quantization import QuantParams

if NATIVE_IS_BUILT:
    from axsim.engines.cpu import float_native
    from axsim.engines.cpu.layers import prepared_sums

__all__ = [
    "array", "biased", "choose", "constants", "converted", "described", "extremes", "float_layers",
    "floats", "host", "integers", "layers", "place", "plan", "quantized", "row_extremes",
    "scaled_conv2d", "scaled_gemm", "scaled_lookup", "select",
]  # fmt: skip

Array = NDArray[Any]


def floats(name: str, multiplier: FloatMultiplier) -> FloatEngine:
    """As ``Backend.floats``."""
    if select(name) is reference:
        return float_reference
    return float_reference if name == "auto" and not float_native.supports(multiplier) else float_native


def float_layers(engine: FloatEngine) -> FloatLayers | None:
    """As ``Backend.float_layers``."""
    return float_native if NATIVE_IS_BUILT and engine is float_native else None


def layers(engine: Sums, subject: Subject) -> Layers | None:
    """As ``Backend.layers``."""
    return prepared_sums(engine, subject) if NATIVE_IS_BUILT else None


def extremes(*arrays: Array) -> list[tuple[int, int]]:
    """As ``Backend.extremes``."""
    return [(int(array.min()), int(array.max())) if array.size else (0, 0) for array in arrays]


def host(array: Array) -> Array:
    """As ``Backend.host``."""
    return array


def constants(params: QuantParams) -> tuple[Array, Array]:
    """As ``Backend.constants``."""
    return params.scale, params.zero_point


def place() -> Hashable:
    """As ``Backend.place``."""
    return "main memory"


def array(host: Array, owner: object) -> Array:
    """As ``Backend.array``."""
    return host


def biased(sums: Array, bias: Array, axis: int, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.biased``."""
    with np.errstate(invalid="ignore"):  # infinity - infinity
        sums += bias.reshape(-1, *[1] * (-1 - axis))
    return float_reference.round_sums(sums) if dtype == np.float32 else sums


def converted(values: Array, dtype: np.dtype[Any]) -> Array:
    """As ``Backend.converted``."""
    return values.astype(dtype, copy=False)

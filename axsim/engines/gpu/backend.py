"""The backend of arrays on a GPU: ``axsim.engines.cpu.backend`` again, on the device.

The host waits only where an operation looks at values: at flags, if floats are quantised, or at extremes,
where a circuit takes less than its operands' type holds or a bias may be too large.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from axsim.engines.gpu.arrays import to_host as host
from axsim.engines.gpu.choice import choose, plan, select
from axsim.engines.gpu.epilogue import biased, converted, scaled_conv2d, scaled_gemm, scaled_lookup
from axsim.engines.gpu.floats import engine
from axsim.engines.gpu.quantize import constants, described, integers, quantized, row_extremes
from axsim.engines.gpu.runtime.current import current
from axsim.engines.plan import Subject
from axsim.engines.protocols import FloatEngine, Sums
from axsim.multipliers.float_multiplier import FloatMultiplier

__all__ = [
    "array", "biased", "choose", "constants", "converted", "described", "extremes", "float_layers",
    "floats", "host", "integers", "layers", "place", "plan", "quantized", "row_extremes",
    "scaled_conv2d", "scaled_gemm", "scaled_lookup", "select",
]  # fmt: skip


def floats(name: str, multiplier: FloatMultiplier) -> FloatEngine:
    """As ``Backend.floats``.

    Raises:
        ValueError: ``name`` is not "auto".
    """
    if name != "auto":
        raise ValueError(
            f"engine is {name!r}, but float multipliers have one engine on a GPU; expected 'auto'"
        )
    return engine


def place() -> Hashable:
    """As ``Backend.place``."""
    return id(current())


def array(host: np.ndarray[Any, Any], owner: object) -> Any:
    """As ``Backend.array``."""
    return current().constant(host, owner, "weights")


def float_layers(engine: FloatEngine) -> None:
    """As ``Backend.float_layers``."""
    return


def layers(engine: Sums, subject: Subject) -> None:
    """As ``Backend.layers``."""
    return


def extremes(*arrays: Any) -> list[tuple[int, int]]:
    """As ``Backend.extremes``.

    Raises:
        ValueError: a graph is being captured.
    """
    runtime = current()
    xp = runtime.xp
    if runtime.capturing():
        raise ValueError(
            "the values of the operands cannot be looked at while a CUDA graph is captured, and must be: the "
            "circuit takes less than their type holds, or the bias might be too large. Take a circuit of 8 "
            "bits, a bias of int16, or out_dtype='int64'"
        )
    # One transfer for all, whatever their types: bytes.
    pairs = [
        xp.stack([array.min(), array.max()] if array.size else [xp.zeros((), array.dtype)] * 2)
        for array in arrays
    ]
    found = xp.asnumpy(xp.concatenate([pair.view(np.uint8) for pair in pairs]))
    sizes = [2 * array.dtype.itemsize for array in arrays]
    parts = np.split(found, np.cumsum(sizes)[:-1])
    values = [part.view(array.dtype) for part, array in zip(parts, arrays, strict=True)]
    return [(int(low), int(high)) for low, high in values]

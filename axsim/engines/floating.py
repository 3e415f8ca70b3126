"""Products through a float multiplier: every product exact to the bit, sums in float64, rounded once.

The three operations take arrays whose shapes fit, all NumPy's or all on one GPU, of float32 or float16;
nothing is quantised.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines import float_reference, reference, select
from axsim.engines.geometry import Geometry
from axsim.engines.options import Options, result_dtype
from axsim.engines.places import place_of
from axsim.multipliers.float_multiplier import FloatMultiplier, as_float32

Array = NDArray[Any]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def multiply(multiplier: FloatMultiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    a, b, dtype = _prepare(("a", a), ("b", b), options)
    products: Array = _engine(options.engine, multiplier, a).multiply(multiplier, a, b)
    return place_of(products).converted(products, dtype)


def matmul(multiplier: FloatMultiplier, a: Array, b: Array, options: Options) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N): (..., M, N)."""
    a, b, dtype = _prepare(("a", a), ("b", b), options)
    sums: Array = _engine(options.engine, multiplier, a).gemm(multiplier, a, b, rounded=dtype == _FLOAT32)
    return sums


def conv2d(
    multiplier: FloatMultiplier,
    x: Array,
    w: Array,
    bias: Array | None,
    geometry: Geometry,
    options: Options,
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), plus bias (O,): (N, O, OH, OW)."""
    x, w, dtype = _prepare(("x", x), ("w", w), options)
    engine = _engine(options.engine, multiplier, x)
    if bias is None:
        sums: Array = engine.conv2d(multiplier, x, w, geometry, rounded=dtype == _FLOAT32)
        return sums
    if bias.dtype not in (_FLOAT32, _FLOAT64):
        raise TypeError(f"bias is {bias.dtype}, expected float32 or float64")
    sums = engine.conv2d(multiplier, x, w, geometry, rounded=False)
    return place_of(sums).biased(sums, bias, dtype)


def _prepare(
    left: tuple[str, Array], right: tuple[str, Array], options: Options
) -> tuple[Array, Array, np.dtype[Any]]:
    """Both operands as float32, and the dtype of the result."""
    if options.a_quant is not None or options.b_quant is not None:
        raise TypeError(
            "a_quant or b_quant is given, but a float multiplier takes floats as they are: leave them out"
        )
    dtype = result_dtype(options.out_dtype, (_FLOAT32, _FLOAT64), _FLOAT32)
    (a_name, a), (b_name, b) = left, right
    return as_float32(a, a_name), as_float32(b, b_name), dtype


def _engine(name: str, multiplier: FloatMultiplier, operand: Array) -> ModuleType:
    """The engine called ``name`` for arrays where the operand is; for "auto" one that has a kernel."""
    if type(operand) is not np.ndarray:
        if name != "auto":
            raise ValueError(
                f"engine is {name!r}, but float multipliers have one engine on a GPU; expected 'auto'"
            )
        from axsim.engines.cuda import floats

        return floats
    if select(name) is reference:
        return float_reference
    from axsim.engines import float_native

    return float_reference if name == "auto" and not float_native.supports(multiplier) else float_native

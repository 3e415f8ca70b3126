"""Products through a float multiplier: every product exact to the bit, sums in float64, rounded once.

The three operations take arrays whose shapes fit, all NumPy's or all on one GPU, of float32 or float16;
nothing is quantised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.protocols import Backend
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.weights import Weights
from axsim.multipliers.float_multiplier import FloatMultiplier, as_float32
from axsim.ops.options import Options, result_dtype

Array = NDArray[Any]

Right = Array | Weights  # as it came in, or made ready

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def multiply(backend: Backend, multiplier: FloatMultiplier, a: Array, b: Array, options: Options) -> Array:
    """``a * b`` element by element, broadcast together."""
    a, b, dtype = _checked(("a", a), ("b", b), options)
    products: Array = backend.floats(options.engine, multiplier).multiply(multiplier, a, b)
    return backend.converted(products, dtype)


def matmul(
    backend: Backend, multiplier: FloatMultiplier, a: Array, b: Right, bias: Array | None, options: Options
) -> Array:
    """``a @ b`` of a (..., M, K) and b (..., K, N), plus bias (N,): (..., M, N)."""
    a, values, dtype = _checked(("a", a), ("b", b), options)
    _check_bias(bias)
    engine, rounded = backend.floats(options.engine, multiplier), bias is None and dtype == _FLOAT32
    if isinstance(b, Weights) and b.ndim == 2 and (layers := backend.float_layers(engine)):
        return layers.layer_gemm(multiplier, a, b, bias, dtype)
    sums: Array = engine.gemm(multiplier, a, values, rounded=rounded)
    return sums if bias is None else backend.biased(sums, bias, -1, dtype)


def conv2d(
    backend: Backend,
    multiplier: FloatMultiplier,
    x: Array,
    w: Right,
    bias: Array | None,
    geometry: Geometry,
    options: Options,
) -> Array:
    """Cross-correlation of x (N, C, H, W) with w (O, C / groups, kh, kw), plus bias (O,): (N, O, OH, OW)."""
    x, values, dtype = _checked(("x", x), ("w", w), options)
    _check_bias(bias)
    engine, rounded = backend.floats(options.engine, multiplier), bias is None and dtype == _FLOAT32
    if isinstance(w, Weights) and (layers := backend.float_layers(engine)):
        return layers.layer_conv2d(multiplier, x, w, geometry, bias, dtype)
    sums: Array = engine.conv2d(multiplier, x, values, geometry, rounded=rounded)
    return sums if bias is None else backend.biased(sums, bias, -3, dtype)


def _check_bias(bias: Array | None) -> None:
    if bias is not None and bias.dtype not in (_FLOAT32, _FLOAT64):
        raise TypeError(f"bias is {bias.dtype}, expected float32 or float64")


def _checked(
    left: tuple[str, Array], right: tuple[str, Right], options: Options
) -> tuple[Array, Array, np.dtype[Any]]:
    """Both operands as float32, and the dtype of the result."""
    if options.a_quant is not None or options.b_quant is not None:
        raise TypeError(
            "a_quant or b_quant is given, but a float multiplier takes floats as they are: leave them out"
        )
    dtype = result_dtype(options.out_dtype, (_FLOAT32, _FLOAT64), _FLOAT32)
    (a_name, a), (b_name, b) = left, right
    ready = b.values if isinstance(b, Weights) else as_float32(b, b_name)
    return as_float32(a, a_name), ready, dtype

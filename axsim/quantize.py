"""Quantisation: real numbers as integers of up to 8 bits, ``clip(round_half_even(x / s) + z, qmin, qmax)``.

``s`` is the scale and ``z`` the zero point, the integer that stands for 0.0: every range includes 0, so 0.0
is exact (padding, ReLU). Affine quantisation uses all of the integer range for [min, max]; symmetric
quantisation has z = 0 and the range [-max |x|, max |x|]. The scheme is that of B. Jacob et al., "Quantization
and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, doi
10.1109/CVPR.2018.00286.

Arrays are float32 or float64: NumPy's, CuPy's or torch's. Division and rounding are done in float64.
Parameters are numbers of the host: making them from an array on a GPU waits for it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from axsim.engines.backend import accept
from axsim.engines.protocols import Array, Backend
from axsim.entrance import entrance
from axsim.quantization import (
    Float,
    QuantParams,
    affine_params,
    along,
    checked_axis,
    not_finite,
    symmetric_params,
)

__all__ = ["QuantParams", "affine", "dequantize", "quantize", "symmetric"]

Method = Literal["minmax", "percentile"]


@entrance
def affine(
    x: Any,
    bits: int = 8,
    axis: int | None = None,
    method: Method = "minmax",
    percentile: float = 99.9,
    *,
    signed: bool = False,
    name: str = "x",
) -> QuantParams:
    """Affine parameters for ``x``: its range, widened to include 0, mapped onto all ``bits``-wide integers.

    ``s = (max - min) / (2**bits - 1)``, ``z = round_half_even(qmin - min / s)``.

    Args:
        x: float array of any shape. Where it is all 0, or empty, the scale is 1.
        bits: width of the integers, up to 8.
        axis: give every index along this axis parameters of its own (output channels of weights).
        method: "minmax" takes the extremes of x; "percentile" the ``percentile``-th and the
            ``100 - percentile``-th percentile, and clips what lies beyond.
        percentile: above 50, up to 100.
        signed: integers from -2**(bits - 1) to 2**(bits - 1) - 1 (int8) instead of 0 to 2**bits - 1 (uint8).
        name: what messages call x.

    Raises:
        TypeError: x is not an array of float32 or float64.
        ValueError: x holds NaN or infinity, or another argument is out of range.

    >>> x = np.array([-2.0, 0.0, 1.0, 13.9375])
    >>> params = affine(x)
    >>> float(params.scale), int(params.zero_point), quantize(x, params).tolist()
    (0.0625, 32, [0, 32, 48, 255])
    """
    accepted = accept(**{name: x})
    with accepted.context:
        low, high = _range(name, accepted.arrays[0], accepted.backend, axis, method, percentile)
    return affine_params(low, high, bits, signed=signed, axis=axis)


@entrance
def symmetric(
    x: Any,
    bits: int = 8,
    axis: int | None = None,
    method: Method = "minmax",
    percentile: float = 99.9,
    *,
    name: str = "x",
) -> QuantParams:
    """Symmetric parameters for ``x``: zero point 0, integers up to ``2**(bits - 1) - 1`` in magnitude.

    ``s = max |x| / (2**(bits - 1) - 1)``. Arguments and errors as :func:`affine`; "percentile" takes the
    ``percentile``-th percentile of ``|x|``.

    >>> params = symmetric(np.array([[1.0, -2.54], [0.0, 0.127]]), axis=0)
    >>> params.scale.tolist(), params.zero_point.tolist(), params.qmin, params.qmax
    ([0.02, 0.001], [0, 0], -127, 127)
    """
    accepted = accept(**{name: x})
    (array,), backend = accepted.arrays, accepted.backend
    _check_floats(name, array)
    with accepted.context:
        if method == "percentile":
            magnitudes = accept(x=np.abs(backend.host(array)))
            _, high = _range(name, magnitudes.arrays[0], magnitudes.backend, axis, method, percentile)
        else:
            low, high = _range(name, array, backend, axis, method, percentile)
            high = np.maximum(-low, high)
    return symmetric_params(high, bits, axis=axis)


@entrance
def quantize(x: Any, params: QuantParams, *, name: str = "x") -> Any:
    """``clip(round_half_even(x / s) + z, qmin, qmax)`` of a float array: ``params.dtype``, shaped like ``x``.

    Raises:
        TypeError: x is not an array of float32 or float64.
        ValueError: x holds NaN or infinity, or has not the channels that ``params`` is for.

    >>> quantize(np.array([0.1, 0.25, 0.75, 9.0]), QuantParams(0.5, 0, -127, 127)).tolist()
    [0, 0, 2, 18]
    """
    if not isinstance(params, QuantParams):
        raise TypeError(f"params is {params!r}, expected what affine() or symmetric() returns")
    accepted = accept(**{name: x})
    _check_floats(name, accepted.arrays[0])
    with accepted.context:
        return accepted.wrap(accepted.backend.integers(name, accepted.arrays[0], params))


@entrance
def dequantize(q: Any, params: QuantParams) -> Any:
    """``s * (q - z)`` of integers that ``params`` made: float64, shaped like ``q``.

    Raises:
        TypeError: q is not an array of ``params.dtype``.
        ValueError: q has not the channels that ``params`` is for.

    >>> dequantize(np.array([0, 50, 255], np.uint8), QuantParams(0.02, 50, 0, 255)).tolist()
    [-1.0, 0.0, 4.1]
    """
    accepted = accept(q=q)
    (array,) = accepted.arrays
    if array.dtype != params.dtype:
        raise TypeError(f"q is {array.dtype}, expected {params.dtype}, the type that params makes")
    with accepted.context:
        scale, zero = accepted.backend.constants(params)
        values = (array - along(zero, params, array, "q")) * along(scale, params, array, "q")
        return accepted.wrap(np.asarray(values) if isinstance(values, np.generic) else values)


def _range(
    name: str,
    array: Array,
    backend: Backend,
    axis: int | None,
    method: str,
    percentile: float,
) -> tuple[Float, Float]:
    """Least and greatest value in use, 0 included, in float64: () or (channels,)."""
    _check_floats(name, array)
    if method not in ("minmax", "percentile"):
        raise ValueError(f"method is {method!r}, expected 'minmax' or 'percentile'")
    if not 50 < percentile <= 100:
        raise ValueError(f"percentile is {percentile}, expected above 50 and up to 100")
    if axis is None:
        flat = array.reshape(1, -1)
    else:
        first = array.transpose(_first(array.ndim, checked_axis(name, array, axis)))
        flat = first.reshape(len(first), int(np.prod(first.shape[1:])))
    if flat.size == 0:
        low = high = np.zeros(len(flat))
    else:
        low, high = backend.row_extremes(flat)
        if not np.isfinite([low, high]).all():
            raise not_finite(name)
        if method == "percentile":
            values = backend.host(flat).astype(np.float64)
            low, high = np.percentile(values, [100 - percentile, percentile], axis=1)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return (low[0], high[0]) if axis is None else (low, high)


def _first(ndim: int, axis: int) -> list[int]:
    """The axes, that one in front."""
    return [axis, *(other for other in range(ndim) if other != axis)]


def _check_floats(name: str, array: Array) -> None:
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        raise TypeError(f"{name} is {array.dtype}, expected float32 or float64")

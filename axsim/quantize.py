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

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim._arrays import accept
from axsim.engines import NATIVE_IS_BUILT
from axsim.threads import get_num_threads

if NATIVE_IS_BUILT:
    from axsim import _native

Method = Literal["minmax", "percentile"]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuantParams:
    """How real numbers became integers: ``x ~ scale * (q - zero_point)``.

    Attributes:
        scale: float64, positive; without axes, or (channels,) if there is an ``axis``.
        zero_point: int64 of the same shape, from qmin to qmax.
        qmin, qmax: the integers in use. They decide the dtype: int8 if qmin < 0, else uint8.
        axis: the axis of the array whose entries have parameters of their own; None: one pair for all.

    Raises:
        ValueError: a scale is not a positive, finite number; a zero point or the range does not fit 8 bits;
            or the shapes differ.

    >>> QuantParams(0.5, 3, 0, 255)
    QuantParams(scale=array(0.5), zero_point=array(3), qmin=0, qmax=255, axis=None)
    """

    scale: Float
    zero_point: NDArray[np.int64]
    qmin: int
    qmax: int
    axis: int | None = None

    def __init__(
        self, scale: ArrayLike, zero_point: ArrayLike, qmin: int, qmax: int, axis: int | None = None
    ) -> None:
        scales, zeros = np.array(scale, np.float64), np.array(zero_point)
        if zeros.dtype.kind not in "iu":
            raise ValueError(f"zero_point is {zero_point!r}, expected integers")
        if scales.shape != zeros.shape or scales.ndim != (axis is not None):
            wanted = "no axes, as axis is None" if axis is None else f"one axis each, as axis={axis}"
            raise ValueError(
                f"scale has shape {scales.shape} and zero_point {zeros.shape}, expected {wanted}"
            )
        if not (np.isfinite(scales) & (scales > 0)).all():
            raise ValueError(f"scale is {scale!r}, expected positive, finite numbers")
        if not (-128 <= qmin <= 0 < qmax <= (127 if qmin < 0 else 255)):
            raise ValueError(
                f"qmin={qmin}, qmax={qmax}: expected a range in 0 to 255 or in -128 to 127, with 0"
            )
        if not ((qmin <= zeros) & (zeros <= qmax)).all():
            raise ValueError(f"zero_point is {zero_point!r}, expected {qmin} to {qmax}")
        zeros = zeros.astype(np.int64)
        scales.flags.writeable = zeros.flags.writeable = False
        for name, value in (
            ("scale", scales), ("zero_point", zeros), ("qmin", qmin), ("qmax", qmax), ("axis", axis)
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integers' dtype: int8 or uint8."""
        return np.dtype(np.int8 if self.qmin < 0 else np.uint8)


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
    (array,), _, context = accept(**{name: x})
    with context:
        low, high = _range(name, array, axis, method, percentile)
    qmin, qmax = integer_range(bits, signed)
    levels = qmax - qmin
    scale = _safe_scale(high / levels - low / levels)
    zero_point = np.clip(np.rint(qmin - low / scale), qmin, qmax).astype(np.int64)
    return QuantParams(scale, zero_point, qmin, qmax, axis)


def symmetric(
    x: Any,
    bits: int = 8,
    axis: int | None = None,
    method: Method = "minmax",
    percentile: float = 99.9,
    *,
    name: str = "x",
) -> QuantParams:
    """Symmetric parameters for ``x``: zero point 0, int8 integers up to ``2**(bits - 1) - 1`` in magnitude.

    ``s = max |x| / (2**(bits - 1) - 1)``. Arguments and errors as :func:`affine`; "percentile" takes the
    ``percentile``-th percentile of ``|x|``.

    >>> params = symmetric(np.array([[1.0, -2.54], [0.0, 0.127]]), axis=0)
    >>> params.scale.tolist(), params.zero_point.tolist(), params.qmin, params.qmax
    ([0.02, 0.001], [0, 0], -127, 127)
    """
    (array,), _, context = accept(**{name: x})
    _check_floats(name, array)
    with context:
        if method == "percentile":
            _, high = _range(name, np.abs(_on_host(array)), axis, method, percentile)
        else:
            low, high = _range(name, array, axis, method, percentile)
            high = np.maximum(-low, high)
    qmax = integer_range(bits, True)[1]
    scale = _safe_scale(high / qmax)
    return QuantParams(scale, np.zeros(scale.shape, np.int64), -qmax, qmax, axis)


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
    (array,), wrap, context = accept(**{name: x})
    _check_floats(name, array)
    if type(array) is np.ndarray:
        return wrap(_to_integers(name, array, params))
    from axsim.engines.cuda import device

    _along(params.scale, params, array, name)  # checks the number of channels
    with context:
        return wrap(device.quantised_by(name, array, params))


def dequantize(q: Any, params: QuantParams) -> Any:
    """``s * (q - z)`` of integers that ``params`` made: float64, shaped like ``q``.

    Raises:
        TypeError: q is not an array of ``params.dtype``.
        ValueError: q has not the channels that ``params`` is for.

    >>> dequantize(np.array([0, 50, 255], np.uint8), QuantParams(0.02, 50, 0, 255)).tolist()
    [-1.0, 0.0, 4.1]
    """
    (array,), wrap, context = accept(q=q)
    if array.dtype != params.dtype:
        raise TypeError(f"q is {array.dtype}, expected {params.dtype}, the type that params makes")
    scale, zero = params.scale, params.zero_point
    with context:
        if type(array) is not np.ndarray:
            from axsim.engines.cuda import device

            scale, zero = (values.reshape(scale.shape) for values in device.constants(params))
        values = (array - _along(zero, params, array, "q")) * _along(scale, params, array, "q")
        return wrap(np.asarray(values) if isinstance(values, np.generic) else values)


def to_integers_by_numpy(name: str, array: NDArray[Any], params: QuantParams) -> NDArray[Any]:
    """:func:`quantize`, in NumPy."""
    _check_finite(name, array)
    with np.errstate(over="ignore"):  # a quotient beyond float64 is clipped like any other large one
        q = np.divide(array, _along(params.scale, params, array, name), dtype=np.float64)
    q = np.rint(q, out=q if q.ndim else None)
    q = np.clip(q + _along(params.zero_point, params, array, name), params.qmin, params.qmax)
    return np.asarray(q).astype(params.dtype)


def to_integers_by_kernel(name: str, array: NDArray[Any], params: QuantParams) -> NDArray[Any]:
    """:func:`quantize`, in one pass of compiled code."""
    _along(params.scale, params, array, name)  # checks the number of channels
    if params.axis is None:
        view = 1, 1, array.size
    else:
        axis = params.axis % array.ndim
        view = math.prod(array.shape[:axis]), array.shape[axis], math.prod(array.shape[axis + 1 :])
    q = np.empty(array.shape, params.dtype)
    if not _native.quantise(
        _plain(array).reshape(view),
        params.scale.reshape(-1),
        params.zero_point.reshape(-1).astype(np.float64),
        params.qmin,
        params.qmax,
        q.view(np.uint8),
        get_num_threads(),
    ):
        raise _not_finite(name)
    return q


_to_integers = to_integers_by_kernel if NATIVE_IS_BUILT else to_integers_by_numpy


def _along(values: NDArray[Any], params: QuantParams, array: NDArray[Any], name: str) -> NDArray[Any]:
    """Per-channel values, shaped so that they broadcast along their axis of ``array``."""
    if params.axis is None:
        return values
    axis = _axis(name, array, params.axis)
    if array.shape[axis] != len(values):
        raise ValueError(
            f"{name} has shape {array.shape}, but params holds {len(values)} channels for axis {params.axis}"
        )
    return values.reshape(-1, *[1] * (array.ndim - axis - 1))


def _axis(name: str, array: NDArray[Any], axis: int) -> int:
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis is {axis}, but {name} has shape {array.shape}")
    return axis % array.ndim


def _range(
    name: str, array: NDArray[Any], axis: int | None, method: str, percentile: float
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
        first = np.moveaxis(array, _axis(name, array, axis), 0)
        flat = first.reshape(len(first), int(np.prod(first.shape[1:])))
    if flat.size == 0:
        low = high = np.zeros(len(flat))
    elif method == "minmax":
        low, high = _extremes(name, flat)
    else:
        values = _on_host(flat)
        _check_finite(name, values)
        low, high = np.percentile(values.astype(np.float64), [100 - percentile, percentile], axis=1)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    return (low[0], high[0]) if axis is None else (low, high)


def _on_host(array: Any) -> NDArray[Any]:
    """The array itself, or a copy of one on a GPU."""
    if type(array) is np.ndarray:
        return array
    from axsim.engines.cuda.arrays import to_host

    return to_host(array)


def _safe_scale(scale: Float) -> Float:
    """1 for an empty range, and never subnormal: dividing by it must not lose digits or overflow."""
    return np.where(scale == 0, 1.0, np.maximum(scale, np.finfo(np.float64).tiny))


def integer_range(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest integer of that width; ValueError for a width that is not 1 to 8."""
    if not 1 + signed <= bits <= 8:
        raise ValueError(f"bits is {bits}, expected {1 + signed} to 8")
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def _check_floats(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        raise TypeError(f"{name} is {array.dtype}, expected float32 or float64")


def _check_finite(name: str, array: NDArray[Any]) -> None:
    if array.size:
        _extremes(name, array.reshape(1, -1))


def _extremes(name: str, rows: NDArray[Any]) -> tuple[Float, Float]:
    """The least and the greatest number of each row, in float64; ValueError if one is not finite."""
    if type(rows) is not np.ndarray:
        from axsim.engines.cuda import device

        lows, highs = device.row_extremes(rows)
        finite = bool(np.isfinite([lows, highs]).all())
    elif NATIVE_IS_BUILT and len(rows) == 1:
        low, high, finite = _native.extremes(_plain(rows), get_num_threads())
        lows, highs = np.array([low]), np.array([high])
    else:  # NaN passes through min and max, so that no array of flags is needed
        lows, highs = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
        finite = bool(np.isfinite([lows, highs]).all())
    if not finite:
        raise _not_finite(name)
    return lows, highs


def _not_finite(name: str) -> ValueError:
    return ValueError(f"{name} holds NaN or infinity, which no integer stands for; clean or clip it first")


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """C-contiguous and in the byte order of the machine, as compiled code takes it."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))

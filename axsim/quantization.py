"""How real numbers become integers: values, apart from the arrays that they are for.

``x ~ scale * (q - zero_point)``. ``axsim.quantize`` makes integers by them, and says where the scheme comes
from.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axsim.arrays import as_array

Float = NDArray[np.float64]

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class QuantParams:
    """How real numbers became integers: ``x ~ scale * (q - zero_point)``.

    Attributes:
        scale: float64, positive; without axes, or (channels,) if there is an ``axis``.
        zero_point: int64 of the same shape, from qmin to qmax.
        qmin, qmax: the integers in use. They decide the dtype: uint8 if qmin is 0, int8 if both fit it, else
            int16 (a sign beside 8 bits of magnitude, -255 to 255).
        axis: the axis of the array whose entries have parameters of their own; None: one pair for all.

    Raises:
        TypeError: ``qmin``, ``qmax`` or ``axis`` is not an integer; -128.0 is none.
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
        scales = np.array(as_array("scale", scale), np.float64)
        zeros = np.array(as_array("zero_point", zero_point))
        qmin, qmax = whole("qmin", qmin), whole("qmax", qmax)
        axis = None if axis is None else whole("axis", axis)
        if zeros.dtype.kind not in "iu":
            raise ValueError(f"zero_point is {zero_point!r}, expected integers")
        if scales.shape != zeros.shape or scales.ndim != (axis is not None):
            wanted = "no axes, as axis is None" if axis is None else f"one axis each, as axis={axis}"
            raise ValueError(
                f"scale has shape {scales.shape} and zero_point {zeros.shape}, expected {wanted}"
            )
        if not (np.isfinite(scales) & (scales > 0)).all():
            raise ValueError(f"scale is {scale!r}, expected positive, finite numbers")
        if not -255 <= qmin <= 0 < qmax <= 255:
            raise ValueError(f"qmin={qmin}, qmax={qmax}: expected a range in -255 to 255, with 0")
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
        """The integers' dtype: uint8, int8 or int16."""
        return integer_dtype(self.qmin, self.qmax)


@dataclass(frozen=True)
class Rule:
    """How a float operand is quantised by its own range; beside it stand ``QuantParams``, which are given.

    Attributes:
        centred: the zero point is 0, as ``axsim.quantize.symmetric`` makes it; else as ``affine`` does.
        qmin, qmax: the integers in use, as in ``QuantParams``.
        bits: their width.
    """

    centred: bool
    qmin: int
    qmax: int
    bits: int

    @classmethod
    def affine(cls, bits: int, *, signed: bool) -> Rule:
        """As ``axsim.quantize.affine``."""
        return cls(False, *integer_range(bits, signed), bits)

    @classmethod
    def symmetric(cls, bits: int) -> Rule:
        """As ``axsim.quantize.symmetric``."""
        qmax = symmetric_limit(bits)
        return cls(True, -qmax, qmax, bits)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integers' dtype: uint8, int8 or int16."""
        return integer_dtype(self.qmin, self.qmax)

    def numbers(self, low: float, high: float) -> tuple[float, int]:
        """Scale and zero point for numbers from ``low`` to ``high``, those of ``affine`` or ``symmetric``.

        >>> Rule.affine(8, signed=False).numbers(-2.0, 13.9375), Rule.symmetric(9).numbers(-2.0, 0.5)
        ((0.0625, 32), (0.00784313725490196, 0))
        """
        low, high = min(low, 0.0), max(high, 0.0)
        levels = self.qmax - self.qmin
        scale = max(-low, high) / self.qmax if self.centred else high / levels - low / levels
        scale = max(scale, _TINY) if scale else 1.0
        if self.centred:
            return scale, 0
        return scale, min(max(round(self.qmin - low / scale), self.qmin), self.qmax)

    def params(self, low: float, high: float) -> QuantParams:
        """The parameters for numbers from ``low`` to ``high``."""
        return QuantParams(*self.numbers(low, high), self.qmin, self.qmax)


def affine_params(low: Float, high: Float, bits: int, *, signed: bool, axis: int | None) -> QuantParams:
    """The range from ``low`` to ``high``, which holds 0, on all ``bits``-wide integers.

    Args:
        low, high: float64, without axes, or (channels,) if there is an ``axis``.
        bits, signed: as for ``integer_range``.
        axis: as ``QuantParams.axis``.

    >>> params = affine_params(np.array(-2.0), np.array(13.9375), 8, signed=False, axis=None)
    >>> float(params.scale), int(params.zero_point)
    (0.0625, 32)
    """
    qmin, qmax = integer_range(bits, signed)
    levels = qmax - qmin
    scale = _safe_scale(high / levels - low / levels)
    zero_point = np.clip(np.rint(qmin - low / scale), qmin, qmax).astype(np.int64)
    return QuantParams(scale, zero_point, qmin, qmax, axis)


def symmetric_params(magnitude: Float, bits: int, *, axis: int | None) -> QuantParams:
    """The range from ``-magnitude`` to ``magnitude`` with 0 in the middle; arguments as ``affine_params``."""
    qmax = symmetric_limit(bits)
    scale = _safe_scale(magnitude / qmax)
    return QuantParams(scale, np.zeros(scale.shape, np.int64), -qmax, qmax, axis)


def along(values: NDArray[Any], params: QuantParams, array: Any, name: str) -> NDArray[Any]:
    """Values of ``params``, per channel, shaped so that they broadcast along their axis of ``array``.

    Raises:
        ValueError: the array, called ``name``, has not the channels that ``params`` is for.
    """
    if params.axis is None:
        return values
    axis = checked_axis(name, array, params.axis)
    if array.shape[axis] != len(values):
        raise ValueError(
            f"{name} has shape {array.shape}, but params holds {len(values)} channels for axis {params.axis}"
        )
    return values.reshape(-1, *[1] * (array.ndim - axis - 1))


def checked_axis(name: str, array: Any, axis: int) -> int:
    """The axis, counted from the front; ValueError if the array, called ``name``, has it not."""
    axis = whole("axis", axis)
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis is {axis}, but {name} has shape {array.shape}")
    return axis % int(array.ndim)


def whole(name: str, value: Any) -> int:
    """The argument ``name`` as an int.

    Raises:
        TypeError: it is not an integer.

    >>> whole("bits", np.int64(8))
    8
    """
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an integer") from None


def not_finite(name: str) -> ValueError:
    """The error for floats that cannot be quantised."""
    return ValueError(f"{name} holds NaN or infinity, which no integer stands for; clean or clip it first")


def integer_range(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest integer of that width; ValueError for a width that is not 1 to 8."""
    bits = whole("bits", bits)
    if not 1 + signed <= bits <= 8:
        raise ValueError(f"bits is {bits}, expected {1 + signed} to 8")
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def symmetric_limit(bits: int) -> int:
    """The greatest magnitude of so many bits, one of them the sign; ValueError for other than 2 to 9."""
    bits = whole("bits", bits)
    if not 2 <= bits <= 9:
        raise ValueError(f"bits is {bits}, expected 2 to 9: a sign and up to 8 bits of magnitude")
    return (1 << (bits - 1)) - 1


def integer_dtype(qmin: int, qmax: int) -> np.dtype[Any]:
    """The dtype of integers of a range in -255 to 255: uint8, int8 or int16."""
    return np.dtype(np.uint8 if qmin == 0 else np.int8 if qmin >= -128 and qmax <= 127 else np.int16)


def _safe_scale(scale: Float) -> Float:
    """1 for an empty range, and never subnormal: dividing by it must not lose digits or overflow."""
    return np.where(scale == 0, 1.0, np.maximum(scale, _TINY))

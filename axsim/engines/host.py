"""What an operation needs besides sums, for arrays in main memory; ``cuda.device`` is the same for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from axsim.engines import Engine, Sums, select
from axsim.engines.options import Rule
from axsim.engines.planner import Plan, Subject, Work, choose, plan
from axsim.quantize import QuantParams, affine, quantize, symmetric

__all__ = ["Place", "Quantised", "Unquantised", "choose", "extremes", "plan", "quantised", "select"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Unquantised:
    """A float operand, its name for messages, and what it is quantised by."""

    name: str
    values: Array
    by: Rule | QuantParams


@dataclass(frozen=True)
class Quantised:
    """Integers that stand for floats: ``x ~ scale * (values - zero)``.

    Attributes:
        values: uint8 or int8.
        scale: float64, without axes or (channels,).
        zero: the zero point, int64 of the same shape; None where it is known to be 0.
        zero_byte: the byte that stands for 0.0; of no meaning where there are channels.
    """

    values: Array
    scale: Array
    zero: Array | None
    zero_byte: Any


class Place(Protocol):
    """Where arrays are: a module of these functions."""

    def quantised(self, operands: Sequence[Unquantised], bias: Array | None) -> list[Quantised]:
        """The operands, quantised.

        Raises:
            ValueError: an operand or ``bias`` holds NaN or infinity.
        """

    def extremes(self, *arrays: Array) -> list[tuple[int, int]]:
        """The least and the greatest integer of each array; (0, 0) for an empty one."""

    def select(self, name: str) -> Engine:
        """The engine called ``name`` that looks products up."""

    def choose(self, name: str, work: Work, subject: Subject) -> Sums:
        """The engine called ``name``, ready for the subject's table."""

    def plan(self, name: str, work: Work, subject: Subject) -> Plan:
        """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""


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
    zero = params.zero_point if params.zero_point.any() else None
    zero_byte = 0 if params.axis is not None else int(params.zero_point) & 255
    return Quantised(quantize(x, params, name=name), params.scale, zero, zero_byte)

"""Where the arrays of an operation are, and what that place offers besides the engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from axsim.engines import Engine, Sums
from axsim.engines.geometry import Geometry
from axsim.engines.options import Rule
from axsim.engines.planner import Plan, Subject, Work
from axsim.quantize import QuantParams

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
    zero: NDArray[np.int64] | None
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

    def scaled_lookup(self, products: Array, a: Quantised, b: Quantised, dtype: np.dtype[Any]) -> Array:
        """Products of ``a`` and ``b``, element by element, as real numbers."""

    def scaled_gemm(self, sums: Array, a: Quantised, b: Quantised, dtype: np.dtype[Any]) -> Array:
        """Sums (..., M, N) as real numbers; ``b`` may have N channels."""

    def scaled_conv2d(
        self,
        sums: Array,
        x: Quantised,
        w: Quantised,
        geometry: Geometry,
        bias: Array | None,
        dtype: np.dtype[Any],
    ) -> Array:
        """Sums (N, O, OH, OW), and ``bias`` (O,), as real numbers; ``w`` may have O channels."""

    def biased(self, sums: Array, bias: Array, dtype: np.dtype[Any]) -> Array:
        """float64 sums (N, O, OH, OW), which may be written to, and ``bias`` (O,), rounded to ``dtype``."""

    def converted(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Floats as ``dtype``."""

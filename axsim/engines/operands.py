"""Operands of an engine that stand for real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.quantization import QuantParams, Rule

Array = NDArray[Any]


@dataclass(frozen=True)
class Unquantized:
    """A float operand, its name for messages, and what it is quantised by."""

    name: str
    values: Array
    by: Rule | QuantParams


@dataclass(frozen=True)
class Quantized:
    """Integers that stand for floats: ``x ~ scale * (values - zero)``.

    Attributes:
        values: uint8, int8 or int16.
        scale: float64, without axes or (channels,).
        zero: the zero point, int64 of the same shape; None where it is known to be 0.
        pad: the operand that stands for 0.0, as engines take it: its byte, or for int16 itself; of no meaning
            where there are channels.
    """

    values: Array
    scale: Array
    zero: NDArray[np.int64] | None
    pad: Any

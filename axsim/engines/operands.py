"""Operands of an engine that stand for real numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from axsim.quantization import QuantParams, Rule

Array = NDArray[Any]
T = TypeVar("T")


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
        kept: what engines made of the integers, which never change.
    """

    values: Array
    scale: Array
    zero: NDArray[np.int64] | None
    pad: Any
    kept: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once for ``key``; of threads that make it at once, one is believed."""
        found: T | None = self.kept.get(key)
        return self.kept.setdefault(key, make()) if found is None else found

"""A right operand where the arrays are, and what is kept of it from call to call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from axsim.engines.operands import Quantized

T = TypeVar("T")


class Shaped:
    """What has ``values``, and so their shape."""

    values: NDArray[Any]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of ``values``."""
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Of ``values``."""
        return self.values.shape

    @property
    def ndim(self) -> int:
        """The number of axes of ``values``."""
        return self.values.ndim


@dataclass(frozen=True, eq=False)
class Weights(Shaped):
    """The right operand of products.

    Attributes:
        values: uint8, int8 or int16; float32 for a float multiplier. They never change.
        quantized: what integers stand for; None where they are themselves.
        source: the type of the floats that integers were made of, if they were.
        kept: what engines made of them.
    """

    values: NDArray[Any]
    quantized: Quantized | None = None
    source: np.dtype[Any] | None = None
    kept: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def keep(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once for ``key``; of threads that make it at once, one is believed."""
        found: T | None = self.kept.get(key)
        return self.kept.setdefault(key, make()) if found is None else found

    def column(self) -> Weights:
        """A vector as a matrix of one column; made once."""
        return self.keep("column", self._column)

    def _column(self) -> Weights:
        values, quantized = self.values[:, None], self.quantized
        if quantized is not None:
            quantized = replace(quantized, values=values, kept={})
        return Weights(values, quantized, self.source)

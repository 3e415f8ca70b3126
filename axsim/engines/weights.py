"""A right operand where the arrays are, and what is kept of it from call to call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.operands import Quantized


@dataclass(frozen=True, eq=False)
class Weights:
    """The right operand of products.

    Attributes:
        values: uint8, int8 or int16; float32 for a float multiplier. They never change.
        quantized: what integers stand for; None where they are themselves.
        source: the type of the floats that integers were made of, if they were.
    """

    values: NDArray[Any]
    quantized: Quantized | None = None
    source: np.dtype[Any] | None = None
    _columns: list[Weights] = field(default_factory=list, repr=False)

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
        """The number of axes."""
        return self.values.ndim

    def column(self) -> Weights:
        """A vector as a matrix of one column; made once."""
        if not self._columns:
            values, quantized = self.values[:, None], self.quantized
            if quantized is not None:
                quantized = replace(quantized, values=values, kept={})
            self._columns.append(Weights(values, quantized, self.source))
        return self._columns[0]

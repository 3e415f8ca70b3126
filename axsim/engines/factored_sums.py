"""The factored engine for one table, called as the engines that look products up are."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.factored_table import FactoredTable
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class FactoredSums:
    """``axsim.engines.protocols.Sums`` by a factored engine.

    Attributes:
        engine: the module ``axsim.engines.cpu.factored``, or ``axsim.engines.gpu.factored``.
        table: what it multiplies by.
        compute_type: what its products are made in.
    """

    engine: ModuleType
    table: FactoredTable
    compute_type: str

    def gemm(self, table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
        """As ``axsim.engines.cpu.reference.gemm``."""
        sums: NDArray[Any] = self.engine.gemm(self.table, a, b, accumulator, self.compute_type)
        return sums

    def conv2d(
        self,
        table: FoldedTable,
        x: Bytes,
        w: Bytes,
        geometry: Geometry,
        pad_byte: Any,
        accumulator: DTypeLike,
    ) -> NDArray[Any]:
        """As ``axsim.engines.cpu.reference.conv2d``."""
        sums: NDArray[Any] = self.engine.conv2d(
            self.table, x, w, geometry, pad_byte, accumulator, self.compute_type
        )
        return sums

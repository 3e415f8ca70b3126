"""The factored engine for one table, called as the engines that look products up are."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.factored_table import FactoredTable
from axsim.engines.forms.folded import FoldedTable
from axsim.engines.forms.signs import is_signed, signs_of, summed
from axsim.engines.protocols import Engine
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class FactoredSums:
    """``axsim.engines.protocols.Sums`` by a factored engine.

    Attributes:
        engine: the module ``axsim.engines.cpu.factored``, or ``axsim.engines.gpu.factored``.
        table: what it multiplies by.
        compute_type: what its products are made in.
        looked_up: the engine for variants of the table, which have other factors or none.

    Operands whose sign stands beside their magnitude are multiplied as they are by the compiled kernels; for
    the other types they are taken apart.
    """

    engine: ModuleType
    table: FactoredTable
    compute_type: str
    looked_up: Engine

    def gemm(self, table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
        """As ``axsim.engines.cpu.reference.gemm``."""
        if is_signed(a, b) and not self._takes_signs(a, b):
            return summed(lambda table, a, b, _: self.gemm(table, a, b, accumulator), table, a, b)
        if table.is_variant:
            return self.looked_up.gemm(table, a, b, accumulator)
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
        if is_signed(x, w) and not self._takes_signs(x, w):
            return summed(
                lambda table, x, w, pad: self.conv2d(table, x, w, geometry, pad, accumulator),
                table,
                x,
                w,
                pad_byte,
            )
        if table.is_variant:
            return self.looked_up.conv2d(table, x, w, geometry, pad_byte, accumulator)
        sums: NDArray[Any] = self.engine.conv2d(
            self.table, x, w, geometry, pad_byte, accumulator, self.compute_type
        )
        return sums

    def _takes_signs(self, a: NDArray[Any], b: NDArray[Any]) -> bool:
        return (
            self.compute_type == "native" and self.table.native_form(signs_of(a.dtype, b.dtype)) is not None
        )

"""Engines: ways of computing sums of table entries. All give identical integers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines import reference
from axsim.engines.fold import FoldedTable
from axsim.engines.geometry import Geometry

ENGINES = ("native", "factored", "reference")
NATIVE_IS_BUILT = find_spec("axsim._native") is not None

Bytes = NDArray[np.uint8]


class Sums(Protocol):
    """Sums of table entries; see ``reference`` for shapes."""

    def gemm(self, table: FoldedTable, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]: ...
    def conv2d(
        self,
        table: FoldedTable,
        x: Bytes,
        w: Bytes,
        geometry: Geometry,
        pad_byte: Any,
        accumulator: DTypeLike,
    ) -> NDArray[Any]: ...


class Engine(Sums, Protocol):
    """What an engine that looks products up provides, a module: sums, and single products."""

    def lookup(self, table: FoldedTable, a: Bytes, b: Bytes) -> NDArray[np.int32]: ...


def select(name: str = "auto") -> Engine:
    """The engine called ``name`` that looks products up; "auto" is the native one where it was built, else
    the reference. ``axsim.engines.planner`` chooses among all engines.

    Raises:
        ValueError: no engine has that name, it was not built, or it does not look products up.
    """
    if name == "auto":
        name = "native" if NATIVE_IS_BUILT else "reference"
    if name == "reference":
        return reference
    if name == "factored":
        raise ValueError(
            "engine is 'factored', which makes matrix products and convolutions of integer multipliers only; "
            "expected auto, native or reference"
        )
    if name == "gather":
        raise ValueError(
            "engine is 'gather', which works on a GPU, but the arrays are in main memory; expected auto, "
            f"{', '.join(ENGINES)}"
        )
    if name != "native":
        raise ValueError(f"engine is {name!r}, expected one of auto, {', '.join(ENGINES)}")
    if not NATIVE_IS_BUILT:
        raise ValueError(
            "engine is 'native', but axsim was installed without its compiled module axsim._native"
        )
    from axsim.engines import native

    return native

"""What engines and backends provide. Both are modules."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim.engines.forms.folded import FoldedTable
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.plan import Plan, Subject
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.engines.weights import Weights
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.quantization import QuantParams

Array = NDArray[Any]
Bytes = NDArray[np.uint8]
Float = NDArray[np.float64]


class Sums(Protocol):
    """Sums of table entries; see ``axsim.engines.cpu.reference`` for shapes."""

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


class Layers(Protocol):
    """Whole calls with prepared weights; see ``axsim.engines.cpu.layers``."""

    def gemm(self, a: Array, b: Weights, accumulator: np.dtype[Any]) -> Array: ...
    def conv2d(self, x: Array, w: Weights, geometry: Geometry, accumulator: np.dtype[Any]) -> Array: ...
    def float_gemm(self, a: Unquantized, b: Weights, bias: Array | None) -> Array: ...
    def float_conv2d(self, a: Unquantized, w: Weights, geometry: Geometry, bias: Array | None) -> Array: ...


class FloatEngine(Protocol):
    """What an engine for float multipliers provides; see ``axsim.engines.cpu.float_reference``."""

    def multiply(self, multiplier: FloatMultiplier, a: Array, b: Array) -> Array: ...
    def gemm(self, multiplier: FloatMultiplier, a: Array, b: Array, *, rounded: bool = True) -> Array: ...
    def conv2d(
        self, multiplier: FloatMultiplier, x: Array, w: Array, geometry: Geometry, *, rounded: bool = True
    ) -> Array: ...


class FloatLayers(Protocol):
    """Whole calls with prepared weights; see ``axsim.engines.cpu.float_native``."""

    def layer_gemm(
        self, multiplier: FloatMultiplier, a: Array, b: Weights, bias: Array | None, dtype: np.dtype[Any]
    ) -> Array: ...
    def layer_conv2d(
        self,
        multiplier: FloatMultiplier,
        x: Array,
        w: Weights,
        geometry: Geometry,
        bias: Array | None,
        dtype: np.dtype[Any],
    ) -> Array: ...


class Backend(Protocol):
    """Where arrays are, and what that place offers: a module of these functions."""

    def quantized(self, operands: Sequence[Unquantized], bias: Array | None) -> list[Quantized]:
        """The operands, quantised.

        Raises:
            ValueError: an operand or ``bias`` holds NaN or infinity.
        """

    def integers(self, name: str, array: Array, params: QuantParams) -> Array:
        """A float array as the integers that ``params`` makes of it.

        Raises:
            ValueError: the array, called ``name``, holds NaN or infinity.
        """

    def row_extremes(self, rows: Array) -> tuple[Float, Float]:
        """The least and the greatest float of each row, float64 of the host; NaN where there is one."""

    def place(self) -> Hashable:
        """What tells the places apart that arrays of this backend can be in: the current device."""

    def array(self, host: Array, owner: object) -> Array:
        """A read-only NumPy array beside the others: itself, or a copy that is kept while ``owner`` lives."""

    def described(self, values: Array, params: QuantParams) -> Quantized:
        """Integers that ``params`` made, with what they stand for."""

    def host(self, array: Array) -> Array:
        """The array in main memory."""

    def constants(self, params: QuantParams) -> tuple[Array, Array]:
        """Scale and zero point beside the arrays, of the shapes that ``params`` has."""

    def extremes(self, *arrays: Array) -> list[tuple[int, int]]:
        """The least and the greatest integer of each array; (0, 0) for an empty one."""

    def select(self, name: str) -> Engine:
        """The engine called ``name`` that looks products up."""

    def floats(self, name: str, multiplier: FloatMultiplier) -> FloatEngine:
        """The engine called ``name`` for a float multiplier; for "auto" one that has a kernel."""

    def float_layers(self, engine: FloatEngine) -> FloatLayers | None:
        """What carries whole calls out at once by that engine, for one right matrix or for filters; None if
        nothing does."""

    def choose(self, name: str, work: Work, subject: Subject) -> Sums:
        """The engine called ``name``, ready for the subject's table."""

    def plan(self, name: str, work: Work, subject: Subject) -> Plan:
        """What ``choose("auto", ...)`` does for the multiplier called ``name``, and why."""

    def layers(self, engine: Sums, subject: Subject) -> Layers | None:
        """What carries whole calls out at once by that engine, for one right matrix or for filters: integers
        to sums, or float32 to float32; None if nothing does."""

    def scaled_lookup(self, products: Array, a: Quantized, b: Quantized, dtype: np.dtype[Any]) -> Array:
        """Products of ``a`` and ``b``, element by element, as real numbers."""

    def scaled_gemm(
        self, sums: Array, a: Quantized, b: Quantized, bias: Array | None, dtype: np.dtype[Any]
    ) -> Array:
        """Sums (..., M, N), and ``bias`` (N,), as real numbers; ``b`` may have N channels."""

    def scaled_conv2d(
        self,
        sums: Array,
        x: Quantized,
        w: Quantized,
        geometry: Geometry,
        bias: Array | None,
        dtype: np.dtype[Any],
    ) -> Array:
        """Sums (N, O, OH, OW), and ``bias`` (O,), as real numbers; ``w`` may have O channels."""

    def biased(self, sums: Array, bias: Array, axis: int, dtype: np.dtype[Any]) -> Array:
        """float64 sums, which may be written to, and a bias along one axis, counted from the end, rounded to
        ``dtype``."""

    def converted(self, values: Array, dtype: np.dtype[Any]) -> Array:
        """Floats as ``dtype``."""

"""Whole calls with weights that are prepared, in one compiled call each.

Integers in, sums out; or float32 activations in, float32 results out. The numbers are those of the parts:
quantised (``quantize``), summed (``native`` or ``factored``), scaled (``epilogue``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim import _native
from axsim.engines.cpu import factored_native, native
from axsim.engines.factored_sums import FactoredSums
from axsim.engines.forms.signs import SIGNED
from axsim.engines.operands import Quantized, Unquantized
from axsim.engines.plan import Subject
from axsim.engines.protocols import Sums
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.weights import Weights
from axsim.quantization import QuantParams, not_finite
from axsim.threads import get_num_threads

Array = NDArray[Any]


@dataclass(frozen=True)
class PreparedSums:
    """``axsim.engines.protocols.Layers`` by one engine.

    Attributes:
        key: what tells its weights from those of other engines, tables and signs.
        pack: a right operand, uint8 or int16, and its groups, made ready for the engine.
    """

    key: Hashable
    pack: Callable[[Array, int], _native.Weights]

    def gemm(self, a: Array, b: Weights, accumulator: np.dtype[Any]) -> Array:
        """``a @ b`` of a (..., M, K), uint8 or int16, and b (K, N): sums of type ``accumulator``."""
        rows = _rows(np.ascontiguousarray(a))
        out = np.empty((len(rows), b.shape[-1]), accumulator)
        self._weights(b, 1).gemm(rows, out, get_num_threads())
        return out.reshape(*a.shape[:-1], b.shape[-1])

    def conv2d(self, x: Array, w: Weights, geometry: Geometry, accumulator: np.dtype[Any]) -> Array:
        """Cross-correlation of x (N, C, H, W), uint8 or int16, with w: sums (N, O, OH, OW)."""
        return native.conv2d_by(self._weights(w, geometry.groups), x, w.shape, geometry, 0, accumulator)

    def float_gemm(self, a: Unquantized, b: Weights, bias: Array | None) -> Array:
        """``a @ b`` of float32 a (..., M, K) and b (K, N), plus bias (N,): float32.

        Raises:
            ValueError: ``a`` or bias holds NaN or infinity.
        """
        x = _plain(a.values)
        rows = _rows(x)
        out = np.empty((len(rows), b.shape[-1]), np.float32)
        numbers = _numbers(a, x)
        if not self._layer(b, bias, 1).gemm(rows, *numbers, out, get_num_threads()):
            raise not_finite(a.name)
        return out.reshape(*x.shape[:-1], b.shape[-1])

    def float_conv2d(self, a: Unquantized, w: Weights, geometry: Geometry, bias: Array | None) -> Array:
        """Cross-correlation of float32 x (N, C, H, W) with w, plus bias (O,): float32 (N, O, OH, OW).

        Raises:
            ValueError: x or bias holds NaN or infinity.
        """
        x, kernel = _plain(a.values), (w.shape[2], w.shape[3])
        size = geometry.output_size(x.shape[2], x.shape[3], *kernel)
        out = np.empty((len(x), w.shape[0], *size), np.float32)
        pad = geometry.padding[0], geometry.padding[2]
        layer, numbers = self._layer(w, bias, geometry.groups), _numbers(a, x)
        where = kernel, geometry.stride, pad, geometry.dilation
        if not layer.conv2d(x, *numbers, out, *where, get_num_threads()):
            raise not_finite(a.name)
        return out

    def _weights(self, w: Weights, groups: int) -> _native.Weights:
        return w.keep(("packed", self.key), lambda: self.pack(operand(w.values), groups))

    def _layer(self, w: Weights, bias: Array | None, groups: int) -> _native.Layer:
        """Made once for a bias: the last bias is kept."""
        assert w.quantized is not None
        numbers = None if bias is None else np.ascontiguousarray(bias, np.float64)
        key = "layer", self.key
        found = w.kept.get(key)
        if found is None or not _same(found[0], numbers):
            if numbers is not None and not np.isfinite(numbers).all():
                raise ValueError("bias holds NaN or infinity")
            scale, zero = channels(w.quantized, w.shape[0] if w.ndim == 4 else w.shape[-1])
            layer = _native.Layer(self._weights(w, groups), w.dtype == np.int8, scale, zero, numbers)
            w.kept[key] = found = None if numbers is None else numbers.copy(), layer
        made: _native.Layer = found[1]
        return made


def prepared_sums(engine: Sums, subject: Subject) -> PreparedSums | None:
    """By that engine, for the subject's table and types; None where it has nothing of the kind."""
    signs = subject.signs
    if engine is native:
        return PreparedSums(("native", subject.folded, signs), partial(native.packed, subject.folded, signs))
    if isinstance(engine, FactoredSums) and engine.compute_type == "native":
        form = engine.table.native_form(signs)
        if form is not None:
            return PreparedSums(("factored", form), partial(factored_native.packed, form))
    return None


def _rows(a: Array) -> Array:
    """A stack of matrices below each other."""
    return a.reshape(int(np.prod(a.shape[:-1])), a.shape[-1])


def _numbers(a: Unquantized, x: Array) -> tuple[float, int, int, int]:
    """Scale, zero point, and the least and greatest integer of the left operand."""
    by = a.by
    if isinstance(by, QuantParams):
        return float(by.scale), int(by.zero_point), by.qmin, by.qmax
    found = _native.range_params(x, by.centred, by.qmin, by.qmax, get_num_threads())
    if found is None:
        raise not_finite(a.name)
    return *found, by.qmin, by.qmax


def operand(values: Array) -> Array:
    """Integers as the compiled module takes them: bytes, or int16."""
    plain = np.ascontiguousarray(values)
    return plain if plain.dtype == SIGNED else plain.view(np.uint8)


def channels(side: Quantized, count: int) -> tuple[Array, Array]:
    """Scale and zero point for each output channel, float64."""
    zero = 0 if side.zero is None else side.zero
    return tuple(np.ascontiguousarray(np.broadcast_to(x, count), np.float64) for x in (side.scale, zero))  # type: ignore[return-value]


def _same(kept: Array | None, bias: Array | None) -> bool:
    if kept is None or bias is None:
        return kept is bias
    return kept.shape == bias.shape and kept.tobytes() == bias.tobytes()


def _plain(x: Array) -> Array:
    return np.ascontiguousarray(x, np.float32)

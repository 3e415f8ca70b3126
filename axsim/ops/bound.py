"""Products with a prepared right operand, for layers of networks: what does not change is looked at once.

The numbers are those of ``axsim.matmul`` and ``axsim.conv2d``. Shapes are not checked, for the layers know
them; and a left operand may be quantised by a ``Rule``: by its own range, with any bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.engines.backend import accept
from axsim.engines.cpu import backend as cpu
from axsim.engines.forms.folded import fold
from axsim.engines.operands import Unquantized
from axsim.engines.plan import Subject
from axsim.engines.protocols import Layers
from axsim.engines.shapes.geometry import Geometry
from axsim.engines.shapes.work import Work
from axsim.entrance import computing
from axsim.multipliers import Multiplier
from axsim.once import Kept
from axsim.ops import integer
from axsim.ops.operations import kind_of
from axsim.ops.options import Options
from axsim.ops.prepared import Prepared
from axsim.quantization import QuantParams, Rule

Array = NDArray[Any]
By = QuantParams | Rule | None

_FLOAT32 = np.dtype(np.float32)


class Bound:
    """A prepared right operand, and for ``conv2d`` where the windows lie.

    Args:
        prepared: what ``axsim.prepare`` made: for ``matmul`` of two axes or more.
        geometry: of a convolution; None for a matrix product.
    """

    def __init__(self, prepared: Prepared, geometry: Geometry | None = None) -> None:
        self.prepared, self.geometry = prepared, geometry
        self._layers: Kept[Layers | None] = Kept(32)

    @computing
    def __call__(self, x: Any, bias: Any, by: By, out_dtype: Any = None) -> Any:
        """The product of ``x`` and the right operand, plus ``bias``.

        Args:
            x: NumPy or CuPy array, or torch tensor: (..., M, K), or (N, C, H, W). Floats; or integers, if
                such were prepared.
            bias: beside x, (N,) or (O,); or None.
            by: how x is quantised; None for a float multiplier, and for integers.
            out_dtype: as for ``axsim.matmul``.

        Raises:
            ValueError: x or bias holds NaN or infinity, and is to be quantised.
        """
        if type(x) is np.ndarray and x.dtype == _FLOAT32 and out_dtype is None and by is not None:
            key = x.shape, by.qmin, by.qmax
            found = self._layers.get(key, lambda: self._whole(x, by))
            if found is not None:
                return self._through(found, Unquantized("x", x, by), bias)
        accepted = accept(x=x) if bias is None else accept(x=x, bias=bias)
        arrays = accepted.arrays
        with accepted.context:
            weights = self.prepared.on(accepted.backend)
            bias = None if bias is None else arrays[1]
            multiplier: Any = self.prepared.multiplier
            kind = kind_of(multiplier, arrays[0], weights)
            options = Options(by, None, out_dtype)
            if self.geometry is None:
                out = kind.matmul(accepted.backend, multiplier, arrays[0], weights, bias, options)
            else:
                out = kind.conv2d(
                    accepted.backend, multiplier, arrays[0], weights, bias, self.geometry, options
                )
            return accepted.wrap(out)

    def _through(self, layers: Layers, x: Unquantized, bias: Array | None) -> Array:
        weights = self.prepared.on(cpu)
        if self.geometry is None:
            return layers.float_gemm(x, weights, bias)
        return layers.float_conv2d(x, weights, self.geometry, bias)

    def _whole(self, x: Array, by: QuantParams | Rule) -> Layers | None:
        """What carries the whole call out at once for operands of that shape; None where nothing does."""
        multiplier, weights = self.prepared.multiplier, self.prepared.on(cpu)
        if not isinstance(multiplier, Multiplier) or multiplier.is_wide or weights.quantized is None:
            return None
        if not x.size or not weights.values.size or weights.ndim != (2 if self.geometry is None else 4):
            return None
        folded = fold(multiplier.table, by.dtype, weights.dtype)
        integer.check_range("by", by, folded.a_limits, multiplier)
        subject = Subject(multiplier.table, folded, by.dtype, weights.dtype, multiplier.name)
        if self.geometry is None:
            work = Work.of_gemm(x.shape, weights.shape)
        else:
            work = Work.of_conv2d(x.shape, weights.shape, self.geometry)
        return cpu.layers(cpu.choose("auto", work, subject), subject)

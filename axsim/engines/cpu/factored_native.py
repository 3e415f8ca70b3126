"""The factored engine's compiled product: kernels expand operand bytes where they read them.

Same shapes and results as ``axsim.engines.cpu.native``.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import DTypeLike, NDArray

from axsim import _native
from axsim.engines.cpu import native
from axsim.engines.forms.integer_form import IntegerForm
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]

_laid_out: WeakKeyDictionary[IntegerForm, _native.Factors] = WeakKeyDictionary()


def gemm(form: IntegerForm, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
    """As ``native.gemm``, through a table's factors."""
    return native.gemm_with(partial(_native.factored_gemm, _factors(form)), a, b, accumulator)


def conv2d(
    form: IntegerForm, x: Bytes, w: Bytes, geometry: Geometry, pad_byte: int, accumulator: DTypeLike
) -> NDArray[Any]:
    """As ``native.conv2d``, through a table's factors."""
    kernel = partial(_native.factored_conv2d, _factors(form))
    return native.conv2d_with(kernel, x, w, geometry, pad_byte, accumulator)


def _factors(form: IntegerForm) -> _native.Factors:
    factors = _laid_out.get(form)
    if factors is None:
        parts = [_native.FactorsPart(p.left, p.right, p.shift, p.depth, p.bytes) for p in form.parts]
        factors = _laid_out[form] = _native.Factors(parts, form.left_sums, form.right_sums, form.byte_sums)
    return factors

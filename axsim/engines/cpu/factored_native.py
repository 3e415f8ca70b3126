"""The factored engine's compiled product: kernels expand operands where they read them.

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
from axsim.engines.forms.signs import is_signed
from axsim.engines.shapes.geometry import Geometry

Bytes = NDArray[np.uint8]
Array = NDArray[Any]

_laid_out: WeakKeyDictionary[IntegerForm, _native.Factors] = WeakKeyDictionary()


def gemm(form: IntegerForm, a: Bytes, b: Bytes, accumulator: DTypeLike) -> NDArray[Any]:
    """As ``native.gemm``, through a table's factors; the form is that for the operands' signs."""
    if is_signed(a, b):
        return native.gemm_by(partial(packed, form, groups=1), a, b, accumulator)
    return native.gemm_with(partial(_native.factored_gemm, _factors(form)), a, b, accumulator)


def conv2d(
    form: IntegerForm, x: Bytes, w: Bytes, geometry: Geometry, pad_byte: int, accumulator: DTypeLike
) -> NDArray[Any]:
    """As ``native.conv2d``, through a table's factors; the form is that for the operands' signs."""
    if is_signed(x, w):
        return native.conv2d_by(packed(form, w, geometry.groups), x, w.shape, geometry, pad_byte, accumulator)
    kernel = partial(_native.factored_conv2d, _factors(form))
    return native.conv2d_with(kernel, x, w, geometry, pad_byte, accumulator)


def packed(form: IntegerForm, w: Array, groups: int) -> _native.Weights:
    """A right operand, uint8 or int16 as the form is for, to be multiplied with its factors."""
    return _native.FactoredWeights(_factors(form), np.ascontiguousarray(w), groups)


def _factors(form: IntegerForm) -> _native.Factors:
    factors = _laid_out.get(form)
    if factors is None:
        parts = [_native.FactorsPart(p.left, p.right, p.shift, p.depth, p.bytes) for p in form.parts]
        sums = form.left_sums, form.right_sums
        factors = _laid_out[form] = _native.Factors(parts, *sums, form.byte_sums, form.largest)
    return factors

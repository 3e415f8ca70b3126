"""Gradients from the multiplier's own table: its smoothed differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axsim.nn.geometry import Conv, exact_gradients, padded
from axsim.nn.gradients.entries import Gradients, coded, refuse_second, table_gradients
from axsim.nn.gradients.layout import Integers, activations, weights
from axsim.nn.gradients.rule import KINDS, Product
from axsim.nn.gradients.ste import kept
from axsim.quantization import QuantParams, whole
from axsim.tables import ProductTable
from axsim.tables.differences import differences, products, slopes

Doubles = NDArray[np.float64]
Range = tuple[int, int]


@dataclass(frozen=True)
class _Windowed:
    """What both rules are set by."""

    window: int = 16
    clip: bool = True

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if whole("window", self.window) < 0:
            raise ValueError(f"window is {self.window}, expected 0 or more neighbours on either side")
        if not isinstance(self.clip, bool):
            raise ValueError(f"clip is {self.clip!r}, expected True or False")

    @property
    def name(self) -> str:
        """As in "difference2d(16)"."""
        return f"{self.kind}({self.window}{'' if self.clip else ',clip=False'})"


@dataclass(frozen=True)
class Difference2D(_Windowed):
    """The table's smoothed differences in both operands, looked up for each product: LUT-2D.

    C. Meng, W. Burleson, G. De Micheli, "Gradient Estimation Methods of Approximate Multipliers for
    High-Accuracy Retraining of Deep Learning Models", arXiv:2509.10519. ``axsim.tables.differences`` has the
    formula, and says what stands at the borders of a table; lines run over the integers that the operands'
    quantisation uses. For an exact multiplier the differences are the other operand as it was quantised.

    Attributes:
        window: half window size: ``2 * window + 1`` neighbours are averaged before differences are taken.
        clip: as for ``STE``.

    Raises:
        TypeError: ``window`` is not an integer. When it is used: the multiplier is one of floats.
        ValueError: ``window`` is negative.

    >>> Difference2D().name, Difference2D(4, clip=False).name
    ('difference2d(16)', 'difference2d(4,clip=False)')
    """

    kind: ClassVar[str] = "difference2d"

    def gradients(self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]) -> Gradients:
        """As ``GradientRule.gradients``; they cannot be differentiated again."""
        multiplier, left, right = coded(self.name, product)
        refuse_second(self.name, upstream, product.x, product.w)
        found = _differences(multiplier.table, _range(left), _range(right), self.window)
        return table_gradients(upstream, product, wanted, found, self.clip)


@dataclass(frozen=True)
class Difference1D(_Windowed):
    """The slope of the table in one operand, averaged over it: LUT-1D. Two exact products.

    What the products of a weight rise by, on average, stands in the weight's place in the gradient of the
    activations, and what those of an activation rise by in the activation's place in that of the weights.
    Averaged are the differences of ``Difference2D``, over the integers that the operand's quantisation uses.

    Attributes, raises:
        as for ``Difference2D``.

    >>> Difference1D().name
    'difference1d(16)'
    """

    kind: ClassVar[str] = "difference1d"

    def gradients(self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]) -> Gradients:
        """As ``GradientRule.gradients``; they cannot be differentiated again."""
        multiplier, left, right = coded(self.name, product)
        refuse_second(self.name, upstream, product.x, product.w)
        of_weights, of_activations = _slopes(multiplier.table, _range(left), _range(right), self.window)
        x, w, geometry = product.x, product.w, product.geometry
        of_x = of_w = None
        if wanted[0]:
            stand_in = _in_place_of(w, weights(product), of_weights)
            of_x = exact_gradients(upstream, x, stand_in, geometry, (True, False))[0]
            if of_x is not None and self.clip and product.clips:
                of_x = of_x * kept(x, left)
        if wanted[1]:
            stand_in = _in_place_of(x, activations(product), of_activations)
            if isinstance(geometry, Conv):
                zero = int(left.zero_point)
                outside = float(left.scale) * float(of_activations[zero - left.qmin] - zero)
                if outside:
                    stand_in, geometry = padded(stand_in, geometry, outside)
            of_w = exact_gradients(upstream, stand_in, w, geometry, (False, True))[1]
        return of_x, of_w


KINDS["difference1d"] = Difference1D
KINDS["difference2d"] = Difference2D


_Tables = dict[tuple[str, Range, Range, int], tuple[Doubles, Doubles]]
_kept: WeakKeyDictionary[ProductTable, _Tables] = WeakKeyDictionary()


def _differences(table: ProductTable, left: Range, right: Range, window: int) -> tuple[Doubles, Doubles]:
    of_table = _kept.setdefault(table, {})
    key = "2d", left, right, window
    if key not in of_table:
        values = products(table, left, right)
        of_table[key] = differences(values, window, 0), differences(values, window, 1)
    return of_table[key]


def _slopes(table: ProductTable, left: Range, right: Range, window: int) -> tuple[Doubles, Doubles]:
    """In the left operand, one for each right one; and the other way round."""
    of_table = _kept.setdefault(table, {})
    key = "1d", left, right, window
    if key not in of_table:
        values = products(table, left, right)
        of_table[key] = slopes(values, window, 0), slopes(values, window, 1)
    return of_table[key]


def _range(params: QuantParams) -> Range:
    return params.qmin, params.qmax


def _in_place_of(operand: Tensor, integers: Integers, slopes: Doubles) -> Tensor:
    """What stands in an operand's place in an exact product."""
    real = integers.scale * (slopes[integers.indices] - integers.zero)
    return torch.from_numpy(np.ascontiguousarray(real)).to(operand)

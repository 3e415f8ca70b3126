"""One layer or matrix product as axsim and as torch compute it, with the same operands."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import axsim
from benchmarks.layers import Layer
from benchmarks.timing import torch_or_none

FLOAT32, INT8 = "torch float32", "torch int8"
_INPUTS = 3  # taken in turn, so that no call finds what the one before it left

Call = Callable[[], Any]
Array = NDArray[Any]


@dataclass(frozen=True)
class Operation:
    """A layer with random operands.

    Attributes:
        layer: its shape.
        inputs: several x, taken in turn.
        weights: w.
    """

    layer: Layer
    inputs: tuple[Array, ...]
    weights: Array

    @classmethod
    def random(cls, layer: Layer, batch: int, *, floats: bool, seed: int = 0) -> Operation:
        """Activations are never negative, as behind a rectifier; weights are of both signs where floats."""
        random = np.random.default_rng(seed)
        shape = layer.x_shape(batch)
        if floats:
            inputs = tuple(random.random(shape, np.float32) for _ in range(_INPUTS))
            return cls(layer, inputs, random.standard_normal(layer.w_shape, np.float32))
        inputs = tuple(random.integers(0, 256, shape, np.uint8) for _ in range(_INPUTS))
        return cls(layer, inputs, random.integers(0, 256, layer.w_shape, np.uint8))

    def through(self, mult: str, engine: str = "auto") -> Call:
        """A call that computes the layer with a multiplier; its weights are prepared before."""
        inputs, weights = itertools.cycle(self.inputs), self._prepared(mult)
        return lambda: self._through(next(inputs), weights, mult, engine=engine)

    def check(self, mult: str, engine: str = "auto") -> None:
        """Compare a part of the outputs with the reference engine's.

        Raises:
            AssertionError: an output differs.
        """
        x, w, layer = self.inputs[0], self.weights, self.layer
        out = self._through(x, self._prepared(mult), mult, engine=engine)
        options: dict[str, Any] = {"engine": "reference"}
        quantised = x.dtype == np.float32 and isinstance(axsim.get(mult), axsim.Multiplier)
        if quantised:  # a part as the whole was
            options |= {"a_quant": axsim.quantize.affine(x), "b_quant": axsim.quantize.affine(w)}
        ends = [0, -1]
        some_x, some_w = x[ends], w[ends] if layer.kernel else w[:, ends]
        if layer.groups > 1:  # the first filter has the first channels
            options["groups"] = 2
            group = len(w[0])
            some_x = np.concatenate([some_x[:, :group], some_x[:, -group:]], axis=1)
        expected = self._through(some_x, some_w, mult, **options)
        if not np.array_equal(out[ends][:, ends], expected):
            raise AssertionError(f"{layer} through {mult}, engine {engine}: not the reference's numbers")

    def exact(self) -> dict[str, Call]:
        """torch's exact layers of the same shape; none where torch is not installed."""
        if (torch := torch_or_none()) is None:
            return {}
        inputs = [torch.from_numpy(x).float() for x in self.inputs]
        weights = torch.from_numpy(self.weights).float()
        found = {FLOAT32: self._torch(torch, itertools.cycle(inputs), weights)}
        if int8 := self._torch_int8(torch):
            found[INT8] = int8
        return found

    def _prepared(self, mult: str) -> axsim.Prepared:
        operation = "conv2d" if self.layer.kernel else "matmul"
        return axsim.prepare(self.weights, mult, operation=operation, groups=self.layer.groups)

    def _through(self, x: Array, w: Array | axsim.Prepared, mult: str, **options: Any) -> Any:
        layer = self.layer
        if not layer.kernel:
            return axsim.matmul(x, w, mult, **options)
        options = {"groups": layer.groups, **options}
        return axsim.conv2d(x, w, mult, stride=layer.stride, padding=layer.padding, **options)

    def _torch(self, torch: Any, inputs: itertools.cycle[Any], weights: Any) -> Call:
        if not self.layer.kernel:
            return lambda: next(inputs) @ weights
        geometry = self.layer.stride, self.layer.padding, 1, self.layer.groups
        return lambda: torch.nn.functional.conv2d(next(inputs), weights, None, *geometry)

    def _torch_int8(self, torch: Any) -> Call | None:
        """uint8 by int8 convolution, or int8 by int8 product; None where this torch has none."""
        layer = self.layer
        if self.inputs[0].dtype != np.uint8:
            return None
        if not layer.kernel:
            left = itertools.cycle([torch.from_numpy(x.view(np.int8)) for x in self.inputs])
            right = torch.from_numpy(self.weights.view(np.int8))
            return lambda: torch._int_mm(next(left), right)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # to be removed from torch some day: then there is no column
                inputs = itertools.cycle(
                    [
                        torch.quantize_per_tensor(torch.from_numpy(x).float(), 1.0, 0, torch.quint8)
                        for x in self.inputs
                    ]
                )
                weights = torch.from_numpy(self.weights.view(np.int8)).float()
                weights = torch.quantize_per_tensor(weights, 1.0, 0, torch.qint8)
                pairs = [[n, n] for n in (layer.stride, layer.padding, 1)]
                packed = torch.ops.quantized.conv2d_prepack(weights, None, *pairs, layer.groups)
        except (AttributeError, RuntimeError):
            return None
        return lambda: torch.ops.quantized.conv2d(next(inputs), packed, 1.0, 0)


def of_product(m: int, k: int, n: int, *, floats: bool) -> Operation:
    """(m, k) by (k, n)."""
    return Operation.random(Layer("product", k, n), m, floats=floats)

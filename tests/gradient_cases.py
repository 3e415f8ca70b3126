"""Small approximate products in every geometry and coding, and their gradients by plain loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import axsim
from axsim.multipliers import Multiplier
from axsim.nn.geometry import Conv, Geometry, Linear, MatMul, Transposed, exact
from axsim.nn.gradients import Product
from axsim.quantization import QuantParams
from axsim.tables import ProductTable

Place = tuple[int, ...]

UNSIGNED = Multiplier(
    "unsigned4",
    4,
    4,
    False,
    lambda: ProductTable.from_function(lambda a, b: (a * b & ~1) + (a > b) + 2 * (b == 0), 4, 4),
)
SIGNED = Multiplier(
    "signed4",
    4,
    4,
    True,
    lambda: ProductTable.from_function(lambda a, b: (a * b & ~1) + 3 * (a > b), 4, 4, signed=True),
)
EXACT = Multiplier("exact4", 4, 4, False, lambda: ProductTable.from_function(lambda a, b: a * b, 4, 4))
L40 = axsim.get("L40")

AFFINE, CENTRED = QuantParams(0.25, 5, 0, 15), QuantParams(0.25, 0, -7, 7)
# The multiplier, and how activations and weights are coded; for weights by channel, three channels.
CODINGS = {
    "affine by sign and magnitude": (UNSIGNED, AFFINE, QuantParams(0.125, 0, -15, 15)),
    "affine by affine": (UNSIGNED, AFFINE, QuantParams(0.125, 8, 0, 15)),
    "sign and magnitude by the same": (UNSIGNED, QuantParams(0.25, 0, -15, 15), QuantParams(0.125, 0, -9, 9)),
    "signed by signed": (SIGNED, CENTRED, QuantParams(0.25, 0, -7, 7)),
    "signed affine by signed": (SIGNED, QuantParams(0.25, 2, -8, 7), QuantParams(0.25, 0, -7, 7)),
    "nine bits": (L40, QuantParams(0.02, 100, 0, 255), QuantParams(0.01, 0, -255, 255)),
}
BY_CHANNEL = {
    "channels of signs and magnitudes": (AFFINE, [0.125, 0.25, 0.5], [0, 0, 0], (-15, 15)),
    "affine channels": (AFFINE, [0.125, 0.25, 0.5], [8, 3, 0], (0, 15)),
}
# x, w and where they meet; three output channels, or three in each group.
GEOMETRIES: dict[str, tuple[Place, Place, Geometry]] = {
    "linear": ((2, 3, 5), (3, 5), Linear()),
    "one row": ((5,), (3, 5), Linear()),
    "conv1d": ((2, 2, 7), (3, 2, 3), Conv((2,), (1, 2), (2,))),
    "conv2d": ((2, 3, 5, 4), (3, 3, 2, 3), Conv((1, 2), (1, 0, 2, 1), (2, 1))),
    "grouped": ((2, 4, 4, 3), (6, 2, 2, 2), Conv((1, 1), (1, 1, 0, 0), (1, 1), 2)),
    "depthwise": ((2, 3, 4, 4), (3, 1, 3, 3), Conv((1, 1), (1, 1, 1, 1), (1, 1), 3)),
    "conv3d": ((1, 2, 3, 4, 3), (3, 2, 2, 2, 2), Conv((1, 2, 1), (1, 0, 0, 0, 0, 1), (1, 1, 1))),
    "transposed": ((2, 3, 4), (3, 3, 3), Transposed((2,), (1,), (1,), (1,))),
    "transposed groups": ((2, 4, 3, 2), (4, 3, 2, 3), Transposed((1, 2), (0, 1), (0, 1), (2, 1), 2)),
}
MATMULS: dict[str, tuple[Place, Place, Geometry]] = {
    "matrices": ((4, 5), (5, 3), MatMul()),
    "batch": ((2, 3, 4, 5), (2, 3, 5, 3), MatMul()),
    "one right matrix": ((2, 3, 4, 5), (5, 3), MatMul()),
    "broadcast": ((2, 1, 4, 5), (3, 5, 2), MatMul()),
    "one left matrix": ((4, 5), (3, 5, 2), MatMul()),
}


def channels(geometry: Geometry, w_shape: Place) -> Callable[[Place], int]:
    """The output channel of a weight."""
    if isinstance(geometry, Transposed):
        return lambda at: at[0] // (w_shape[0] // geometry.groups) * w_shape[1] + at[1]
    return (lambda at: at[-1]) if isinstance(geometry, MatMul) else (lambda at: at[0])


def product(name: str, coding: str, seed: int = 0) -> Product:
    """A product of drawn operands, some of them out of range."""
    x_shape, w_shape, geometry = {**GEOMETRIES, **MATMULS}[name]
    if coding in CODINGS:
        multiplier, a_params, w_params = CODINGS[coding]
    else:
        a_params, scale, zero, limits = BY_CHANNEL[coding]
        of = channels(geometry, w_shape)
        count = 1 + max(of(at) for at in np.ndindex(*w_shape))
        scales, zeros = np.resize(scale, count), np.resize(zero, count)
        multiplier, w_params = UNSIGNED, QuantParams(scales, zeros, *limits, axis=0)
    rng = np.random.default_rng(seed)
    x, w = (torch.from_numpy(rng.normal(size=shape)) for shape in (x_shape, w_shape))
    return Product(x.float(), w.float(), multiplier, a_params, w_params, geometry)


def upstream_of(made: Product, seed: int = 1) -> Tensor:
    """A drawn gradient of its result."""
    shape = exact(made.x, made.w, made.geometry).shape
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def pairs(x: Place, w: Place, geometry: Geometry) -> Iterator[tuple[Place, Place | None, Place]]:
    """Every product: its place in the result, the activation's (None: padding), the weight's."""
    if isinstance(geometry, Linear):
        for row in np.ndindex(*x[:-1]):
            for n, k in np.ndindex(*w):
                yield (*row, n), (*row, k), (n, k)
    elif isinstance(geometry, MatMul):
        leading = np.broadcast_shapes(x[:-2], w[:-2])
        for at in np.ndindex(*leading, x[-2], x[-1], w[-1]):
            *batch, m, k, n = at
            left, right = (
                tuple(
                    0 if size == 1 else i
                    for i, size in zip(batch[len(batch) - len(s) + 2 :], s[:-2], strict=True)
                )
                for s in (x, w)
            )
            yield (*batch, m, n), (*left, m, k), (*right, k, n)
    elif isinstance(geometry, Conv):
        yield from _conv_pairs(x, w, geometry)
    else:
        yield from _transposed_pairs(x, w, geometry)


def _conv_pairs(x: Place, w: Place, geometry: Conv) -> Iterator[tuple[Place, Place | None, Place]]:
    ends, per_group = geometry.padding, w[0] // geometry.groups
    out = [
        (n + ends[2 * i] + ends[2 * i + 1] - geometry.dilation[i] * (w[i + 2] - 1) - 1) // geometry.stride[i]
        + 1
        for i, n in enumerate(x[2:])
    ]
    for image, o, *at in np.ndindex(x[0], w[0], *out):
        for c, *tap in np.ndindex(*w[1:]):
            pixel = [
                at[i] * geometry.stride[i] + tap[i] * geometry.dilation[i] - ends[2 * i]
                for i in range(len(at))
            ]
            inside = all(0 <= p < n for p, n in zip(pixel, x[2:], strict=True))
            where = (image, o // per_group * w[1] + c, *pixel) if inside else None
            yield (image, o, *at), where, (o, c, *tap)


def _transposed_pairs(
    x: Place, w: Place, geometry: Transposed
) -> Iterator[tuple[Place, Place | None, Place]]:
    out = [
        (n - 1) * geometry.stride[i]
        - 2 * geometry.padding[i]
        + geometry.dilation[i] * (w[i + 2] - 1)
        + geometry.output_padding[i]
        + 1
        for i, n in enumerate(x[2:])
    ]
    of = channels(geometry, w)
    for (image, c, *at), (o, *tap) in itertools.product(np.ndindex(*x), np.ndindex(*w[1:])):
        pixel = [
            at[i] * geometry.stride[i] + tap[i] * geometry.dilation[i] - geometry.padding[i]
            for i in range(len(at))
        ]
        if all(0 <= p < n for p, n in zip(pixel, out, strict=True)):
            yield (image, of((c, o)), *pixel), (image, c, *at), (c, o, *tap)


class Numbers:
    """What a product's operands were quantised to, by the formula, one at a time."""

    def __init__(self, made: Product) -> None:
        assert made.a_params is not None
        assert made.w_params is not None
        self.made, self.left, self.right = made, made.a_params, made.w_params
        self._channel = channels(made.geometry, tuple(made.w.shape))

    def activation(self, at: Place | None) -> int:
        """The integer of an activation, or of a padded pixel."""
        zero = int(self.left.zero_point)
        return zero if at is None else _coded(self.made.x[at], float(self.left.scale), zero, self.left)

    def weight(self, at: Place) -> tuple[int, float, int]:
        """The integer of a weight, its scale and its zero point."""
        scale, zero = self.right.scale, self.right.zero_point
        if self.right.axis is not None:
            scale, zero = scale[self._channel(at)], zero[self._channel(at)]
        return _coded(self.made.w[at], float(scale), int(zero), self.right), float(scale), int(zero)


def _coded(value: Tensor, scale: float, zero: int, params: QuantParams) -> int:
    return min(max(round(float(value) / scale) + zero, params.qmin), params.qmax)


def by_loops(
    made: Product,
    upstream: Tensor,
    by_a: Callable[[int, int], float],
    by_b: Callable[[int, int], float],
    *,
    clip: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Both gradients, summed product by product; ``by_a(a, b)`` stands for the derivative by a at (a, b)."""
    numbers, left = Numbers(made), made.a_params
    assert left is not None
    of_x, of_w = np.zeros(made.x.shape), np.zeros(made.w.shape)
    scale, zero = float(left.scale), int(left.zero_point)
    for out, x, w in pairs(tuple(made.x.shape), tuple(made.w.shape), made.geometry):
        a, (b, b_scale, b_zero), g = numbers.activation(x), numbers.weight(w), float(upstream[out])
        if x is not None:
            of_x[x] += g * b_scale * (by_a(a, b) - b_zero)
        of_w[w] += g * scale * (by_b(a, b) - zero)
    if clip:
        position = made.x.numpy() / scale + zero
        of_x[(position < left.qmin - 0.5) | (position > left.qmax + 0.5)] = 0
    return of_x, of_w


def check(made: tuple[Tensor | None, Tensor | None], expected: tuple[Any, Any]) -> None:
    """The gradients are those of float32 sums."""
    for found, wanted in zip(made, expected, strict=True):
        assert found is not None
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-5 * np.abs(wanted).max())

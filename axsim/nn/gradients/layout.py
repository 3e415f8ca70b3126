"""Every approximate product as one: rows and terms of activations by terms and columns of weights.

Each element of a result is a sum over terms, in one batch, of one row and one column. Batches are groups of
channels, or matrices. A convolution's rows are its output pixels and its terms the pixels of a window; a
transposed convolution's rows are its input pixels, and its columns all that each of them is spread to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axsim.engines.cpu.weighted import padded_width
from axsim.engines.shapes.places import Places, matrices, windows
from axsim.nn.geometry import Conv, Geometry, Linear, MatMul, Transposed
from axsim.nn.gradients.rule import Product
from axsim.quantization import QuantParams
from axsim.quantize import quantize

Indices = NDArray[np.uint16]
Doubles = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Integers:
    """What an operand was quantised to.

    Attributes:
        indices: uint16, shaped like the operand, from 0 for the least integer of its range.
        scale, zero: float64, shaped like the operand, or without axes where all elements share them.
    """

    indices: Indices
    scale: Doubles
    zero: Doubles


@dataclass(frozen=True, eq=False)
class Layout:
    """A product's operands, and where they meet.

    Attributes:
        a: the activations' indices, padding written out.
        places: which of them a row and a term meet.
        b: the weights' indices, (batch, terms, columns).
        scale, zero: of the weights: without axes, or (batch, columns).
        of_x: turns a gradient shaped like ``a`` into one shaped like the activations.
        of_w: turns one shaped like ``b`` into one shaped like the weights.
        of_result: turns a gradient of the result into (batch, rows, columns).
    """

    a: Indices
    places: Places
    b: Indices
    scale: Doubles
    zero: Doubles
    of_x: Callable[[Tensor], Tensor]
    of_w: Callable[[Tensor], Tensor]
    of_result: Callable[[Tensor], Tensor]

    def packed(self, upstream: Tensor, factors: Doubles | None = None) -> NDArray[np.float32]:
        """A result's gradient as sums take it: (batch, rows, padded columns), float32.

        ``factors``, (batch, columns), are multiplied in; None: 1.
        """
        found = self.of_result(upstream.detach().to("cpu", torch.float32))
        width = padded_width(found.shape[2])
        if factors is None and found.shape[2] == width:
            return np.asarray(found.contiguous().numpy())
        made = torch.zeros(*found.shape[:2], width)
        to = made[:, :, : found.shape[2]]
        to.copy_(found)
        if factors is not None:
            to.mul_(torch.from_numpy(factors.astype(np.float32))[:, None])
        return np.asarray(made.numpy())


def layout(product: Product) -> Layout:
    """How a product of integers is laid out.

    >>> from axsim.multipliers import get
    >>> params = QuantParams(1.0, 2, 0, 7)
    >>> x, w = torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, -2.0]])
    >>> made = layout(Product(x, w, get("exact8"), params, params, Linear()))
    >>> made.a.tolist(), made.b.tolist()
    ([[[2, 3]]], [[[5], [0]]])
    """
    geometry = product.geometry
    if isinstance(geometry, Linear):
        return _linear(product)
    if isinstance(geometry, MatMul):
        return _matmul(product)
    return _conv(product, geometry) if isinstance(geometry, Conv) else _transposed(product, geometry)


def activations(product: Product) -> Integers:
    """The left operand as integers; its padding is not written out."""
    params = product.a_params
    assert params is not None
    return Integers(_indices(product.x, params), params.scale, params.zero_point.astype(np.float64))


def weights(product: Product) -> Integers:
    """The right operand as integers; its channels are those of the result, whichever axis that is."""
    w, params = product.w, product.w_params
    assert params is not None
    if params.axis is None:
        return Integers(_indices(w, params), params.scale, params.zero_point.astype(np.float64))
    view, axis, back = _channels(w, product.geometry, len(params.scale))
    by = QuantParams(params.scale, params.zero_point, params.qmin, params.qmax, axis)
    shape = [-1 if i == axis else 1 for i in range(view.ndim)]
    scale, zero = (np.broadcast_to(v.reshape(shape), view.shape) for v in (by.scale, by.zero_point))
    return Integers(back(_indices(view, by)), back(scale), back(zero.astype(np.float64)))


def _channels(w: Tensor, geometry: Geometry, count: int) -> tuple[Tensor, int, Callable[[Array], Array]]:
    """Weights with an axis of so many output channels, that axis, and the way back to their shape."""
    if isinstance(geometry, Transposed) and count != w.shape[1]:  # channels of all groups
        each, rest = len(w) // geometry.groups, w.shape[2:]
        apart = w.reshape(geometry.groups, each, w.shape[1], *rest).transpose(0, 1)
        shape = tuple(apart.shape)
        return (
            apart.reshape(each, count, *rest),
            1,
            lambda array: array.reshape(shape).swapaxes(0, 1).reshape(w.shape),
        )
    axis = w.ndim - 1 if isinstance(geometry, MatMul) else int(isinstance(geometry, Transposed))
    return w, axis, lambda array: array


def _indices(values: Tensor, params: QuantParams) -> Indices:
    host = values.detach().to("cpu")
    if host.dtype not in (torch.float32, torch.float64):
        host = host.float()
    integers = np.asarray(quantize(np.ascontiguousarray(host.numpy()), params))
    if params.qmin == 0:
        return integers.astype(np.uint16)
    return (integers.astype(np.int16) - np.int16(params.qmin)).astype(np.uint16)


def _linear(product: Product) -> Layout:
    x, columns = product.x, len(product.w)
    rows, terms = math.prod(x.shape[:-1]), x.shape[-1]
    return _made(
        activations(product).indices.reshape(1, rows, terms),
        matrices(1, rows, terms),
        weights(product),
        lambda w: w.T[None],
        lambda gradient: gradient.reshape(x.shape),
        lambda gradient: gradient[0].t(),
        lambda upstream: upstream.reshape(1, rows, columns),
    )


def _matmul(product: Product) -> Layout:
    x, w = product.x, product.w
    if w.ndim == 2 and x.ndim > 2:  # one right matrix for all left ones
        flat = _matmul(replace(product, x=x.flatten(0, -2)))
        return replace(
            flat,
            of_x=lambda gradient: gradient.reshape(x.shape),
            of_result=lambda upstream: upstream.reshape(1, -1, w.shape[1]),
        )
    leading = torch.broadcast_shapes(x.shape[:-2], w.shape[:-2])
    batch = math.prod(leading)
    x_shape, w_shape = (*leading, *x.shape[-2:]), (*leading, *w.shape[-2:])
    a = np.broadcast_to(activations(product).indices, x_shape).reshape(batch, *x.shape[-2:])
    return _made(
        a,
        matrices(batch, *x.shape[-2:]),
        weights(product),
        lambda array: np.broadcast_to(array, w_shape).reshape(batch, *w.shape[-2:]),
        lambda gradient: gradient.reshape(x_shape).sum_to_size(x.shape),
        lambda gradient: gradient.reshape(w_shape).sum_to_size(w.shape),
        lambda upstream: upstream.reshape(batch, *upstream.shape[-2:]),
    )


def _conv(product: Product, geometry: Conv) -> Layout:
    x, w, groups, ends = product.x, product.w, geometry.groups, geometry.padding
    assert product.a_params is not None
    a = activations(product).indices
    if any(ends):
        outside = int(product.a_params.zero_point) - product.a_params.qmin
        around = [(0, 0), (0, 0), *zip(ends[::2], ends[1::2], strict=True)]
        a = np.pad(a, around, constant_values=outside)
    columns, terms = len(w) // groups, math.prod(w.shape[1:])

    def of_x(gradient: Tensor) -> Tensor:
        for axis, size in enumerate(x.shape[2:]):
            gradient = gradient.narrow(axis + 2, ends[2 * axis], size)
        return gradient

    def of_result(upstream: Tensor) -> Tensor:
        pixels = math.prod(upstream.shape[2:])
        apart = upstream.reshape(len(x), groups, columns, pixels).permute(1, 0, 3, 2)
        return apart.reshape(groups, len(x) * pixels, columns)

    return _made(
        a,
        windows(a.shape, w.shape[2:], geometry.stride, geometry.dilation, groups),
        weights(product),
        lambda array: array.reshape(groups, columns, terms).swapaxes(1, 2),
        of_x,
        lambda gradient: gradient.transpose(1, 2).reshape(w.shape),
        of_result,
    )


def _transposed(product: Product, geometry: Transposed) -> Layout:
    w, groups = product.w, geometry.groups
    a, ones = activations(product).indices, (1,) * (w.ndim - 2)
    return _made(
        a,
        windows(a.shape, ones, ones, ones, groups),
        weights(product),
        lambda array: array.reshape(groups, len(w) // groups, math.prod(w.shape[1:])),
        lambda gradient: gradient,
        lambda gradient: gradient.reshape(w.shape),
        lambda upstream: _spread(upstream, a.shape, w.shape[2:], geometry),
    )


def _spread(upstream: Tensor, x_shape: tuple[int, ...], kernel: torch.Size, geometry: Transposed) -> Tensor:
    """For each group and input pixel, the gradients of all that it is spread to: 0 for what was cut off."""
    groups, pads = geometry.groups, geometry.padding
    images, channels, *size = upstream.shape
    whole = upstream.new_zeros(images, channels, *(n + 2 * p for n, p in zip(size, pads, strict=True)))
    inner = whole
    for axis, (count, before) in enumerate(zip(size, pads, strict=True)):
        inner = inner.narrow(axis + 2, before, count)
    inner.copy_(upstream)
    image, channel, *steps = whole.stride()
    along = [s * step for s, step in zip(geometry.stride, steps, strict=True)]
    taps = [d * step for d, step in zip(geometry.dilation, steps, strict=True)]
    columns = channels // groups
    found = whole.as_strided(
        (groups, images, *x_shape[2:], columns, *kernel), (columns * channel, image, *along, channel, *taps)
    )
    return found.reshape(groups, images * math.prod(x_shape[2:]), columns * math.prod(kernel))


def _made(
    a: Array,
    places: Places,
    right: Integers,
    matrix: Callable[[Array], Array],
    of_x: Callable[[Tensor], Tensor],
    of_w: Callable[[Tensor], Tensor],
    of_result: Callable[[Tensor], Tensor],
) -> Layout:
    """``matrix`` turns an array shaped like the weights into (batch, terms, columns)."""
    scale, zero = (
        v if v.ndim == 0 else np.ascontiguousarray(matrix(v)[:, 0]) for v in (right.scale, right.zero)
    )
    b = np.ascontiguousarray(matrix(right.indices))
    return Layout(np.ascontiguousarray(a), places, b, scale, zero, of_x, of_w, of_result)

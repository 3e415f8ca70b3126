"""Which activation meets which weight: the shapes of approximate products, as values.

Spatial axes are counted without the batch and the channels: one for Conv1d, three for Conv3d.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


@dataclass(frozen=True)
class Linear:
    """x (..., K) by w (N, K): (..., N)."""


@dataclass(frozen=True)
class MatMul:
    """x (..., M, K) by w (..., K, N): (..., M, N); leading axes broadcast."""


@dataclass(frozen=True)
class Conv:
    """Cross-correlation of x (N, C, *) with w (O, C / groups, *).

    Attributes:
        stride, dilation: one number for each spatial axis.
        padding: zeros before and after each axis in turn: (top, bottom, left, right) of an image.
        groups: groups of channels that are convolved apart.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


@dataclass(frozen=True)
class Transposed:
    """Transposed convolution of x (N, C, *) by w (C, O / groups, *), as ``torch.nn.ConvTranspose2d`` has it.

    Attributes:
        stride, padding, output_padding, dilation: one number for each spatial axis.
        groups: groups of channels that are convolved apart.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1


Geometry = Linear | MatMul | Conv | Transposed


@lru_cache(maxsize=4096)  # at one image a layer's other work takes little longer than this
def check(x: tuple[int, ...], w: tuple[int, ...], bias: tuple[int, ...] | None, geometry: Geometry) -> None:
    """ValueError unless operands and bias of those shapes go together in that geometry."""
    axes = len(geometry.stride) if isinstance(geometry, Conv | Transposed) else 0
    if isinstance(geometry, Linear):
        right = len(w) == 2 and len(x) >= 1 and x[-1] == w[1]
        channels = w[0] if right else 0
    elif isinstance(geometry, MatMul):
        right = len(x) >= 2 and len(w) >= 2 and x[-1] == w[-2]
        channels = w[-1] if right else 0
    else:
        transposed = isinstance(geometry, Transposed)
        right = len(x) == len(w) == axes + 2
        right = right and x[1] == (w[0] if transposed else geometry.groups * w[1])
        right = right and w[0] % geometry.groups == 0 and all(w[2:])
        channels = (geometry.groups * w[1] if transposed else w[0]) if right else 0
        right = right and all(size > 0 for size in output_size(x[2:], w[2:], geometry))
    if not right:
        raise ValueError(f"x has shape {tuple(x)} and the weight {tuple(w)}, which do not fit {geometry}")
    if bias is not None and tuple(bias) != (channels,):
        raise ValueError(f"bias has shape {tuple(bias)}, expected ({channels},): one for each output channel")


def output_size(size: Any, kernel: Any, geometry: Conv | Transposed) -> list[Any]:
    """The spatial axes of a result, of those of x and of the kernel; symbolic numbers, too.

    >>> output_size((8,), (3,), Conv((2,), (1, 1), (1,)))
    [4]
    >>> output_size((4,), (3,), Transposed((2,), (1,), (1,), (1,)))
    [8]
    """
    each = list(zip(size, kernel, geometry.stride, geometry.dilation, strict=True))
    if isinstance(geometry, Conv):
        ends = [sum(geometry.padding[i : i + 2]) for i in range(0, len(geometry.padding), 2)]
        return [(n + p - d * (k - 1) - 1) // s + 1 for (n, k, s, d), p in zip(each, ends, strict=True)]
    more = zip(geometry.padding, geometry.output_padding, strict=True)
    return [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1 for (n, k, s, d), (p, e) in zip(each, more, strict=True)
    ]


def padded(x: Tensor, geometry: Conv, value: float = 0.0) -> tuple[Tensor, Conv]:
    """The activations with their padding written out, and the geometry that is left: without padding.

    >>> x, left = padded(torch.ones(1, 1, 2), Conv((1,), (1, 0), (1,)))
    >>> x.tolist(), left.padding
    ([[[0.0, 1.0, 1.0]]], (0, 0))
    """
    if not any(geometry.padding):
        return x, geometry
    ends = geometry.padding
    last_axis_first = [n for i in range(len(ends) - 2, -1, -2) for n in ends[i : i + 2]]
    return F.pad(x, last_axis_first, value=value), replace(geometry, padding=(0,) * len(ends))


def exact(x: Tensor, w: Tensor, geometry: Geometry, bias: Tensor | None = None) -> Tensor:
    """The exact product of that geometry, plus bias, by torch, in the type of the operands.

    >>> exact(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), Linear())
    tensor([[11.]])
    """
    if isinstance(geometry, Linear):
        return F.linear(x, w, bias)
    if isinstance(geometry, MatMul):
        return torch.matmul(x, w) if bias is None else torch.matmul(x, w) + bias
    x, where = _symmetric(x, geometry)
    return torch.convolution(x, w, bias, *_of_aten(where))


def exact_gradients(
    upstream: Tensor, x: Tensor, w: Tensor, geometry: Geometry, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of the exact product in x and in w, where wanted: two exact products by torch.

    They can be differentiated again. Other operands than the product's own may be given for x and w: the
    gradient in x is a product of ``upstream`` and w, that in w one of ``upstream`` and x.

    >>> ones = torch.ones(1, 1)
    >>> exact_gradients(ones, torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), Linear(), (True, True))
    (tensor([[3., 4.]]), tensor([[1., 2.]]))
    """
    if isinstance(geometry, Linear):
        count = x.shape[:-1].numel()  # -1 would not say it where there are no features
        rows = upstream.reshape(count, w.shape[0])
        return (
            upstream @ w if wanted[0] else None,
            rows.transpose(0, 1) @ x.reshape(count, w.shape[1]) if wanted[1] else None,
        )
    if isinstance(geometry, MatMul):
        return (
            _summed_to(upstream @ w.transpose(-1, -2), x.shape) if wanted[0] else None,
            _summed_to(x.transpose(-1, -2) @ upstream, w.shape) if wanted[1] else None,
        )
    whole, where = _symmetric(x, geometry)
    of_x, of_w, _ = torch.ops.aten.convolution_backward(
        upstream, whole, w, None, *_of_aten(where), (*wanted, False)
    )
    if wanted[0] and whole.shape != x.shape:
        ends = cast(Conv, geometry).padding
        for axis, size in enumerate(x.shape[2:]):
            of_x = of_x.narrow(axis + 2, ends[2 * axis], size)
    return of_x if wanted[0] else None, of_w if wanted[1] else None


def _symmetric(x: Tensor, geometry: Conv | Transposed) -> tuple[Tensor, Conv | Transposed]:
    """torch pads both ends of an axis alike: other padding is written out."""
    if isinstance(geometry, Conv) and geometry.padding[::2] != geometry.padding[1::2]:
        return padded(x, geometry)
    return x, geometry


def _of_aten(geometry: Conv | Transposed) -> tuple[Any, ...]:
    """Stride, padding, dilation, transposed, output padding and groups, as aten has them."""
    if isinstance(geometry, Transposed):
        middle = geometry.padding, geometry.dilation, True, geometry.output_padding
        return (geometry.stride, *middle, geometry.groups)
    nothing = (0,) * len(geometry.stride)
    return geometry.stride, geometry.padding[::2], geometry.dilation, False, nothing, geometry.groups


def _summed_to(gradient: Tensor, shape: torch.Size) -> Tensor:
    """The gradient of what was broadcast from ``shape``."""
    return gradient if gradient.shape == shape else gradient.sum_to_size(shape)

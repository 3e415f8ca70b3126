"""What tests of axsim.nn share: layers that Hypothesis draws, and what they are to compute, by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import strategies as st
from torch import Tensor, nn

import axsim
from axsim.quantization import QuantParams

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}


@st.composite
def linears(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    """A fully connected layer, and activations for it with 1 to 3 axes."""
    seeded(draw)
    layer = nn.Linear(draw(st.integers(1, 9)), draw(st.integers(1, 9)), bias=draw(st.booleans()))
    leading = draw(st.lists(st.integers(0, 3), max_size=2))
    return layer, torch.randn(*leading, layer.in_features)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    """A convolution of 1 to 3 axes in any of torch's geometries, and activations for it."""
    seeded(draw)
    axes = draw(st.integers(1, 3))
    per_axis = st.lists(st.integers(1, 3), min_size=axes, max_size=axes).map(tuple)
    kernel, dilation = draw(per_axis), draw(per_axis)
    groups, group_channels, group_filters = (draw(st.integers(1, 3)) for _ in range(3))
    padding = draw(st.one_of(st.sampled_from(["same", "valid"]), per_axis, st.just((0,) * axes)))
    stride = (1,) * axes if padding == "same" else draw(per_axis)
    layer = CONVS[axes](
        groups * group_channels,
        groups * group_filters,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    )
    least = [max(d * (k - 1) + 1, 4) for d, k in zip(dilation, kernel, strict=True)]  # 4: reflection by 3
    size = [n + draw(st.integers(0, 2)) for n in least]
    batch = [draw(st.integers(1, 2))] if draw(st.booleans()) else []
    return layer, torch.randn(*batch, groups * group_channels, *size)


@st.composite
def transposed_convolutions(draw: st.DrawFn) -> tuple[nn.Module, Tensor]:
    """A transposed convolution of 1 or 2 axes, and activations for it."""
    seeded(draw)
    axes = draw(st.integers(1, 2))
    per_axis = st.lists(st.integers(1, 3), min_size=axes, max_size=axes).map(tuple)
    kernel, stride, dilation = draw(per_axis), draw(per_axis), draw(per_axis)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(draw(st.integers(0, d * (k - 1))) for d, k in zip(dilation, kernel, strict=True))
    groups, group_channels, group_filters = (draw(st.integers(1, 3)) for _ in range(3))
    layer = TRANSPOSED[axes](
        groups * group_channels,
        groups * group_filters,
        kernel,
        stride=stride,
        padding=padding,
        output_padding=extra,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
    )
    size = [
        draw(st.integers(1 + -(-p * 2 // s), 4 + -(-p * 2 // s)))
        for p, s in zip(padding, stride, strict=True)
    ]
    batch = [draw(st.integers(1, 2))] if draw(st.booleans()) else []
    return layer, torch.randn(*batch, groups * group_channels, *size)


def seeded(draw: st.DrawFn) -> None:
    """Weights and activations are those of a drawn seed."""
    torch.manual_seed(draw(st.integers(0, 99)))


any_layer = st.one_of(linears(), convolutions(), transposed_convolutions())


def by_hand(
    layer: Any, x: Tensor, multiplier: Any, left: QuantParams | None = None, right: QuantParams | None = None
) -> Tensor:
    """A layer's result by the definition, one pair of operands after the other, in the type of x.

    ``left`` and ``right`` say how an integer multiplier's operands are quantised, ``right`` along axis 0 of
    ``by_output(layer)`` if there is an axis.
    """
    dtype, x = x.dtype, x.detach()
    axes = layer.weight.ndim - 2
    if isinstance(layer, nn.Linear):
        x, batched = x.reshape(-1, x.shape[-1]), True
    else:
        batched = x.ndim == axes + 2
        x = x if batched else x[None]
    if isinstance(layer, tuple(CONVS.values())):
        x = padded(layer, x)
    a, b, term = x.numpy(), by_output(layer).numpy(), multiplier
    if left is not None and right is not None:
        a = np.asarray(axsim.quantize.quantize(x.double().numpy(), left)).astype(np.int64)
        b = np.asarray(axsim.quantize.quantize(b.astype(np.float64), right)).astype(np.int64)
        term = _bracket(multiplier, int(left.zero_point))
    zeros = np.broadcast_to(0 if right is None else right.zero_point, len(b))
    sums = np.stack(
        [_channel(layer, a, b[o], o, partial(term, **_zero(right, zeros[o]))) for o in range(len(b))], 1
    )
    each = (-1, *(1,) * max(axes, 0))
    y = sums.astype(np.float64)
    if left is not None and right is not None:
        y = y * float(left.scale) * np.broadcast_to(right.scale, len(b)).reshape(each)
    if layer.bias is not None:
        y = y + layer.bias.detach().double().numpy().reshape(each)
    out = torch.from_numpy(y).to(dtype)
    return out if batched else out[0]


def padded(layer: Any, x: Tensor) -> Tensor:
    """Activations of a convolution with its padding around them."""
    ends = layer._reversed_padding_repeated_twice
    return F.pad(x, ends, mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode)


def by_output(layer: Any) -> Tensor:
    """Weights (O, C / groups, *), also of a transposed convolution."""
    w = layer.weight.detach()
    if not isinstance(layer, tuple(TRANSPOSED.values())):
        return w
    groups = [
        w[i : i + len(w) // layer.groups].transpose(0, 1) for i in range(0, len(w), len(w) // layer.groups)
    ]
    return torch.cat(groups)


def _zero(right: QuantParams | None, zero: Any) -> dict[str, int]:
    return {} if right is None else {"z_b": int(zero)}


def _bracket(multiplier: axsim.Multiplier, z_a: int) -> Any:
    """What one pair of integers adds to a sum whose zero points are taken out."""

    def term(a: Any, b: Any, z_b: int) -> Any:
        if multiplier.signed:
            product = multiplier(a, b)
        else:
            product = np.where((a < 0) != (b < 0), -1, 1) * multiplier(np.abs(a), np.abs(b))
        return product.astype(np.int64) - z_b * (a - z_a) - z_a * b

    return term


def _channel(layer: Any, a: Any, b: Any, o: int, term: Any) -> Any:
    """One output channel; activations with their padding, float64 or int64."""
    kind = np.int64 if a.dtype == np.int64 else np.float64
    if isinstance(layer, nn.Linear):
        total = np.zeros(len(a), kind)
        for k, weight in enumerate(b):
            total += term(a[:, k], weight)
        return total
    first = o // (layer.out_channels // layer.groups) * len(b)
    dilation, stride = layer.dilation, layer.stride
    kernel, size = b.shape[1:], a.shape[2:]
    if isinstance(layer, tuple(TRANSPOSED.values())):
        extents = [
            (n - 1) * s + d * (k - 1) + 1 + e
            for n, s, d, k, e in zip(size, stride, dilation, kernel, layer.output_padding, strict=True)
        ]
        total = np.zeros((len(a), *extents), kind)
        for c, *tap in np.ndindex(b.shape):
            where = [
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, n, s in zip(tap, dilation, size, stride, strict=True)
            ]
            total[(slice(None), *where)] += term(a[:, first + c], b[(c, *tap)])
        inner = [slice(p, e - p) for p, e in zip(layer.padding, extents, strict=True)]
        return total[(slice(None), *inner)]
    counts = [
        (n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(size, dilation, kernel, stride, strict=True)
    ]
    total = np.zeros((len(a), *counts), kind)
    for c, *tap in np.ndindex(b.shape):
        where = [
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, counts, stride, strict=True)
        ]
        total += term(a[(slice(None), first + c, *where)], b[(c, *tap)])
    return total

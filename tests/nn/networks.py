"""What tests of axsim.nn share: layers that Hypothesis draws, and what they are to compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
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
    layer: Any, x: Tensor, left: QuantParams, right: QuantParams, multiplier: axsim.Multiplier
) -> Tensor:
    """A layer's result by the definition, product for product, in NumPy: float64.

    Every activation is multiplied by every weight that torch's own layer lets it meet, which that layer says
    itself: it computes with activations that are 1 at one place.
    """
    q_x = np.asarray(axsim.quantize.quantize(x.double().numpy(), left)).astype(np.int64)
    q_w = np.asarray(axsim.quantize.quantize(_weights(layer).double().numpy(), right)).astype(np.int64)
    raise NotImplementedError(q_x, q_w, multiplier)


def _weights(layer: Any) -> Tensor:
    return layer.weight.detach()

"""Convolutions of one, two and three spatial axes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from axsim.nn.geometry import Conv
from axsim.nn.layers.base import Approximate, registered
from axsim.nn.operators import conv


class ConvPart(Approximate):
    """A convolution of torch whose products go through a multiplier; activations are the left operand."""

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, *) or (C, *) to (N, O, *) or (O, *)."""
        if not isinstance(input, Tensor):
            self.refuse(input)
        if self.watched is not None:
            return self.exactly(input)
        layer = cast(Any, self)
        x = input.unsqueeze(0) if input.ndim == len(layer.kernel_size) + 1 else input
        padding: Any = layer.padding
        if layer.padding_mode != "zeros":
            x = F.pad(x, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
            padding = "valid"
        # Dynamo warns of caches, and needs none.
        where = geometry_of if torch.compiler.is_compiling() else _kept_geometry
        geometry = where(layer.kernel_size, layer.stride, padding, layer.dilation, layer.groups)
        out = conv(x, layer.weight, layer.bias, self.limits(), self.arithmetic.key, geometry, self.tag)
        return out if input.ndim == out.ndim else out.squeeze(0)


def geometry_of(
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: str | tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Conv:
    """The geometry of a convolution of torch whose padding is of zeros; an odd one goes behind.

    >>> geometry_of((4,), (1,), "same", (1,), 1)
    Conv(stride=(1,), padding=(1, 2), dilation=(1,), groups=1)
    """
    ends = tuple((p, p) for p in ((0,) * len(kernel) if isinstance(padding, str) else padding))
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        ends = tuple((total // 2, total - total // 2) for total in totals)
    return Conv(stride, tuple(n for both in ends for n in both), dilation, groups)


_kept_geometry = lru_cache(maxsize=1024)(geometry_of)


@registered
class ApproxConv1d(ConvPart, nn.Conv1d):
    """``torch.nn.Conv1d`` through a multiplier."""

    exact_class = nn.Conv1d


@registered
class ApproxConv2d(ConvPart, nn.Conv2d):
    """``torch.nn.Conv2d`` through a multiplier."""

    exact_class = nn.Conv2d


@registered
class ApproxConv3d(ConvPart, nn.Conv3d):
    """``torch.nn.Conv3d`` through a multiplier."""

    exact_class = nn.Conv3d

"""Convolutions of one, two and three spatial axes."""

from __future__ import annotations

from typing import Any, cast

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from axsim.nn.geometry import Conv
from axsim.nn.layers.base import Approximate, registered
from axsim.nn.operators import conv


class ConvPart(Approximate):
    """A convolution of torch whose products go through a multiplier; activations are the left operand."""

    def forward(self, input: Tensor) -> Tensor:
        """x (N, C, *) or (C, *) to (N, O, *) or (O, *)."""
        if self.watched is not None:
            self.watch(input)
            return super().forward(input)  # type: ignore[misc]
        layer = cast(Any, self)
        axes, padding, x = len(layer.kernel_size), _padding(layer), input
        if x.ndim == axes + 1:
            x = x.unsqueeze(0)
        if layer.padding_mode != "zeros":
            x = F.pad(x, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
            padding = (0,) * (2 * axes)
        geometry = Conv(layer.stride, padding, layer.dilation, layer.groups)
        out = conv(x, layer.weight, layer.bias, self.limits(), self.arithmetic.key, geometry, self.label)
        return out if input.ndim == out.ndim else out.squeeze(0)


def _padding(layer: Any) -> tuple[int, ...]:
    """Before and after each axis."""
    if layer.padding == "valid":
        return (0,) * (2 * len(layer.kernel_size))
    if layer.padding == "same":  # an odd one goes behind, as torch has it
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return tuple(n for total in totals for n in (total // 2, total - total // 2))
    return tuple(n for p in layer.padding for n in (p, p))


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

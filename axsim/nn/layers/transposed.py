"""Transposed convolutions of one and two spatial axes."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from axsim.nn.geometry import Transposed
from axsim.nn.layers.base import Approximate, registered
from axsim.nn.operators import conv_transpose


class TransposedPart(Approximate):
    """A transposed convolution of torch whose products go through a multiplier; only what is there meets."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """x (N, C, *) or (C, *) to (N, O, *) or (O, *)."""
        if not isinstance(input, Tensor):
            self.refuse(input)
        if self.watched is not None:
            return self.exactly(input, output_size)
        layer = cast(Any, self)
        axes, x = len(layer.kernel_size), input
        extra = tuple(
            layer._output_padding(
                input, output_size, layer.stride, layer.padding, layer.kernel_size, axes, layer.dilation
            )
        )
        if x.ndim == axes + 1:
            x = x.unsqueeze(0)
        geometry = Transposed(layer.stride, layer.padding, extra, layer.dilation, layer.groups)
        key = self.arithmetic.key
        out = conv_transpose(x, layer.weight, layer.bias, self.limits(), key, geometry, self.tag)
        return out if input.ndim == out.ndim else out.squeeze(0)


@registered
class ApproxConvTranspose1d(TransposedPart, nn.ConvTranspose1d):
    """``torch.nn.ConvTranspose1d`` through a multiplier."""

    exact_class = nn.ConvTranspose1d


@registered
class ApproxConvTranspose2d(TransposedPart, nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` through a multiplier."""

    exact_class = nn.ConvTranspose2d

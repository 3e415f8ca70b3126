"""Fully connected layers."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from axsim.nn.layers.base import Approximate, registered
from axsim.nn.operators import linear


class LinearPart(Approximate):
    """``torch.nn.Linear`` whose products go through a multiplier; activations are the left operand."""

    def forward(self, input: Tensor) -> Tensor:
        """x (..., K) to (..., N)."""
        if not isinstance(input, Tensor):
            self.refuse(input)
        if self.watched is not None:
            return self.exactly(input)
        layer = cast(nn.Linear, self)
        return linear(input, layer.weight, layer.bias, self.limits(), self.arithmetic.key, self.tag)


@registered
class ApproxLinear(LinearPart, nn.Linear):
    """``torch.nn.Linear`` through a multiplier."""

    exact_class = nn.Linear

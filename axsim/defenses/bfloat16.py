"""Networks whose multipliers take bfloat16 operands."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from axsim.defenses.dorefa import WEIGHTED
from axsim.defenses.straight_through import straight_through


def to_bfloat16(x: Tensor) -> Tensor:
    """The nearest bfloat16 values (halves to even), in the dtype of ``x``; straight through backwards.

    >>> import torch
    >>> to_bfloat16(torch.tensor([1.0, 1.001, 3.14159]))
    tensor([1.0000, 1.0000, 3.1406])
    """
    return straight_through(x, x.to(torch.bfloat16).to(x.dtype))


class _Rounded(nn.Module):  # type: ignore[misc]
    def forward(self, weight: Tensor) -> Tensor:
        return to_bfloat16(weight)


def _round_input(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return (to_bfloat16(arguments[0]), *arguments[1:])


def bfloat16(model: nn.Module) -> nn.Module:
    """A copy of a model whose convolutions and fully connected layers multiply bfloat16 numbers.

    Weights and inputs of these layers are rounded to bfloat16. A product of two such numbers is exact in
    float32, and sums, biases and all else stay in float32: this is a bfloat16 multiplier in front of a
    float32 accumulator, which A. Guesmi et al. compare with in "Defensive Approximation" (ASPLOS 2021, Tables
    6 and 7).

    Raises:
        ValueError: a model without such layers.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> with torch.no_grad():
    ...     _ = model.weight.copy_(torch.tensor([[1.001, 1.0]]))
    >>> bfloat16(model)(torch.tensor([[1.0, 0.501]])).item()
    1.5
    """
    made = copy.deepcopy(model)
    layers = [module for module in made.modules() if isinstance(module, WEIGHTED)]
    if not layers:
        raise ValueError(
            f"model: convolutions or fully connected layers were expected, {type(model).__name__} has none"
        )
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", _Rounded())
        layer.register_forward_pre_hook(_round_input)
    return made

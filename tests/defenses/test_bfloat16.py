"""bfloat16: operands are rounded, products are exact, gradients pass."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from axsim.defenses import bfloat16, to_bfloat16


def test_a_layer_is_the_layer_of_rounded_operands() -> None:
    generator = torch.Generator().manual_seed(0)
    layer, x = nn.Conv2d(3, 4, 3, padding=1), torch.rand((2, 3, 6, 6), generator=generator)
    weight = layer.weight.detach().to(torch.bfloat16).float()
    expected = nn.functional.conv2d(x.to(torch.bfloat16).float(), weight, layer.bias, padding=1)
    made = bfloat16(layer)
    assert torch.equal(made(x), expected)
    assert made(x).dtype == torch.float32
    assert torch.equal(copy.deepcopy(made)(x), expected)  # the rounding goes along with a copy
    assert not torch.equal(layer(x), expected)


def test_gradients_pass_as_if_nothing_was_rounded() -> None:
    x = torch.tensor([[1.001, 2.002]], requires_grad=True)
    layer = bfloat16(nn.Linear(2, 1))
    layer(x).sum().backward()
    assert torch.equal(x.grad, layer.weight.detach())
    assert layer.parametrizations.weight.original.grad is not None


def test_values_that_are_bfloat16_keep_their_bits() -> None:
    x = torch.tensor([0.0, -0.0, 1.5, float("inf"), 3.3895313892515355e38])
    assert torch.equal(to_bfloat16(x), x)


def test_a_model_without_layers() -> None:
    with pytest.raises(ValueError, match="has none"):
        bfloat16(nn.ReLU())

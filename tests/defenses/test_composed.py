"""Defences stand before and within each other, and attacks get through them."""

from __future__ import annotations

import torch
from small_networks import digits_network

from axsim.defenses import BitDepth, MedianSmoothing, QuantizationLayer, bfloat16, defended, dorefa
from axsim.robustness.attacks import get
from axsim.robustness.measures import accuracy, zero_gradients


def test_all_of_them_together() -> None:
    network, images, labels = digits_network()
    inner = bfloat16(dorefa(network, 8))
    stack = torch.nn.Sequential(
        BitDepth(5), MedianSmoothing(1), defended(inner, QuantizationLayer(6, hardness=20))
    )
    assert accuracy(stack, images, labels).value > 0.6
    weight = inner[0].weight
    assert torch.equal(weight, weight.to(torch.bfloat16).float())
    result = get("pgd_linf")(
        stack, images[:40], labels[:40], budget=0.3, generator=torch.Generator().manual_seed(0)
    )
    assert accuracy(stack, result.images, labels[:40]).value < 0.2


def test_a_hard_layer_starves_gradients() -> None:
    """What the checks are for: between hard thresholds no gradient is left in float32."""
    network, images, labels = digits_network()
    hard = defended(network, QuantizationLayer(2, hardness=5000))
    assert zero_gradients(hard, images, labels).float().mean() > 0.2
    assert zero_gradients(network, images, labels).float().mean() < 0.05

"""AlexNet for small images."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from axsim.models import AlexNet, alexnet_average, cost


def layers(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def test_layers_of_both_papers() -> None:
    ours = AlexNet()
    assert (layers(ours, nn.Conv2d), layers(ours, nn.Linear), layers(ours, nn.Dropout)) == (5, 3, 2)
    theirs = alexnet_average()
    assert (layers(theirs, nn.Conv2d), layers(theirs, nn.Linear)) == (5, 2)


def test_counts() -> None:
    convolutions = (3 * 25 * 64, 64 * 9 * 192, 192 * 9 * 384, 384 * 9 * 256, 256 * 9 * 256)
    biases = 64 + 192 + 384 + 256 + 256
    pixels = (1024, 256, 64, 64, 64)
    products = sum(c * p for c, p in zip(convolutions, pixels, strict=True))
    full = 4096 * 1024 + 1024 * 512 + 512 * 10
    assert cost(AlexNet(), (3, 32, 32)) == (
        sum(convolutions) + biases + full + 1024 + 512 + 10,
        products + full,
    )
    assert cost(AlexNet(), (3, 32, 32)) == (6979914, 174789632)
    assert cost(alexnet_average(), (3, 32, 32)) == (6460234, 174270464)


def test_pools_are_of_the_kind_that_is_asked_for() -> None:
    x = torch.rand(1, 3, 8, 8)
    scores = {}
    for pool in ("max", "average"):
        model = AlexNet(size=8, pool=pool, channels=(4, 4, 4, 4, 4), hidden=(8,)).eval()
        model.load_state_dict({k: torch.full_like(v, 0.1) for k, v in model.state_dict().items()})
        scores[pool] = model(x)
    assert (scores["max"] > scores["average"]).all()
    with pytest.raises(ValueError, match="pool is 'median'; 'max' or 'average' was expected"):
        AlexNet(pool="median")  # type: ignore[arg-type]


def test_small_images() -> None:
    assert AlexNet(size=28, in_channels=1)(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    with pytest.raises(ValueError, match="size is 7: nothing is left"):
        AlexNet(size=7)

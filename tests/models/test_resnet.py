"""Residual networks: published counts, shortcuts, start."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from axsim.models import ResNet, cost, resnet18, resnet20
from axsim.models.resnet import BasicBlock, Pad


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_counts_of_table_6(depth: int, millions: float) -> None:
    """He et al., CVPR 2016, table 6, to the digits printed there."""
    model = resnet20(depth=depth)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == depth
    digits = 1 if millions > 1 else 2
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, digits) == millions


def test_products() -> None:
    stages = ((16, 16, 1024), (16, 32, 256), (32, 64, 64))
    products = 3 * 9 * 16 * 1024 + 640
    for inputs, channels, pixels in stages:
        products += 9 * pixels * (inputs * channels + 5 * channels * channels)
    assert cost(resnet20(), (3, 32, 32)) == (269722, products) == (269722, 40551040)
    # 11.17 million is what is quoted for ResNet-18 with this stem and 10 classes.
    assert cost(resnet18(), (3, 32, 32)) == (11173962, 555422720)


def test_the_shortcut_without_parameters() -> None:
    x = torch.rand(2, 3, 5, 6)
    y = Pad(8, 2)(x)
    assert y.shape == (2, 8, 3, 3)
    torch.testing.assert_close(y[:, 2:5], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 5:].any()


@pytest.mark.parametrize("shortcut", ["pad", "project"])
def test_a_block_without_convolutions_is_its_shortcut(shortcut: str) -> None:
    block = BasicBlock(4, 8, 2, shortcut).eval()  # type: ignore[arg-type]
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(block(x), block.shortcut(x).clamp(min=0))


def test_any_size() -> None:
    model = resnet20(in_channels=1, size=28, classes=3)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 3)
    assert model(torch.zeros(2, 1, 11, 17)).shape == (2, 3)


@pytest.mark.parametrize("depth", [2, 18, 21])
def test_depths_that_do_not_exist(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth is {depth}; 6 n \\+ 2 was expected"):
        resnet20(depth=depth)


def test_arguments_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="one of each for a stage"):
        ResNet((8, 16), (1,), "pad")
    with pytest.raises(ValueError, match="shortcut is 'skip'"):
        ResNet((8,), (1,), "skip")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size is 0"):
        resnet18(size=0)

"""Residual networks for images of 32 x 32 pixels: ResNet-20 and its like, and ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Shortcut = Literal["pad", "project"]


class Pad(nn.Module):
    """The shortcut without parameters (option A): every ``stride``-th pixel, and channels of zeros."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        missing = self.channels - x.shape[1]
        before = missing // 2
        return functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, missing - before))

    def extra_repr(self) -> str:
        return f"{self.channels}, stride={self.stride}"


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation, and a way round them.

    ``(N, inputs, H, W)`` becomes ``(N, channels, H / stride, W / stride)``. Source: K. He et al., CVPR 2016,
    figure 5 (left).

    >>> BasicBlock(16, 32, stride=2, shortcut="pad")(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 32, 4, 4])
    """

    def __init__(self, inputs: int, channels: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut: nn.Module
        if stride == 1 and inputs == channels:
            self.shortcut = nn.Identity()
        elif shortcut == "pad":
            self.shortcut = Pad(channels, stride)
        else:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Stages of basic blocks behind a 3 x 3 convolution, then the mean over all pixels and one linear layer.

        (N, C, S, S) -> conv1 -> batch normalisation -> ReLU -> stages -> mean over pixels -> linear -> (N,
        classes)

    Every stage but the first halves height and width. No stem of 7 x 7 with a pool: images are small.
    Convolutions start as He et al. (ICCV 2015) draw them. Any image size works.

    Args:
        channels: output channels of each stage.
        blocks: basic blocks of each stage.
        shortcut: where channels change, "pad" (zeros, no parameters: option A of He et al.) or "project" (a 1
            x 1 convolution: option B).
        in_channels, classes: an image's channels, and how many scores. Default: 3, 10.

    Raises:
        ValueError: ``channels`` and ``blocks`` of different lengths, or an unknown shortcut.

    >>> net = ResNet((8, 16), (1, 1), "pad")
    >>> net(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        channels: Sequence[int],
        blocks: Sequence[int],
        shortcut: Shortcut,
        *,
        in_channels: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        if len(channels) != len(blocks):
            raise ValueError(
                f"channels is {tuple(channels)} and blocks {tuple(blocks)}; one of each for a stage was "
                "expected"
            )
        if shortcut not in ("pad", "project"):
            raise ValueError(f"shortcut is {shortcut!r}; 'pad' or 'project' was expected")
        self.conv1 = nn.Conv2d(in_channels, channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        stages: list[nn.Module] = []
        inputs = channels[0]
        for i, (width, count) in enumerate(zip(channels, blocks, strict=True)):
            stage = []
            for k in range(count):
                stage.append(BasicBlock(inputs, width, 2 if i and not k else 1, shortcut))
                inputs = width
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.linear = nn.Linear(inputs, classes)
        self.apply(_start)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(functional.relu(self.bn1(self.conv1(x))))
        return self.linear(torch.mean(x, dim=(2, 3)))


def resnet20(*, in_channels: int = 3, size: int = 32, classes: int = 10, depth: int = 20) -> ResNet:
    """ResNet-20 for CIFAR-10: 16, 32 and 64 channels, three blocks each, shortcuts without parameters.

    For 3 x 32 x 32: 269,722 parameters (the paper: 0.27 million) and 40,551,040 multiply-accumulates an
    image.

    Args:
        in_channels, classes: an image's channels, and how many scores. Default: 3, 10.
        size: height and width of an image; any size works. Default: 32.
        depth: layers, 6 n + 2: 20, 32, 44, 56 or 110 in the paper. Default: 20.

    Raises:
        ValueError: a depth that is not 6 n + 2.

    Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
    section 4.2 and table 6.

    >>> sum(p.numel() for p in resnet20().parameters())
    269722
    """
    _check_size(size)
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth is {depth}; 6 n + 2 was expected, such as 20, 32 or 56")
    return ResNet((16, 32, 64), ((depth - 2) // 6,) * 3, "pad", in_channels=in_channels, classes=classes)


def resnet18(*, in_channels: int = 3, size: int = 32, classes: int = 10, width: int = 64) -> ResNet:
    """ResNet-18 with a stem for small images: 64, 128, 256 and 512 channels, two blocks each.

    Its first layer is a 3 x 3 convolution with stride 1 and there is no pool behind it, as is usual for
    CIFAR-10. For 3 x 32 x 32: 11,173,962 parameters and 555,422,720 multiply-accumulates an image.

    Args:
        in_channels, classes: an image's channels, and how many scores. Default: 3, 10.
        size: height and width of an image; any size works. Default: 32.
        width: channels of the first stage; each later one has twice as many as the one before. Default: 64.

    Source: K. He et al., CVPR 2016, table 1 (18-layer).

    >>> resnet18(width=8)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    _check_size(size)
    channels = tuple(width << i for i in range(4))
    return ResNet(channels, (2, 2, 2, 2), "project", in_channels=in_channels, classes=classes)


def _check_size(size: int) -> None:
    if size < 1:
        raise ValueError(f"size is {size}; pixels were expected, at least 1")


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

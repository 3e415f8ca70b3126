"""AlexNet for images of 32 x 32 pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from axsim.models.checks import at_least_one

Pool = Literal["max", "average"]


class AlexNet(nn.Module):
    """Five convolutions, three pools and three fully connected layers, for images of about 32 x 32 pixels.

        (N, C, S, S) -> conv1 -> ReLU -> pool 2 -> conv2 -> ReLU -> pool 2
                     -> conv3 -> ReLU -> conv4 -> ReLU -> conv5 -> ReLU -> pool 2 -> flatten
                     -> [dropout -> linear -> ReLU] for each hidden layer -> linear -> (N, classes)

    All pools halve. Kernels are 5 x 5 (conv1) and 3 x 3, padded so that sizes stay. The papers give the kinds
    of layers and not their sizes: channels are those of AlexNet's one-column form (Krizhevsky 2014), hidden
    layers are a quarter and an eighth of the original's, as what comes to them is smaller. For 3 x 32 x 32:
    6,979,914 parameters and 174,789,632 multiply-accumulates an image.

    Args:
        in_channels, size, classes: an image's channels, its height and width, and how many scores. Default:
            3, 32, 10.
        pool: "max" (Defensive Approximation) or "average" (Siddique and Hoque). Default: "max".
        channels: output channels of the five convolutions. Default: (64, 192, 384, 256, 256).
        hidden: units of the hidden layers; with one there are two fully connected layers, as Siddique and
            Hoque have. Default: (1024, 512).
        dropout: share of units that training drops before each hidden layer. Default: 0.5.

    Raises:
        ValueError: an unknown pool, or images of less than 8 pixels.

    Sources: A. Guesmi et al., ASPLOS 2021, table 3 (max-pools, three fully connected layers, dropout);
    A. Siddique, K. A. Hoque, DATE 2022, arXiv 2112.01555, figure 7 (average pools, two); A. Krizhevsky,
    "One weird trick for parallelizing convolutional neural networks", arXiv 1404.5997, 2014 (channels).

    >>> AlexNet()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        size: int = 32,
        classes: int = 10,
        pool: Pool = "max",
        channels: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256),
        hidden: Sequence[int] = (1024, 512),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if pool not in ("max", "average"):
            raise ValueError(f"pool is {pool!r}; 'max' or 'average' was expected")
        side = at_least_one("size", size, size // 8)
        self._pool = functional.max_pool2d if pool == "max" else functional.avg_pool2d
        for i, (inputs, outputs) in enumerate(itertools.pairwise((in_channels, *channels)), start=1):
            kernel = 5 if i == 1 else 3
            self.add_module(f"conv{i}", nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))
        layers: list[nn.Module] = []
        widths = (channels[-1] * side * side, *hidden)
        for inputs, outputs in itertools.pairwise(widths):
            layers += [nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.ReLU()]
        self.classifier = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self._pool(functional.relu(self.conv1(x)), 2)
        x = self._pool(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.conv4(functional.relu(self.conv3(x))))
        x = self._pool(functional.relu(self.conv5(x)), 2)
        return self.classifier(torch.flatten(x, 1))


def alexnet_average(
    *, in_channels: int = 3, size: int = 32, classes: int = 10, dropout: float = 0.5
) -> AlexNet:
    """:class:`AlexNet` with three average pools and two fully connected layers, as Siddique and Hoque have
    it.

    For 3 x 32 x 32: 6,460,234 parameters and 174,270,464 multiply-accumulates an image.

    >>> alexnet_average()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return AlexNet(
        in_channels=in_channels, size=size, classes=classes, pool="average", hidden=(1024,), dropout=dropout
    )

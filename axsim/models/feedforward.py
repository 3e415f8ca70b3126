"""A feed-forward network: fully connected layers alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn


class FFNN(nn.Sequential):
    """Fully connected layers with rectifiers between them, on flattened images.

        (N, C, S, S) -> flatten -> [linear -> ReLU] for each hidden layer -> linear -> (N, classes)

    Siddique and Hoque put an FFNN beside LeNet-5 on MNIST and do not state its size. The default has one
    hidden layer of 128 units: for 1 x 28 x 28, 101,770 parameters and 101,632 multiply-accumulates an image.

    Args:
        in_channels, size, classes: an image's channels, its height and width, and how many scores. Default:
            1, 28, 10.
        hidden: units of each hidden layer, of which there may be none. Default: (128,).

    Source: A. Siddique, K. A. Hoque, DATE 2022, arXiv 2112.01555, figure 1.

    >>> FFNN(hidden=(64, 32), size=8)
    FFNN(
      (flatten): Flatten(start_dim=1, end_dim=-1)
      (linear1): Linear(in_features=64, out_features=64, bias=True)
      (relu1): ReLU()
      (linear2): Linear(in_features=64, out_features=32, bias=True)
      (relu2): ReLU()
      (linear3): Linear(in_features=32, out_features=10, bias=True)
    )
    """

    def __init__(
        self, *, in_channels: int = 1, size: int = 28, classes: int = 10, hidden: Sequence[int] = (128,)
    ) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        widths = (in_channels * size * size, *hidden, classes)
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths), start=1):
            if i > 1:
                self.add_module(f"relu{i - 1}", nn.ReLU())
            self.add_module(f"linear{i}", nn.Linear(inputs, outputs))

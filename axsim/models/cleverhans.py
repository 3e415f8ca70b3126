"""The basic convolutional network of Cleverhans, on which QuSecNets are measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from axsim.models.checks import at_least_one


class CleverhansCNN(nn.Module):
    """Three convolutions with strides and no pool, and one fully connected layer.

        (N, C, S, S) -> conv1 (8 x 8, stride 2, same) -> ReLU -> conv2 (6 x 6, stride 2, valid) -> ReLU
                     -> conv3 (5 x 5, stride 1, valid) -> ReLU -> flatten -> linear -> (N, classes)

    The convolutions have ``width``, ``2 width`` and ``2 width`` maps. For 1 x 28 x 28: 710,218 parameters and
    8,586,496 multiply-accumulates an image.

    TensorFlow's *same* padding of an 8 x 8 kernel with stride 2 is 3 pixels at each side for images of an
    even size; for odd ones it is 3 before and 4 behind, which this network does not do.

    Args:
        in_channels: channels of an image. Default: 1.
        size: its height and width in pixels; even. Default: 28.
        classes: scores to give. Default: 10.
        width: maps of the first convolution. Default: 64.

    Raises:
        ValueError: an odd size, or one below 28.

    Sources: F. Khalid et al., "QuSecNets: Quantization-based Defense Mechanism for Securing Deep Neural
    Network against Adversarial Attacks", IOLTS 2019, doi 10.1109/IOLTS.2019.8854377; the
    Cleverhans library's tutorial network.

    >>> CleverhansCNN()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> CleverhansCNN(in_channels=3, size=32).linear.in_features
    512
    """

    def __init__(self, *, in_channels: int = 1, size: int = 28, classes: int = 10, width: int = 64) -> None:
        super().__init__()
        if size % 2:
            raise ValueError(
                f"size is {size}; an even one was expected, for which 'same' padding is alike on all sides"
            )
        side = at_least_one("size", size, (size // 2 - 6) // 2 + 1 - 4)
        self.conv1 = nn.Conv2d(in_channels, width, 8, stride=2, padding=3)
        self.conv2 = nn.Conv2d(width, 2 * width, 6, stride=2)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, 5)
        self.linear = nn.Linear(2 * width * side * side, classes)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = functional.relu(convolution(x))
        return self.linear(torch.flatten(x, 1))

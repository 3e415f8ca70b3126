"""LeNet-5 in the three forms that papers on approximate multipliers give it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from axsim.models.checks import at_least_one, numbers


class LeNet5(nn.Module):
    """LeNet-5 of the Defensive Approximation paper: two convolutions, two max-pools, two full layers.

        (N, C, S, S) -> conv1 -> ReLU -> max-pool 2 -> conv2 -> ReLU -> max-pool 2
                     -> flatten -> linear1 -> ReLU -> linear2 -> (N, classes)

    The paper names the layers and not their sizes. The default has the channels and kernels of LeCun et al.:
    6 and 16 maps, 5 x 5 kernels, 120 hidden units; for 1 x 28 x 28: 51,902 parameters and 406,800
    multiply-accumulates an image. Images narrower than 32 pixels are padded by 2 at each side by the first
    convolution, as MNIST's were by LeCun et al.

    Args:
        in_channels: channels of an image. Default: 1.
        size: its height and width in pixels. Default: 28.
        classes: scores to give. Default: 10.
        channels: output channels of the two convolutions. Default: (6, 16).
        kernel: side of their kernels. Default: 5, or 3 for images of less than 16 pixels.
        padding: of the two convolutions. Default: (2, 0) or (0, 0), so that a padded image is at least 32
            pixels wide, for kernels of 5; (1, 1) for kernels of 3.
        hidden: hidden units. Default: 120.

    Raises:
        ValueError: an image so small that nothing is left of it behind the second pool.

    Sources: A. Guesmi et al., "Defensive Approximation: Securing CNNs Using Approximate Computing", ASPLOS
    2021, tables 2 and 10; Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to
    Document Recognition", Proc. IEEE 86(11), 1998, figure 2.

    >>> LeNet5()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> LeNet5(size=8).conv2.weight.shape
    torch.Size([16, 6, 3, 3])
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        size: int = 28,
        classes: int = 10,
        channels: tuple[int, int] = (6, 16),
        kernel: int | None = None,
        padding: tuple[int, int] | None = None,
        hidden: int = 120,
    ) -> None:
        super().__init__()
        kernel, padding = _geometry(size, kernel, padding)
        side = _side_after(size, kernel, padding)
        first, second = numbers("channels", channels, 2)
        self.conv1 = nn.Conv2d(in_channels, first, kernel, padding=padding[0])
        self.conv2 = nn.Conv2d(first, second, kernel, padding=padding[1])
        self.linear1 = nn.Linear(second * side * side, hidden)
        self.linear2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        x = functional.relu(self.linear1(torch.flatten(x, 1)))
        return self.linear2(x)


def lenet5_da(*, in_channels: int = 1, size: int = 28, classes: int = 10) -> LeNet5:
    """The network that the Defensive Approximation authors published under the name of LeNet-5.

    :class:`LeNet5` with 32 and 64 maps, 3 x 3 kernels padded by 1, and 200 hidden units: 648,226 parameters
    and 4,467,664 multiply-accumulates for 1 x 28 x 28. Parameters have the names of the authors' file
    (``conv1.weight`` ... ``linear2.bias``), so that it loads as it is.

    Source: the notebooks that go with A. Guesmi et al., ASPLOS 2021, doi 10.1145/3445814.3446747. The weights
    are not part of axsim, as they carry no licence: :func:`axsim.models.load_npz` reads them from your own
    folder.

    >>> sum(p.numel() for p in lenet5_da().parameters())
    648226
    """
    return LeNet5(
        in_channels=in_channels,
        size=size,
        classes=classes,
        channels=(32, 64),
        kernel=3,
        padding=(1, 1),
        hidden=200,
    )


class LeNet5Average(nn.Module):
    """Two convolutions, each with an average pool, a flattening convolution, two fully connected layers.

        (N, C, S, S) -> conv1 -> ReLU -> average pool 2 -> conv2 -> ReLU -> average pool 2
                     -> conv3 -> ReLU -> flatten -> linear1 -> ReLU -> linear2 -> (N, classes)

    LeNet-5 as Siddique and Hoque draw it, with the sizes of LeCun et al.: 6, 16 and 120 maps, 5 x 5 kernels,
    84 hidden units; the third convolution's kernel is as large as what comes to it, so that 1 x 1 is left.
    For 1 x 28 x 28 (padded to 32): 61,706 parameters and 416,520 multiply-accumulates an image.

    Args:
        in_channels, size, classes, kernel, padding: as :class:`LeNet5`'s.
        channels: output channels of the three convolutions. Default: (6, 16, 120).
        hidden: hidden units. Default: 84.

    Raises:
        ValueError: an image so small that nothing is left of it behind the second pool.

    Sources: A. Siddique, K. A. Hoque, "Is Approximation Universally Defensive Against Adversarial Attacks in
    Deep Neural Networks?", DATE 2022, arXiv 2112.01555, figures 4 to 6; LeCun et al. 1998, figure 2.

    >>> LeNet5Average()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> LeNet5Average(in_channels=3, size=32).conv3.weight.shape
    torch.Size([120, 16, 5, 5])
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        size: int = 28,
        classes: int = 10,
        channels: tuple[int, int, int] = (6, 16, 120),
        kernel: int | None = None,
        padding: tuple[int, int] | None = None,
        hidden: int = 84,
    ) -> None:
        super().__init__()
        kernel, padding = _geometry(size, kernel, padding)
        side = _side_after(size, kernel, padding)
        first, second, third = numbers("channels", channels, 3)
        self.conv1 = nn.Conv2d(in_channels, first, kernel, padding=padding[0])
        self.conv2 = nn.Conv2d(first, second, kernel, padding=padding[1])
        self.conv3 = nn.Conv2d(second, third, side)
        self.linear1 = nn.Linear(third, hidden)
        self.linear2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.avg_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.avg_pool2d(functional.relu(self.conv2(x)), 2)
        x = torch.flatten(functional.relu(self.conv3(x)), 1)
        return self.linear2(functional.relu(self.linear1(x)))


def _geometry(size: int, kernel: int | None, padding: tuple[int, int] | None) -> tuple[int, tuple[int, int]]:
    """The defaults that fit an image of this size."""
    kernel = kernel or (5 if size >= 16 else 3)
    if padding is None:
        return kernel, (1, 1) if kernel <= 3 else (2 if size < 32 else 0, 0)
    return kernel, cast(tuple[int, int], numbers("padding", padding, 2))


def _side_after(size: int, kernel: int, padding: tuple[int, int]) -> int:
    """Height and width of what two convolutions, each with a 2 x 2 pool, leave."""
    side = size
    for pad in padding:
        side = (side + 2 * pad - kernel + 1) // 2
    return at_least_one("size", size, side)

"""The layers of LeNet-5, AlexNet and ResNet-18, as shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A convolution of square images with square kernels, or with ``kernel`` 0 a fully connected layer.

    Attributes:
        name: as in the network; empty outside of one.
        channels, filters: of the input and of the output; for a fully connected layer its features.
        side: of the input, in pixels.
        kernel, stride, padding, groups: of the convolution.
    """

    name: str
    channels: int
    filters: int
    side: int = 1
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def out_side(self) -> int:
        """The output's pixels on a side."""
        return (self.side + 2 * self.padding - self.kernel) // self.stride + 1 if self.kernel else 1

    def x_shape(self, batch: int) -> tuple[int, ...]:
        """Of the input: (N, C, H, W), or (N, features)."""
        return (batch, self.channels, self.side, self.side) if self.kernel else (batch, self.channels)

    @property
    def w_shape(self) -> tuple[int, ...]:
        """Of the weights: (O, C / groups, k, k), or (features in, features out)."""
        if not self.kernel:
            return self.channels, self.filters
        return self.filters, self.channels // self.groups, self.kernel, self.kernel

    def products(self, batch: int) -> int:
        """Products that ``batch`` images take."""
        return batch * self.out_side**2 * math.prod(self.w_shape)

    def __str__(self) -> str:
        if not self.kernel:
            return f"{self.name}: {self.channels} to {self.filters}"
        depthwise = " depthwise" if self.groups == self.channels > 1 else ""
        return (f"{self.name}: " if self.name else "") + (
            f"{self.kernel}x{self.kernel}{depthwise} {self.channels} to {self.filters}, "
            f"{self.side}x{self.side}" + (f", stride {self.stride}" if self.stride > 1 else "")
        )


HEADLINE = Layer("", 64, 64, 32, 3, padding=1)
DEPTHWISE = Layer("", 64, 64, 32, 3, padding=1, groups=64)

# Y. LeCun et al., Proc. IEEE 1998, doi 10.1109/5.726791, with all of the second layer's connections
LENET = (
    Layer("conv1", 1, 6, 28, 5, padding=2),
    Layer("conv2", 6, 16, 14, 5),
    Layer("fc1", 400, 120),
    Layer("fc2", 120, 84),
    Layer("fc3", 84, 10),
)

# A. Krizhevsky, arXiv:1404.5997: the version for one device
ALEXNET = (
    Layer("conv1", 3, 64, 224, 11, stride=4, padding=2),
    Layer("conv2", 64, 192, 27, 5, padding=2),
    Layer("conv3", 192, 384, 13, 3, padding=1),
    Layer("conv4", 384, 256, 13, 3, padding=1),
    Layer("conv5", 256, 256, 13, 3, padding=1),
    Layer("fc6", 9216, 4096),
    Layer("fc7", 4096, 4096),
    Layer("fc8", 4096, 1000),
)


def resnet18(side: int) -> tuple[Layer, ...]:
    """The convolutions of ResNet-18 and its last layer (K. He et al., CVPR 2016, doi 10.1109/CVPR.2016.90).

    For images of fewer than 100 pixels it begins as is usual for CIFAR: 3x3 with stride 1, and no pooling.
    """
    if side < 100:
        layers, classes = [Layer("conv1", 3, 64, side, 3, padding=1)], 10
    else:
        layers, classes = [Layer("conv1", 3, 64, side, 7, stride=2, padding=3)], 1000
        side //= 4  # by the stride, and by pooling
    channels = 64
    for stage in range(1, 5):
        filters = 64 << (stage - 1)
        for block in range(2):
            stride = 2 if stage > 1 and not block else 1
            name = f"{stage}.{block}"
            layers.append(Layer(f"{name}a", channels, filters, side, 3, stride, padding=1))
            if stride > 1:
                layers.append(Layer(f"{name}s", channels, filters, side, 1, stride))  # the shortcut
            side //= stride
            layers.append(Layer(f"{name}b", filters, filters, side, 3, padding=1))
            channels = filters
    return (*layers, Layer("fc", 512, classes))


NETWORKS = {
    "LeNet-5": LENET,
    "AlexNet": ALEXNET,
    "ResNet-18, 32 px": resnet18(32),
    "ResNet-18, 224 px": resnet18(224),
}

"""The network in which "Defensive Approximation" looks at DoReFa quantisation."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def quantization_network(
    *,
    classes: int = 10,
    channels: int = 3,
    side: int = 32,
    widths: Sequence[int] = (64, 128, 256),
    dense: Sequence[int] = (512, 512),
) -> nn.Sequential:
    """An untrained network with the order of layers of A. Guesmi et al., "Defensive Approximation" (ASPLOS
    2021), Table 11.

    The table states the order of layers, not their sizes: those are arguments, and their defaults are a
    choice made here, as are kernels of 3 x 3 with padding 1. Three times::

        Conv - BN - ReLU, Conv (with ReLU in the first block), MaxPool, BN - ReLU

    and then ``Dense - BN - ReLU``, twice, and ``Dense``, which gives logits (softmax is left to the loss).
    Quantise it with :func:`axsim.defenses.dorefa`.

    Args:
        classes: of the logits.
        channels, side: of the images.
        widths: channels of the three blocks.
        dense: sizes of the two hidden fully connected layers.

    Raises:
        ValueError: other numbers of widths, or images too small for three poolings.

    >>> from collections import Counter
    >>> network = quantization_network()
    >>> kinds = Counter(type(layer).__name__ for layer in network)
    >>> kinds["Conv2d"], kinds["MaxPool2d"], kinds["BatchNorm2d"], kinds["BatchNorm1d"], kinds["Linear"]
    (6, 3, 6, 2, 3)
    """
    if len(widths) != 3 or len(dense) != 2:
        raise ValueError(f"widths, dense: 3 and 2 numbers were expected, {len(widths)} and {len(dense)} came")
    if side < 8:
        raise ValueError(f"side: at least 8 pixels were expected, {side} came: three poolings halve it")
    layers: list[nn.Module] = []
    before = channels
    for block, width in enumerate(widths):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers.append(nn.Conv2d(width, width, 3, padding=1))
        if block == 0:
            layers.append(nn.ReLU())
        layers += [nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    layers.append(nn.Flatten())
    size = before * (side // 8) ** 2
    for width in dense:
        layers += [nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()]
        size = width
    layers.append(nn.Linear(size, classes))
    return nn.Sequential(*layers)

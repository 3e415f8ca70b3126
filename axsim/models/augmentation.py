"""Training images moved and mirrored, at random, by torch's own generator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def unchanged(images: Tensor) -> Tensor:
    """The images as they are."""
    return images


def shift(images: Tensor, most: int = 2) -> Tensor:
    """Each image ``(N, C, H, W)`` moved by up to ``most`` pixels in each direction; what comes in is 0.

    >>> _ = torch.manual_seed(0)
    >>> shift(torch.ones(1, 1, 3, 3), most=1)[0, 0]
    tensor([[0., 1., 1.],
            [0., 1., 1.],
            [0., 0., 0.]])
    """
    count, channels, height, width = images.shape
    padded = functional.pad(images, (most,) * 4)
    down, right = torch.randint(0, 2 * most + 1, (2, count))
    rows = (down[:, None] + torch.arange(height))[:, None, :, None]
    columns = (right[:, None] + torch.arange(width))[:, None, None, :]
    at = torch.arange(count)[:, None, None, None]
    return padded[at, torch.arange(channels)[None, :, None, None], rows, columns]


def crop_flip(images: Tensor) -> Tensor:
    """Each image moved by up to 4 pixels, and half of them mirrored: He et al., CVPR 2016, section 4.2.

    >>> crop_flip(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 3, 32, 32])
    """
    moved = shift(images, most=4)
    mirrored = torch.rand(len(images)) < 0.5
    return torch.where(mirrored[:, None, None, None], moved.flip(-1), moved)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": unchanged,
    "shift": shift,
    "crop-flip": crop_flip,
}

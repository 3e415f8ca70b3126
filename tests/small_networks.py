"""Networks that attacks and defences are tried on: one in closed form, one for handwritten digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Plane(nn.Module):
    """Logits ``(f, -f, -9, -9)`` with ``f = w . x - t``: class 0 on one side of a plane, class 1 on the
    other.

    The smallest noise that changes the class of an image is ``|f| / |w|`` in l2 and ``|f| / sum |w_i|`` in
    linf, as long as no pixel leaves [0, 1] on the way.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.weight = nn.Parameter(torch.randn(1, 6, 6))
        self.threshold = nn.Parameter(self.weight.detach().sum() * 0.5)  # through the middle grey

    def forward(self, images: Tensor) -> Tensor:
        f = (images * self.weight).flatten(1).sum(1) - self.threshold
        far = torch.full_like(f, -9.0)
        return torch.stack([f, -f, far, far], 1)

    def distance(self, images: Tensor, norm: str) -> Tensor:
        with torch.no_grad():
            f = self(images)[:, 0].abs()
            return f / (self.weight.norm() if norm == "l2" else self.weight.abs().sum())


def plane_images(count: int) -> tuple[Plane, Tensor, Tensor]:
    """The plane, grey images at l2 distances 0.3 to 0.5 on both sides (none is clipped), their labels."""
    network = Plane()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        images = 0.5 + 0.1 * (2 * torch.rand((count, 1, 6, 6), generator=generator) - 1)
        f, length = network(images)[:, 0], network.weight.norm()
        wanted = torch.linspace(0.3, 0.5, count) * (1 - 2 * (torch.arange(count) % 2)) * length
        images = images + ((wanted - f) / length**2)[:, None, None, None] * network.weight
        return network, images, network(images).argmax(1)


@cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    images = torch.from_numpy((found.images / 16).astype(np.float32))[:, None]
    return images, torch.from_numpy(found.target.astype(np.int64))


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """8 x 8 handwritten digits in [0, 1]: 1,297 images and labels to learn from, 500 to be tried."""
    images, labels = _digits()
    return images[:1297], labels[:1297], images[1297:], labels[1297:]


def small_cnn() -> nn.Module:
    """An untrained network for ``digits``: two convolutions, two fully connected layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


def train(
    network: nn.Module, images: Tensor, labels: Tensor, *, epochs: int = 15, seed: int = 0
) -> nn.Module:
    """The network after some epochs of Adam; the same each time."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    network.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=generator).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
    optimizer.zero_grad()
    return network.eval()


@cache
def _trained(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    images, labels, _, _ = digits()
    return train(small_cnn(), images, labels, seed=seed)


def digits_network(seed: int = 0) -> tuple[nn.Module, Tensor, Tensor]:
    """A trained network (about 95 % right), and images that it gets right, with their labels."""
    network = _trained(seed)
    _, _, images, labels = digits()
    with torch.no_grad():
        right = network(images).argmax(1) == labels
    return network, images[right], labels[right]

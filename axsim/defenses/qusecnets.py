"""QuSecNets: a quantisation layer in front of a network, with constant or trained thresholds.

F. Khalid et al., "QuSecNets: quantization-based defense mechanism for securing deep neural network against
adversarial attacks" (IOLTS 2019, doi 10.1109/IOLTS.2019.8854377). With ``n`` levels a pixel ``x`` becomes::

    y = 1 / (n - 1)  sum over k = 1 .. n - 1  of  sigmoid(z (x - t_k))

with hardness ``z``, 50 for constant thresholds and 5 for trained ones. Constant thresholds are evenly spaced.

Two readings of it are about. "paper" is the formula as it stands, with ``t_k = k / n``. "code" is what a
later implementation by one of its authors does: ``n`` sigmoids, thresholds ``k / n`` up to 1, their sum over
``n - 1``, so that y may exceed 1. Say which one a result uses.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Reading = Literal["paper", "code"]


class QuantizationLayer(nn.Module):  # type: ignore[misc]
    """Sums of sigmoids in place of pixels.

    Args:
        levels: "n", at least 2.
        hardness: "z"; None: 50, or 5 where ``trainable``.
        trainable: whether thresholds are parameters.
        reading: "paper" or "code", see the module.

    Attributes:
        thresholds: float32 (levels - 1,), or (levels,) for "code".

    Raises:
        ValueError: an argument out of range.

    >>> import torch
    >>> layer = QuantizationLayer(3)
    >>> layer.thresholds
    tensor([0.3333, 0.6667])
    >>> layer(torch.tensor([0.1, 0.5, 0.9])).round(decimals=4)
    tensor([0.0000, 0.5000, 1.0000])
    """

    thresholds: Tensor

    def __init__(
        self,
        levels: int,
        *,
        hardness: float | None = None,
        trainable: bool = False,
        reading: Reading = "paper",
    ) -> None:
        super().__init__()
        if isinstance(levels, bool) or not isinstance(levels, int) or levels < 2:
            raise ValueError(f"levels: a whole number from 2 was expected, {levels!r} came")
        if reading not in ("paper", "code"):
            raise ValueError(f"reading: 'paper' or 'code' was expected, {reading!r} came")
        self.levels, self.reading = levels, reading
        self.hardness = (5.0 if trainable else 50.0) if hardness is None else float(hardness)
        if not self.hardness > 0:
            raise ValueError(f"hardness: a number above 0 was expected, {hardness} came")
        count = levels - 1 if reading == "paper" else levels
        thresholds = torch.arange(1, count + 1, dtype=torch.float32) / levels
        if trainable:
            self.thresholds = nn.Parameter(thresholds)
        else:
            self.register_buffer("thresholds", thresholds)

    def forward(self, images: Tensor) -> Tensor:
        total = torch.zeros_like(images)
        for threshold in self.thresholds:
            total = total + torch.sigmoid(self.hardness * (images - threshold))
        return total / (self.levels - 1)

    def extra_repr(self) -> str:
        kind = "trainable" if isinstance(self.thresholds, nn.Parameter) else "constant"
        return f"levels={self.levels}, hardness={self.hardness:g}, {kind}, reading={self.reading}"


def defended(network: nn.Module, layer: QuantizationLayer) -> nn.Sequential:
    """The network behind the layer (the same network, not a copy)."""
    return nn.Sequential(layer, network)


def cost(logits: Tensor, labels: Tensor) -> Tensor:
    """What trained thresholds make small: the mean over classes of ``(P - P')^2``, as a mean over images.

    ``P`` is 1 for the label and 0 elsewhere, ``P'`` the softmax of the logits.

    >>> import torch
    >>> round(float(cost(torch.tensor([[0.0, 0.0]]), torch.tensor([0]))), 4)
    0.25
    """
    wanted = nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return (wanted - logits.softmax(1)).square().mean(1).mean()


def train_thresholds(
    layer: QuantizationLayer,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int = 3,
    learning_rate: float = 2.0,
    batch: int = 100,
    seed: int = 0,
) -> list[float]:
    """Move the layer's thresholds down the gradient of the :func:`cost`, the network as it is.

    Each step is ``t_k - learning_rate * d cost / d t_k``; the paper states neither rate nor epochs. The
    cost's gradient is small: with the defaults thresholds come to rest on 10,000 of MNIST's images. Where the
    network is to learn as well, train ``defended(network, layer)`` as any other: thresholds are among its
    parameters.

    Args:
        layer: a trainable one; changed in place.
        network: behind it; in evaluation mode meanwhile, its parameters unchanged.
        images, labels: float32 (N, C, H, W) and int64 (N,).

    Returns:
        The mean cost of each epoch.

    Raises:
        ValueError: constant thresholds.
    """
    if not isinstance(layer.thresholds, nn.Parameter):
        raise ValueError("layer: a trainable one was expected, its thresholds are constant")
    generator = torch.Generator().manual_seed(seed)
    was_training, costs = network.training, []
    network.eval()
    try:
        for _ in range(epochs):
            total = 0.0
            for rows in torch.randperm(len(images), generator=generator).split(batch):
                value = cost(network(layer(images[rows])), labels[rows])
                gradient = torch.autograd.grad(value, layer.thresholds)[0]
                with torch.no_grad():
                    layer.thresholds -= learning_rate * gradient
                total += float(value.detach()) * len(rows)
            costs.append(total / max(len(images), 1))
    finally:
        network.train(was_training)
    return costs

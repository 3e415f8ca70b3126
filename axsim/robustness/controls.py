"""Controls beside a result: what else could have made it.

Each of these changes one thing about an attack on a defended network, so that a reader sees whether the
defence or something else made the difference: how near the boundary examples stop, how large logits are, how
small gradients are.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import at_rest
from axsim.robustness.balls import over_images


def overshoot(originals: Tensor, images: Tensor, factor: float) -> Tensor:
    """The same noise, ``factor`` times as large, clipped to [0, 1].

    An example that barely crosses one network's boundary says little about another's; 1.05, 1.1 and 1.5 are
    looked at.

    Args:
        originals, images: float32 (N, C, H, W).
        factor: from 0; 1 gives ``images``.

    Raises:
        ValueError: a factor below 0.

    >>> import torch
    >>> overshoot(torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[0.6, 0.9]]]]), 1.5)
    tensor([[[[0.6500, 1.0000]]]])
    """
    if not factor >= 0:
        raise ValueError(f"factor: a number from 0 was expected, {factor} came")
    return (originals + factor * (images - originals)).clamp(0, 1)


def to_boundary(
    network: nn.Module, originals: Tensor, images: Tensor, labels: Tensor, *, steps: int = 25
) -> Tensor:
    """The point nearest to the original on the line to each fooling image that still fools, by bisection.

    Images that do not fool come back as they are; so noise of attacks that stop at different distances from
    the boundary can be compared.

    Args:
        network: whose boundary.
        originals, images: float32 (N, C, H, W).
        labels: int64 (N,).
        steps: halvings of the interval.
    """
    near, far = torch.zeros(len(images)), torch.ones(len(images))
    near, far = near.to(images.device), far.to(images.device)
    with at_rest(network), torch.no_grad():
        fools = network(images).argmax(1) != labels
        for _ in range(steps):
            middle = (near + far) / 2
            points = originals + over_images(middle) * (images - originals)
            wrong = network(points).argmax(1) != labels
            far, near = torch.where(wrong, middle, far), torch.where(wrong, near, middle)
        points = originals + over_images(far) * (images - originals)
        # Asked once more: a point on the edge may come out otherwise than in its bisection.
        still = network(points).argmax(1) != labels
    return torch.where(over_images(fools & still), points, images)


class _Scaled(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(context: Any, x: Tensor, gain: float) -> Tensor:
        context.gain = gain
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * context.gain, None


class ScaledBackward(nn.Module):  # type: ignore[misc]
    """The same answers, and ``gain`` times the gradient.

    Approximate multipliers may amplify, and a backward pass through the exact product knows nothing of it.
    The control is a corrected gradient on the approximate network, and the wrong one on the exact network:
    attacks with a step of their own size (C&W, DeepFool) change with both.

    >>> import torch
    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> y = ScaledBackward(torch.nn.Identity(), 3.0)(x)
    >>> y.sum().backward()
    >>> y.detach(), x.grad
    (tensor([[1., 1.]]), tensor([[3., 3.]]))
    """

    def __init__(self, network: nn.Module, gain: float) -> None:
        super().__init__()
        self.network, self.gain = network, float(gain)

    def forward(self, images: Tensor) -> Tensor:
        return _Scaled.apply(self.network(images), self.gain)


class DividedLogits(nn.Module):  # type: ignore[misc]
    """Logits divided by a number, such as the network's own :func:`scale`.

    Cross-entropy of amplified logits saturates: its gradient rounds to 0 and passes for a defence. Classes do
    not change.

    Raises:
        ValueError: a scale that is not above 0.
    """

    def __init__(self, network: nn.Module, scale: float) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale: a number above 0 was expected, {scale} came")
        self.network, self.scale = network, float(scale)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images) / self.scale


def scale(network: nn.Module, images: Tensor) -> float:
    """How large a network's logits are: their standard deviation over the classes, as a mean over images."""
    with at_rest(network), torch.no_grad():
        return float(network(images).std(1).mean())


def gain(network: nn.Module, exact: nn.Module, images: Tensor) -> float:
    """By how much a network's logits are larger than the exact one's: the ratio of their :func:`scale`."""
    return scale(network, images) / scale(exact, images)


class Float64(nn.Module):  # type: ignore[misc]
    """A copy of a network that computes in float64, its gradients, too.

    float32 rounds small gradients to 0, which looks like a defence. Answers are given back in float32 by
    ``answers``, or left in float64 (the default), where a loss does not saturate as soon.

    >>> import torch
    >>> Float64(torch.nn.Linear(2, 2))(torch.zeros(1, 2)).dtype
    torch.float64
    """

    def __init__(self, network: nn.Module, answers: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).double()
        self.answers = answers

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images.double()).to(self.answers)


class FirstOfBatch(nn.Module):  # type: ignore[misc]
    """A network whose convolutions take the first image of a batch for all of it.

    So does the convolution that the authors of Defensive Approximation have published (Guesmi et al.,
    ASPLOS 2021); what a network says of an image is then what it says of another. For looking at what that
    would make of results.

    Raises:
        ValueError: a batch below 1.

    >>> import torch
    >>> FirstOfBatch(torch.nn.Flatten(), 2)(torch.arange(5.0).reshape(5, 1, 1, 1)).flatten()
    tensor([0., 0., 2., 2., 4.])
    """

    def __init__(self, network: nn.Module, batch: int) -> None:
        super().__init__()
        if batch < 1:
            raise ValueError(f"batch: a number from 1 was expected, {batch} came")
        self.network, self.batch = network, batch

    def forward(self, images: Tensor) -> Tensor:
        said: Tensor = self.network(images[:: self.batch])
        return said.repeat_interleave(self.batch, 0)[: len(images)]

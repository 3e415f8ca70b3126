"""What crafted images did: success, noise, confidence.

Success is judged here, by one of two rules: "any", the network says something else than the label; and
"same", it says what the network said on which the image was crafted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import Attack, at_rest
from axsim.robustness.attacks.losses import margin
from axsim.robustness.balls import size
from axsim.robustness.intervals import Rate, wilson

Judge = Literal["any", "same"]


def logits(network: nn.Module, images: Tensor, *, batch: int = 250) -> Tensor:
    """The network's logits in evaluation mode, without gradients: (N, classes).

    Raises:
        ValueError: NaN among them, which says nothing of a class.
    """
    with at_rest(network), torch.no_grad():
        found = torch.cat([network(some) for some in images.split(batch)]) if len(images) else network(images)
    if wrong := int(found.isnan().flatten(1).any(1).sum()):
        raise ValueError(f"network: its logits hold NaN for {wrong} of {len(images)} images")
    return found


def predictions(network: nn.Module, images: Tensor, *, batch: int = 250) -> Tensor:
    """The class that the network takes each image for: int64 (N,). Raises as :func:`logits` does."""
    if not len(images):
        return torch.zeros(0, dtype=torch.int64, device=images.device)
    return logits(network, images, batch=batch).argmax(1)


def rate(happened: Tensor) -> Rate:
    """Share of True in a bool tensor, with its Wilson interval."""
    return wilson(int(happened.sum()), happened.numel())


def accuracy(network: nn.Module, images: Tensor, labels: Tensor, *, batch: int = 250) -> Rate:
    """Share of images that the network takes for their labels; on crafted ones its robust accuracy.

    Raises:
        ValueError: not one label for each image, or NaN among the logits.
    """
    _check_labels(labels, len(images))
    return rate(predictions(network, images, batch=batch) == labels)


def robustness_curve(
    attack: Attack,
    source: nn.Module,
    victim: nn.Module,
    images: Tensor,
    labels: Tensor,
    budgets: Sequence[float],
    *,
    seed: int = 0,
) -> list[Rate]:
    """Accuracy of ``victim`` on images crafted on ``source``, for each budget.

    Algorithm 1 of A. Siddique, K. A. Hoque, "Is approximation universally defensive against adversarial
    attacks in deep neural networks?" (DATE 2022, arXiv 2112.01555): robustness is the share of all images
    that are still right.

    >>> import torch
    >>> from axsim.robustness.attacks import get
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> with torch.no_grad():  # class 1 for pixels above one half
    ...     _ = network[1].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    ...     _ = network[1].bias.copy_(torch.tensor([0.5, -0.5]))
    >>> images, labels = torch.tensor([0.1, 0.3, 0.8, 0.9]).reshape(4, 1, 1, 1), torch.tensor([0, 0, 1, 1])
    >>> rates = robustness_curve(get("fgsm"), network, network, images, labels, [0, 0.25, 0.35, 0.5])
    >>> [r.value for r in rates]
    [1.0, 0.75, 0.5, 0.0]
    """
    rates = []
    for budget in budgets:
        generator = torch.Generator().manual_seed(seed)
        made = attack(source, images, labels, budget=budget, generator=generator).images
        rates.append(accuracy(victim, made, labels))
    return rates


@dataclass(frozen=True)
class Noise:
    """How much crafted images differ from their originals; each float32 (N,).

    Attributes:
        l0: pixels with a change in any channel.
        l2, linf: Euclidean length, and largest change.
        mse: mean of the squared changes over all values.
        psnr: ``20 log10(max / sqrt(mse))`` in dB, infinite where nothing changed.
    """

    l0: Tensor
    l2: Tensor
    linf: Tensor
    mse: Tensor
    psnr: Tensor


def noise(originals: Tensor, images: Tensor, *, peak: float = 1.0) -> Noise:
    """The noise of each image.

    Args:
        originals, images: float32 (N, C, H, W).
        peak: largest value that an image may have ("max" of the PSNR).

    Raises:
        ValueError: shapes differ.

    >>> import torch
    >>> found = noise(torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.1, 0.0], [0.0, 0.1]]]]))
    >>> round(float(found.l2), 4), float(found.l0), round(float(found.mse), 4), round(float(found.psnr), 2)
    (0.1414, 2.0, 0.005, 23.01)
    """
    if originals.shape != images.shape:
        raise ValueError(f"images: shape {tuple(originals.shape)} was expected, {tuple(images.shape)} came")
    change = images - originals
    mse = change.flatten(1).to(torch.float64).square().mean(1)
    psnr = 20 * math.log10(peak) - 10 * mse.log10()
    return Noise(
        l0=size(change, "l0"),
        l2=size(change, "l2"),
        linf=size(change, "linf"),
        mse=mse.to(torch.float32),
        psnr=psnr.to(torch.float32),
    )


def confidence(scores: Tensor, labels: Tensor, *, temperature: float | None = 1.0) -> Tensor:
    """Output of the label less the largest other output, in [-1, 1] where a softmax is taken: float32 (N,),
    or float64 where the logits are.

    Args:
        scores: (N, classes) logits.
        labels: int64 (N,).
        temperature: logits are divided by it before the softmax; None: raw logits.

    Raises:
        ValueError: a temperature that is not above 0, or not one label for each row.

    >>> import torch
    >>> z, label = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])
    >>> [round(float(confidence(z, label, temperature=t)), 3) for t in (None, 1.0, 10.0)]
    [2.0, 0.73, 0.071]
    """
    _check_labels(labels, len(scores))
    scores = _single(scores)
    if temperature is None:
        return margin(scores, labels)
    if not temperature > 0:
        raise ValueError(f"temperature: a number above 0 was expected, {temperature} came")
    return margin((scores / temperature).softmax(1), labels)


def relative_confidence(scores: Tensor, labels: Tensor) -> Tensor:
    """Raw margins over the network's own largest one, so that networks with amplified logits compare."""
    raw = confidence(scores, labels, temperature=None)
    return raw / raw.abs().max().clamp_min(torch.finfo(raw.dtype).tiny) if len(raw) else raw


def shares_above(values: Tensor, levels: Sequence[float]) -> list[Rate]:
    """How many of the values lie above each level, with intervals: a distribution as a table."""
    return [rate(values > level) for level in levels]


def zero_gradients(
    network: nn.Module, images: Tensor, labels: Tensor, *, loss: Callable[..., Tensor] | None = None
) -> Tensor:
    """Which images get no gradient at all: bool (N,). The attack that follows it stands still there.

    Args:
        loss: of logits and labels, float (N,). Default: cross-entropy, as most attacks take it.
    """
    value = loss or (lambda z, y: nn.functional.cross_entropy(z, y, reduction="none"))
    found = []
    with at_rest(network):
        for some, their in zip(images.split(250), labels.split(250), strict=True):
            x = some.detach().requires_grad_()
            gradient = torch.autograd.grad(value(network(x), their).sum(), x)[0]
            found.append((gradient == 0).flatten(1).all(1))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.bool)


def _check_labels(labels: Tensor, count: int) -> None:
    """Fewer or more of them would be broadcast, and the share one of something else."""
    if labels.shape != (count,):
        raise ValueError(f"labels: shape ({count},) was expected, {tuple(labels.shape)} came")


def _single(scores: Tensor) -> Tensor:
    """Halves as float32: their softmax has steps of a thousandth."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores

"""A substitute for a network of which only the answers can be had.

N. Papernot et al., "Practical black-box attacks against machine learning" (ASIA CCS 2017, doi
10.1145/3052973.3053009), Algorithm 1: a network of the attacker's own is trained on the victim's labels of a
few images; each round doubles the images by moving each a step along the sign of the substitute's derivative
of the class that the victim gave it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import at_rest, check_images
from axsim.robustness.attacks.seeds import seed_from
from axsim.robustness.measures import predictions


@dataclass(frozen=True)
class Substitute:
    """A trained substitute.

    Attributes:
        network: the attacker's, in evaluation mode.
        queries: how many images the victim was asked about.
        agreement: share of the images on which both say the same, after each round of training.
    """

    network: nn.Module
    queries: int
    agreement: tuple[float, ...]


def train_substitute(
    victim: nn.Module,
    untrained: nn.Module,
    images: Tensor,
    *,
    rounds: int = 6,
    epochs: int = 10,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    step: float = 0.1,
    period: int = 0,
    batch: int = 32,
    seed: int = 0,
) -> Substitute:
    """Train a substitute on the victim's answers alone.

    Args:
        victim: images to logits; only its predicted classes are looked at.
        untrained: the attacker's network; a copy of it is trained, beginning in each round where the last one
            ended.
        images: float32 (N, C, H, W) in [0, 1], to begin with (150 of MNIST's test images in the paper). None
            of those that are attacked later.
        rounds: how often the images are doubled ("rho max").
        epochs, learning_rate, momentum, batch: of stochastic gradient descent in each round.
        step: "lambda", how far an image is moved.
        period: "tau": the step's sign turns every so many rounds; 0: never.
        seed: for the order of the images.

    Raises:
        ValueError: no images, or counts below what makes sense.
    """
    check_images(images)
    for name, value, least in (("images", len(images), 1), ("rounds", rounds, 0), ("epochs", epochs, 1)):
        if value < least:
            raise ValueError(f"{name}: at least {least} was expected, {value} came")
    generator = torch.Generator().manual_seed(seed)
    network = copy.deepcopy(untrained)
    known, labels = images.detach(), predictions(victim, images)
    agreement = []
    for number in range(rounds + 1):
        _train(network, known, labels, epochs, learning_rate, momentum, batch, generator)
        agreement.append(float((predictions(network, known) == labels).float().mean()))
        if number < rounds:
            turn = -1 if period and (number // period) % 2 else 1
            more = augment(network, known, labels, turn * step)
            known, labels = torch.cat([known, more]), torch.cat([labels, predictions(victim, more)])
    return Substitute(network.eval(), len(known), tuple(agreement))


def augment(network: nn.Module, images: Tensor, labels: Tensor, step: float) -> Tensor:
    """Each image moved by ``step`` times the sign of the derivative of its label's probability, clipped to
    [0, 1].

    The logarithm of the probability is derived: its sign is the same, and it does not vanish where the
    network is sure.
    """
    moved = []
    with at_rest(network):
        for some, their in zip(images.split(250), labels.split(250), strict=True):
            x = some.detach().requires_grad_()
            likely = network(x).log_softmax(1).gather(1, their[:, None]).sum()
            moved.append((some + step * torch.autograd.grad(likely, x)[0].sign()).clamp(0, 1))
    return torch.cat(moved)


def _train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    epochs: int,
    learning_rate: float,
    momentum: float,
    batch: int,
    generator: torch.Generator,
) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=momentum)
    network.train()
    with torch.random.fork_rng():
        torch.manual_seed(seed_from(generator))  # for layers that draw, such as dropout
        for _ in range(epochs):
            for rows in torch.randperm(len(images), generator=generator).split(batch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
                optimizer.step()
    optimizer.zero_grad()

"""Images that were crafted, with what the network that they were crafted on says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import Attack
from axsim.robustness.controls import overshoot
from axsim.robustness.intervals import Rate
from axsim.robustness.measures import predictions, rate


@dataclass(frozen=True)
class Crafted:
    """What an attack on a network made; it can be tried on any other.

    Attributes:
        originals, images: float32 (N, C, H, W), before and after.
        labels: int64 (N,).
        before, after: int64 (N,), what the attacked network says of originals and images.
        queries: int64 (N,).
        settings: the attack's, and the seed.
    """

    originals: Tensor
    images: Tensor
    labels: Tensor
    before: Tensor
    after: Tensor
    queries: Tensor
    settings: Mapping[str, Any]

    @property
    def right(self) -> Tensor:
        """Which originals the attacked network gets right: bool (N,)."""
        return self.before == self.labels

    @property
    def fooling(self) -> Tensor:
        """Which images changed the attacked network from right to wrong: bool (N,)."""
        return self.right & (self.after != self.labels)

    @property
    def success(self) -> Rate:
        """Of the originals that the attacked network gets right, how many fool it."""
        return rate(self.fooling[self.right])

    def pushed(self, factor: float) -> Crafted:
        """The same with ``factor`` times the noise; what the attacked network said is what it said before."""
        pushed = overshoot(self.originals, self.images, factor)
        return replace(self, images=pushed, settings={**self.settings, "overshoot": factor})


def craft(
    attack: Attack,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    budget: float | None = None,
    seed: int = 0,
) -> Crafted:
    """Craft images on a network.

    Args:
        attack: see :func:`axsim.robustness.attacks.get`.
        network: the one that the attacker has.
        images, labels: float32 (N, C, H, W) in [0, 1] and int64 (N,).
        budget: greatest noise; None for attacks that look for the smallest.
        seed: of the generator that all randomness comes from.
    """
    result = attack(network, images, labels, budget=budget, generator=torch.Generator().manual_seed(seed))
    before, after = (predictions(network, some) for some in (images, result.images))
    settings = {**result.settings, "seed": seed}
    return Crafted(images.detach(), result.images, labels, before, after, result.queries, settings)

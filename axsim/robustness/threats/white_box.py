"""White-box: the attacker has the network itself, and chooses how gradients go back through it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from axsim.robustness.attacks.attack import Attack
from axsim.robustness.intervals import Rate
from axsim.robustness.measures import Noise, noise, rate
from axsim.robustness.threats.crafting import Crafted, craft
from axsim.robustness.threats.transfer import Outcome, transfer


@dataclass(frozen=True)
class WhiteBox:
    """An attack on a network that the attacker has.

    Attributes:
        crafted: the images, and what the network with the attacker's backward says of them.
        outcome: what the network itself says; every image counts that it gets right at first.
    """

    crafted: Crafted
    outcome: Outcome

    @property
    def success(self) -> Rate:
        """How many of the images that the network gets right at first fool it."""
        return self.outcome.success

    @property
    def robust(self) -> Rate:
        """Robust accuracy: how many of all images are still right."""
        return rate(self.outcome.said == self.crafted.labels)

    def noise(self) -> Noise:
        """Noise of the images that count and fool."""
        rows = self.outcome.counted & self.outcome.fooled
        return noise(self.crafted.originals[rows], self.crafted.images[rows])


def white_box(
    attack: Attack,
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    budget: float | None = None,
    seed: int = 0,
    backward: nn.Module | None = None,
) -> WhiteBox:
    """Attack a network that the attacker has.

    Args:
        attack, images, labels, budget, seed: as for :func:`axsim.robustness.threats.craft`.
        network: the one that is judged.
        backward: the same network with another gradient, such as one converted with another gradient rule
            (BPDA), :class:`axsim.robustness.attacks.EOT` around a random one, or a control of
            :mod:`axsim.robustness.controls`. Default: ``network``.

    >>> import torch
    >>> from axsim.robustness.attacks import get
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    >>> with torch.no_grad():  # class 1 for pixels above 0.5
    ...     _ = network[1].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    ...     _ = network[1].bias.copy_(torch.tensor([0.5, -0.5]))
    >>> images, labels = torch.tensor([0.1, 0.3, 0.8]).reshape(3, 1, 1, 1), torch.tensor([0, 0, 1])
    >>> white_box(get("deepfool_l2"), network, images, labels).success.value
    1.0
    """
    crafted = craft(
        attack, network if backward is None else backward, images, labels, budget=budget, seed=seed
    )
    return WhiteBox(crafted, transfer(crafted, network, counted="right"))

"""Black-box: the attacker has the victim's answers, and a network of their own trained on them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from axsim.robustness.attacks.attack import Attack
from axsim.robustness.intervals import Rate
from axsim.robustness.measures import Judge
from axsim.robustness.threats.crafting import Crafted, craft
from axsim.robustness.threats.substitute import Substitute
from axsim.robustness.threats.transfer import Outcome, transfer


@dataclass(frozen=True)
class BlackBox:
    """An attack on a substitute, tried on its victim.

    Attributes:
        crafted: what was made on the substitute.
        among_fooling: the victim's answers, counted over images that both get right and that fool the
            substitute.
        among_right: the same, counted over all images that the victim gets right.
    """

    crafted: Crafted
    among_fooling: Outcome
    among_right: Outcome

    @property
    def success(self) -> Rate:
        """Of the images that both get right and that fool the substitute, how many fool the victim."""
        return self.among_fooling.success


def black_box(
    attack: Attack,
    substitute: Substitute | nn.Module,
    victim: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    budget: float | None = None,
    seed: int = 0,
    judge: Judge = "any",
) -> BlackBox:
    """Attack a victim through a substitute.

    Args:
        substitute: see :func:`axsim.robustness.threats.train_substitute`.
        attack, images, labels, budget, seed: as for :func:`axsim.robustness.threats.craft`.
        judge: as for :func:`axsim.robustness.threats.transfer`.
    """
    network = substitute.network if isinstance(substitute, Substitute) else substitute
    crafted = craft(attack, network, images, labels, budget=budget, seed=seed)
    return BlackBox(
        crafted,
        transfer(crafted, victim, judge=judge, counted="fooling"),
        transfer(crafted, victim, judge=judge, counted="right"),
    )

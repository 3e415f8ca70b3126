"""Transfer: crafted on one network, tried on another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from axsim.robustness.intervals import Rate
from axsim.robustness.measures import Judge, predictions, rate
from axsim.robustness.threats.crafting import Crafted

Counted = Literal["fooling", "right"]


@dataclass(frozen=True)
class Outcome:
    """What a victim made of crafted images.

    Attributes:
        counted: bool (N,), which images count.
        fooled: bool (N,), on which the victim was fooled, counted or not.
        said: int64 (N,), what the victim said.
        judge: by which rule it was fooled.
        kind: by which rule images count.
    """

    counted: Tensor
    fooled: Tensor
    said: Tensor
    judge: Judge
    kind: Counted

    @property
    def success(self) -> Rate:
        """How many of the images that count fooled the victim."""
        return rate(self.fooled[self.counted])


def transfer(
    crafted: Crafted, victim: nn.Module, *, judge: Judge = "any", counted: Counted = "fooling"
) -> Outcome:
    """Try crafted images on a network that the attacker did not have.

    Args:
        crafted: see :func:`axsim.robustness.threats.craft`; ``crafted.pushed(1.1)`` tries larger noise.
        victim: images to logits.
        judge: "any": the victim is fooled where it says something else than the label; "same": where it says
            the wrong class that the attacked network says, too.
        counted: "fooling": images count that both networks get right at first and that fool the attacked one;
            "right": all that the victim gets right at first.

    Raises:
        ValueError: another rule.

    >>> import torch
    >>> from axsim.robustness.attacks import get
    >>> from axsim.robustness.threats import craft
    >>> def network(threshold):  # class 1 for pixels above it
    ...     made = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))
    ...     with torch.no_grad():
    ...         made[1].weight.copy_(torch.tensor([[-1.0], [1.0]]))
    ...         made[1].bias.copy_(torch.tensor([threshold, -threshold]))
    ...     return made
    >>> images, labels = torch.tensor([0.1, 0.3, 0.7, 0.9]).reshape(4, 1, 1, 1), torch.tensor([0, 0, 1, 1])
    >>> crafted = craft(get("fgsm"), network(0.5), images, labels, budget=0.25)
    >>> print(crafted.success, "|", transfer(crafted, network(0.6)).success)  # 0.3 is now 0.55, 0.7 is 0.45
    50.0 % (15.0 to 85.0, n = 4) | 50.0 % (9.5 to 90.5, n = 2)
    >>> transfer(crafted.pushed(1.5), network(0.6)).success.value
    1.0
    """
    if judge not in ("any", "same"):
        raise ValueError(f"judge: 'any' or 'same' was expected, {judge!r} came")
    if counted not in ("fooling", "right"):
        raise ValueError(f"counted: 'fooling' or 'right' was expected, {counted!r} came")
    right = predictions(victim, crafted.originals) == crafted.labels
    said = predictions(victim, crafted.images)
    fooled = said != crafted.labels
    if judge == "same":
        fooled = fooled & (said == crafted.after)
    return Outcome(right & crafted.fooling if counted == "fooling" else right, fooled, said, judge, counted)

"""The checks that a defence must pass, with the attacks that they need; run beside a white-box attack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from axsim.robustness import checks, measures
from axsim.robustness.attacks import get
from axsim.robustness.attacks.attack import Attack, NamedAttack
from axsim.robustness.balls import over_images, size
from axsim.robustness.checks import Verdict, not_tried
from axsim.robustness.intervals import Rate
from axsim.robustness.planted import find, plant
from axsim.robustness.threats import Crafted, craft

SQUARE_STEPS = 500
PLANTED = 5
RESTARTS = 3

_ONE_STEP = {"linf": "fgsm", "l2": "fgm_l2"}
_NOISE = {"linf": "uniform_linf", "l2": "gaussian_l2"}


@dataclass(frozen=True)
class Judged:
    """A white-box attack as it was made.

    Attributes:
        attack: the one that is checked.
        network: that is judged.
        backward: the same with the gradients that the attack followed.
        crafted: what it made.
        budget: of it; None where it looked for the least noise.
        transferred: what was crafted on the exact network; None where that is the network itself.
        seed: of the attack.
    """

    attack: NamedAttack
    network: nn.Module
    backward: nn.Module
    crafted: Crafted
    budget: float | None
    transferred: Crafted | None
    seed: int


def verdicts(judged: Judged) -> list[Verdict]:
    """All checks, those that were not tried, too."""
    crafted, network = judged.crafted, judged.network
    right = measures.predictions(network, crafted.originals) == crafted.labels
    own = _fooled(network, crafted.images, crafted.labels, right)
    moved = None
    if judged.transferred is not None:
        moved = _fooled(network, judged.transferred.images, crafted.labels, right)
    zero = measures.rate(measures.zero_gradients(judged.backward, crafted.originals, crafted.labels))
    always = [
        checks.white_box_beats_transfer(own, moved) if judged.transferred is not None else _on_exact(),
        checks.gradients_are_there(zero),
        not_tried("white-box beats black-box", "the kind black_box tries it"),
    ]
    if judged.budget is None or judged.attack.norm not in _ONE_STEP:
        return [*always, *_of_minimal(judged, right, own)]
    return [*always, *_of_budget(judged, judged.budget, right, own)]


def _on_exact() -> Verdict:
    return not_tried("white-box beats transfer", "the network is the exact one")


def _fooled(network: nn.Module, images: Tensor, labels: Tensor, right: Tensor) -> Rate:
    """How many of the images that were right at first are wrong now."""
    return measures.rate((measures.predictions(network, images) != labels)[right])


def _of_budget(judged: Judged, budget: float, right: Tensor, own: Rate) -> list[Verdict]:
    crafted, norm = judged.crafted, judged.attack.norm

    def tried(attack: Attack, budget: float, seed: int) -> Tensor:
        made = craft(attack, judged.backward, crafted.originals, crafted.labels, budget=budget, seed=seed)
        return measures.predictions(judged.network, made.images) != crafted.labels

    one_step = measures.rate(tried(get(_ONE_STEP[norm]), budget, judged.seed)[right])
    random = measures.rate(tried(get(_NOISE[norm], repeats=1), budget, judged.seed)[right])
    square = get(f"square_{norm}", steps=SQUARE_STEPS)
    free = measures.rate(tried(square, budget, judged.seed)[right])
    many = measures.predictions(judged.network, crafted.images) != crafted.labels
    for more in range(1, RESTARTS):
        many = many | tried(judged.attack, budget, judged.seed + 1000 * more)
    whole = 1.0 if norm == "linf" else float(crafted.originals[0].numel()) ** 0.5
    budgets = [budget / 4, budget / 2, budget, whole]
    rates = [
        own if b == budget else measures.rate(tried(judged.attack, b, judged.seed)[right]) for b in budgets
    ]
    gradient = judged.attack.gradient
    skip = not_tried("iterative beats one step", f"{judged.attack.name} follows no gradient")
    return [
        checks.rises_with_budget(budgets, rates),
        checks.iterative_beats_one_step(own, one_step) if gradient else skip,
        checks.gradient_free_is_weaker(own if gradient else None, free),
        checks.noise_does_little(random, own),
        checks.restarts_change_little(own, measures.rate(many[right])),
        _planted(judged, budget),
    ]


def _planted(judged: Judged, budget: float) -> Verdict:
    generator = torch.Generator().manual_seed(judged.seed)
    how = {"norm": judged.attack.norm, "budget": budget, "generator": generator}
    cases = [plant(judged.backward, image[None], **how) for image in judged.crafted.originals[:PLANTED]]
    found = [case for case in cases if case is not None]
    if not found:
        return not_tried("planted examples are found", "no example could be planted in the network's logits")
    return checks.planted_case_is_found(*find(judged.attack, found, **how))


def _of_minimal(judged: Judged, right: Tensor, own: Rate) -> list[Verdict]:
    """An attack that looks for the least noise: its budgets are the noise that it needed."""
    crafted = judged.crafted
    wrong = measures.predictions(judged.network, crafted.images) != crafted.labels
    length: Callable[[Tensor], Tensor] = lambda images: size(images - crafted.originals, judged.attack.norm)  # noqa: E731
    noise = length(crafted.images)
    needed = noise[wrong & right]
    rates, budgets = [own, own], [0.0, 0.0]
    if len(needed):
        budgets = [float(needed.median()), max(float(needed.max()), float(needed.median()) * 1.0001)]
        rates = [measures.rate((wrong & (noise <= b))[right]) for b in budgets]
    largest = "the most noise that was needed; none was set"
    verdict = checks.rises_with_budget(budgets, rates, largest)
    if judged.budget is not None and own.count < own.of:
        verdict = not_tried(verdict.check, f"the budget of {judged.budget:g} is a limit, and was not raised")
    random = None
    if judged.attack.norm == "l2":
        generator = torch.Generator().manual_seed(judged.seed)
        drawn = torch.randn(crafted.originals.shape, generator=generator)
        drawn = drawn * over_images(noise / size(drawn, "l2"))
        random = _fooled(judged.network, (crafted.originals + drawn).clamp(0, 1), crafted.labels, right)
    why = f"{judged.attack.name} looks for the least noise by itself"
    names = ("iterative beats one step", "gradient-free attacks are weaker", "restarts change little")
    return [
        verdict,
        checks.noise_does_little(random, own),
        *(not_tried(name, why) for name in names),
        not_tried("planted examples are found", why),
    ]

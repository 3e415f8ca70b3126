"""Auto-PGD: F. Croce, M. Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
parameter-free attacks" (ICML 2020, arXiv 2003.01690), Algorithm 1 and Section 3.

Written here because no library that is kept offers it, and Square, with what axsim runs on and without much
else: ``docs/robustness.md`` has the comparison.

Steps begin at twice the budget. At checkpoints, which come closer together, a step is halved, and the search
goes on from the best point, where fewer than ``rho`` of the steps since the last checkpoint raised the loss,
or where neither the step nor the best loss has changed since then.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from axsim.robustness.attacks.attack import Asked, Norm
from axsim.robustness.attacks.losses import cross_entropy, difference_of_logits_ratio
from axsim.robustness.attacks.seeds import normal, uniform
from axsim.robustness.balls import over_images, project, size, steepest

Loss = Callable[[Tensor, Tensor], Tensor]


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    loss: Literal["ce", "dlr"],
    steps: int,
    restarts: int,
    rho: float,
    momentum: float,
    targets: int,
) -> Tensor:
    """The first point found that fools; the point of greatest loss of the last run where none did.

    Args:
        loss: "ce", cross-entropy, or "dlr", the difference of logits ratio.
        steps: gradient steps of a run.
        restarts: runs from random points; only images that still stand are in the next.
        rho: share of the steps that should raise the loss.
        momentum: weight of the new step beside the last one ("alpha").
        targets: 0, or towards how many of the likeliest wrong classes a run is made, each with the targeted
            loss.
    """
    if loss not in ("ce", "dlr"):
        raise ValueError(f"loss: 'ce' or 'dlr' was expected, {loss!r} came")
    for name, value, least in (("steps", steps, 1), ("restarts", restarts, 1), ("targets", targets, 0)):
        if value < least:
            raise ValueError(f"{name}: a whole number from {least} was expected, {value} came")
    assert budget is not None
    made = images.clone()
    rows = torch.arange(len(images), device=images.device)
    with torch.no_grad():
        order = asked(images).scatter(1, labels[:, None], -math.inf).argsort(1, descending=True)
    for _ in range(restarts):
        for rank in range(min(targets, order.shape[1] - 1)) if targets else [None]:
            if not len(rows):
                break
            run = _Run(asked, rows, images[rows], labels[rows], budget, norm)
            run.loss = _loss(loss, None if rank is None else order[rows, rank])
            points, fooling = run.climb(steps, rho, momentum, generator)
            made[rows] = points
            rows = rows[~fooling]
    return made


def checkpoints(steps: int) -> list[int]:
    """After which steps the step length is looked at: 0.22 of all, then intervals shorter by 0.03, at least
    0.06.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    before, at, found = 0.0, 0.22, []
    while at <= 1 + 1e-12:
        found.append(math.ceil(at * steps - 1e-9))
        before, at = at, at + max(at - before - 0.03, 0.06)
    return sorted({max(1, number) for number in found})


def _loss(name: str, targets: Tensor | None) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The loss as a function of logits, labels, and which of the run's images these are."""

    def of(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        if targets is None:
            return (cross_entropy if name == "ce" else difference_of_logits_ratio)(logits, labels)
        if name == "ce":
            return -cross_entropy(logits, targets[index])
        return difference_of_logits_ratio(logits, labels, targets[index])

    return of


class _Run:
    """One run from a random point, for images that stand; images that fall leave the batch."""

    loss: Callable[[Tensor, Tensor, Tensor], Tensor]

    def __init__(
        self, asked: Asked, rows: Tensor, images: Tensor, labels: Tensor, budget: float, norm: Norm
    ) -> None:
        self.asked, self.rows, self.images, self.labels, self.norm = asked, rows, images, labels, norm
        self.budget = torch.full((len(images),), budget, device=images.device)

    def climb(
        self, steps: int, rho: float, momentum: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        count, device = len(self.images), self.images.device
        made = self.images.clone()
        fooling = torch.zeros(count, dtype=torch.bool, device=device)
        at, at_before = torch.arange(count, device=device), self._start(generator)
        x, step, halved = at_before, 2 * self.budget, torch.zeros(count, dtype=torch.bool, device=device)
        value, gradient, wrong = self._look(x, at)
        best, best_gradient, best_value, value_then = x, gradient, value, value
        rises, last, looks = torch.zeros(count, device=device), 0, set(checkpoints(steps))
        for number in range(1, steps + 1):
            made[at[wrong]], fooling[at[wrong]] = x[wrong], True
            if bool(wrong.any()):
                keep = ~wrong
                at, x, at_before, step, halved = (v[keep] for v in (at, x, at_before, step, halved))
                value, gradient, rises, value_then = (v[keep] for v in (value, gradient, rises, value_then))
                best, best_gradient, best_value = (v[keep] for v in (best, best_gradient, best_value))
            if not len(at):
                return made, fooling
            radius, images = self.budget[at], self.images[at]
            ahead = project(x + over_images(step) * steepest(gradient, self.norm), images, radius, self.norm)
            if number > 1:
                mixed = x + momentum * (ahead - x) + (1 - momentum) * (x - at_before)
                ahead = project(mixed, images, radius, self.norm)
            at_before, x, value_before = x, ahead, value
            value, gradient, wrong = self._look(x, at)
            rises = rises + (value > value_before)
            higher = value > best_value
            best = torch.where(over_images(higher), x, best)
            best_gradient = torch.where(over_images(higher), gradient, best_gradient)
            best_value = torch.maximum(best_value, value)
            if number in looks:
                halve = (rises < rho * (number - last)) | (~halved & (best_value <= value_then))
                step = torch.where(halve, step / 2, step)
                back = halve & ~wrong
                x = torch.where(over_images(back), best, x)
                gradient = torch.where(over_images(back), best_gradient, gradient)
                value = torch.where(back, best_value, value)
                rises, last, halved, value_then = torch.zeros_like(rises), number, halve, best_value
        made[at] = torch.where(over_images(wrong), x, best)
        fooling[at[wrong]] = True
        return made, fooling

    def _start(self, generator: torch.Generator) -> Tensor:
        """A random point at the budget's distance, clipped to what images are."""
        draw = uniform if self.norm == "linf" else normal
        noise = draw(tuple(self.images.shape), generator, self.images.device)
        scale = self.budget / size(noise, self.norm).clamp_min(1e-12)
        return project(self.images + noise * over_images(scale), self.images, self.budget, self.norm)

    def _look(self, x: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, its gradient, and whether the network is fooled."""
        x = x.detach().requires_grad_()
        logits = self.asked(x, self.rows[at])
        value = self.loss(logits, self.labels[at], at)
        gradient = torch.autograd.grad(value.sum(), x)[0]
        return value.detach(), gradient, (logits.argmax(1) != self.labels[at]).detach()

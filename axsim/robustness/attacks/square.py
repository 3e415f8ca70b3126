"""Square Attack: M. Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via
random search" (ECCV 2020, arXiv 1912.00049). Scores only, no gradients.

Each step changes one random square of each image and keeps the change where the margin of the right class
falls. The square's share of the image starts at ``p`` and is halved on a schedule. Each image has a square of
its own (one square for a whole batch, as a library has it, makes results depend on who is in the batch).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from axsim.robustness.attacks.attack import Asked, Norm
from axsim.robustness.attacks.losses import margin
from axsim.robustness.attacks.seeds import signs
from axsim.robustness.balls import over_images, project, size

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""After which of 10,000 steps the square's share is halved."""


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    steps: int,
    p: float,
) -> Tensor:
    """The first point that fools, else the point of smallest margin.

    Args:
        steps: the most queries after the start.
        p: share of the pixels that the first squares cover, in (0, 1].
    """
    if steps < 1:
        raise ValueError(f"steps: a whole number from 1 was expected, {steps} came")
    if not 0 < p <= 1:
        raise ValueError(f"p: a share in (0, 1] was expected, {p} came")
    assert budget is not None
    begin, propose = (_stripes, _square) if norm == "linf" else (_tiles, _moved_mass)
    height, width = images.shape[2:]
    made = begin(images, budget, generator)
    with torch.no_grad():
        lead = margin(asked(made), labels)
        for number in range(steps):
            rows = (lead >= 0).nonzero()[:, 0]
            if not len(rows):
                break
            side = int(min(max(round(math.sqrt(share(p, number, steps) * height * width)), 1), height, width))
            tried = propose(made[rows], images[rows], budget, side, generator)
            now = margin(asked(tried, rows), labels[rows])
            better = now < lead[rows]
            made[rows[better]], lead[rows[better]] = tried[better], now[better]
    return made


def share(p: float, number: int, steps: int) -> float:
    """The square's share of the image in step ``number`` of ``steps``.

    >>> share(0.8, 0, 10000), share(0.8, 11, 10000), share(0.8, 9999, 10000)
    (0.8, 0.4, 0.0015625)
    """
    return p * 0.5 ** sum(number / steps * 10_000 > halving for halving in HALVINGS)


Propose = Callable[[Tensor, Tensor, float, int, torch.Generator], Tensor]


def _stripes(images: Tensor, budget: float, generator: torch.Generator) -> Tensor:
    """Vertical stripes of the full budget (Section 3.1)."""
    count, channels, _, width = images.shape
    noise = budget * signs((count, channels, 1, width), generator, images.device)
    return _into(images + noise, images, budget, "linf")


def _square(current: Tensor, images: Tensor, budget: float, side: int, generator: torch.Generator) -> Tensor:
    """A square in which each channel goes to one end of the budget (Algorithm 2)."""
    count, channels = current.shape[:2]
    rows, columns = _windows(current, side, generator)
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    ends = budget * signs((count, channels, 1, 1), generator, images.device)
    return _into(torch.where(inside, images + ends, current), images, budget, "linf")


def _tiles(images: Tensor, budget: float, generator: torch.Generator) -> Tensor:
    """A 5 by 5 grid of bumps with random signs, of the full budget together (Section 3.2)."""
    count, channels, height, width = images.shape
    side = max(min(height, width) // 5, 1)
    noise = torch.zeros_like(images)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            bumps = _bump(count, side, generator, images.device)[:, None]
            sign = signs((count, channels, 1, 1), generator, images.device)
            noise[:, :, top : top + side, left : left + side] = bumps * sign
    noise = noise * over_images(budget / size(noise, "l2"))
    return _into(images + noise, images, budget, "l2")


def _moved_mass(
    current: Tensor, images: Tensor, budget: float, side: int, generator: torch.Generator
) -> Tensor:
    """The noise of one window, and what of the budget is unused, goes into another one (Algorithm 3)."""
    count, channels = current.shape[:2]
    side = min(
        max(side + 1 - side % 2, 3), *current.shape[2:]
    )  # odd, and large enough for a bump of two halves
    noise = current - images
    taken = _cut(_windows(current, side, generator))
    rows, columns = _windows(current, side, generator)
    given = _cut((rows, columns))
    both = taken | given
    unused = (budget**2 - size(noise, "l2") ** 2).clamp_min(0) / channels
    available = ((noise * both).square().sum((2, 3)) + unused[:, None]).sqrt()[:, :, None, None]
    there = noise.masked_select(given.expand_as(noise)).reshape(count, channels, side, side)
    there = there / there.flatten(2).norm(dim=2)[:, :, None, None].clamp_min(1e-12)
    sign = signs((count, channels, 1, 1), generator, images.device)
    bump = there + sign * _bump(count, side, generator, images.device)[:, None]
    bump = bump / bump.flatten(2).norm(dim=2)[:, :, None, None].clamp_min(1e-12) * available
    noise = noise.masked_fill(taken, 0).masked_scatter(given.expand_as(noise), bump)
    return _into(images + noise, images, budget, "l2")


def _windows(current: Tensor, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random window of each image, as the rows and columns that it covers: bool (N, H) and (N, W)."""
    found = []
    for length in current.shape[2:]:
        start = torch.randint(length - side + 1, (len(current), 1), generator=generator).to(current.device)
        line = torch.arange(length, device=current.device)[None]
        found.append((line >= start) & (line < start + side))
    return found[0], found[1]


def _cut(windows: tuple[Tensor, Tensor]) -> Tensor:
    return windows[0][:, None, :, None] & windows[1][:, None, None, :]


def _bump(count: int, side: int, generator: torch.Generator, device: object) -> Tensor:
    """A positive hill beside a negative one, of length 1, turned at random: float32 (count, side, side)."""
    upper = side // 2
    bump = torch.cat([_hill(upper, side), -_hill(side - upper, side)]).to(device)
    bump = bump / bump.norm()
    turned = torch.randint(2, (count, 1, 1), generator=generator).to(bump.device).bool()
    return torch.where(turned, bump.T, bump)


def _hill(height: int, width: int) -> Tensor:
    """Values that fall with the distance from the middle: sums of ``1 / k**2`` (equation 2 of the paper)."""
    rows = (torch.arange(height) - height // 2).abs()
    columns = (torch.arange(width) - width // 2).abs()
    distance = torch.maximum(rows[:, None], columns[None, :])
    terms = 1 / torch.arange(1, max(height, width) // 2 + 2, dtype=torch.float32) ** 2
    return terms.flip(0).cumsum(0).flip(0)[distance]


def _into(points: Tensor, images: Tensor, budget: float, norm: str) -> Tensor:
    radius = torch.full((len(images),), budget, device=images.device)
    return project(points, images, radius, norm)

"""Planted examples: a test of the attack, not of the network.

R. Zimmermann et al., "Increasing confidence in adversarial robustness evaluations" (NeurIPS 2022, arXiv
2206.13991): on top of a network's features a new two-class read-out is fitted that tells points inside the
ball around one image from a few on its edge. Examples exist by construction, at those edge points; an attack
that is fit to judge the network finds one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import Attack, at_rest
from axsim.robustness.attacks.seeds import normal, signs, uniform
from axsim.robustness.balls import over_images, project, size
from axsim.robustness.intervals import Rate, wilson


class ReadOut(nn.Module):  # type: ignore[misc]
    """A network's features, and a plane through them: logits for "inside" and "edge".

    Logits of two more classes that never win follow, so that losses which need four classes work.
    """

    def __init__(self, features: nn.Module, direction: Tensor, offset: float) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("direction", direction)
        self.offset = offset

    def forward(self, images: Tensor) -> Tensor:
        side = self.features(images).flatten(1).to(self.direction.dtype) @ self.direction - self.offset
        low = torch.full_like(side, 0.0) - side.abs() - 1
        return torch.stack([-side, side, low, low - 1], 1)


@dataclass(frozen=True)
class Planted:
    """A network in which an example was planted.

    Attributes:
        network: takes ``image`` for class 0, and ``examples`` for class 1.
        image: float32 (1, C, H, W).
        examples: float32 (M, C, H, W), at the budget's distance of it; in l2 nearer where [0, 1] cuts
            them off.
    """

    network: ReadOut
    image: Tensor
    examples: Tensor


def plant(
    features: nn.Module,
    image: Tensor,
    *,
    norm: str,
    budget: float,
    generator: torch.Generator,
    inner: int = 200,
    edge: int = 1,
    reach: float = 0.8,
) -> Planted | None:
    """A network with ``edge`` examples planted at distance ``budget`` of ``image``.

    Args:
        features: images to features, such as a network without its last layer, or its logits. With features
            as few as ten logits, many planes leave random points at the budget's distance on the examples'
            side: :func:`find` says in how many.
        image: float32 (1, C, H, W).
        norm: "linf" or "l2".
        budget: the attack's.
        generator: draws the points.
        inner: random points within ``reach`` times the budget, which stay class 0.
        edge: how many examples.
        reach: share of the budget in which inner points lie.

    Returns:
        None where no plane separates the points in the features (the paper leaves such images out).
    """
    points = _at(image, inner, norm, budget * reach, generator, fill=True)
    examples = _at(image, edge, norm, budget, generator, fill=False)
    inside = torch.cat([image, points])
    with at_rest(features), torch.no_grad():
        a, b = (features(some).flatten(1).double() for some in (inside, examples))
    middle = a.mean(0)
    spread = (a - middle).T @ (a - middle) / len(a)
    ridge = (
        1e-6
        * spread.diagonal().mean().clamp_min(1e-12)
        * torch.eye(len(spread), dtype=a.dtype, device=a.device)
    )
    direction = torch.linalg.solve(spread + ridge, b.mean(0) - middle)  # Fisher's linear discriminant
    direction = direction / direction.norm().clamp_min(1e-30)
    highest, lowest = float((a @ direction).max()), float((b @ direction).min())
    if not highest < lowest:
        return None
    # The plane stands nearer to the examples: fewer random points cross it.
    network = ReadOut(features, direction, highest + 0.9 * (lowest - highest))
    return Planted(network, image, examples)


def find(
    attack: Attack,
    planted: list[Planted],
    *,
    norm: str,
    budget: float,
    generator: torch.Generator,
    tries: int = 200,
) -> tuple[Rate, Rate]:
    """In how many planted networks the attack finds an example, and in how many one of ``tries`` random
    points is one.

    Returns:
        The attack's rate and that of random points at the budget's distance.
    """
    found = hit = 0
    for case in planted:
        label = torch.zeros(1, dtype=torch.int64, device=case.image.device)
        made = attack(case.network, case.image, label, budget=budget, generator=generator).images
        random = _at(case.image, tries, norm, budget, generator, fill=False)
        with at_rest(case.network), torch.no_grad():
            found += int(case.network(made).argmax(1)[0] == 1)
            hit += int((case.network(random).argmax(1) == 1).any())
    return wilson(found, len(planted)), wilson(hit, len(planted))


def _at(
    image: Tensor, count: int, norm: str, budget: float, generator: torch.Generator, *, fill: bool
) -> Tensor:
    """Random points around the image: at the budget's distance, or (``fill``) within it; then clipped."""
    shape = (count, *image.shape[1:])
    if norm == "linf":
        draw = uniform if fill else signs
        noise = budget * draw(shape, generator, image.device)
    else:
        noise = normal(shape, generator, image.device)
        length = torch.rand((count,), generator=generator).to(image.device) if fill else torch.ones(count)
        noise = noise * over_images(budget * length.to(image.device) / size(noise, "l2"))
    radius = torch.full((count,), budget, device=image.device)
    originals = image.expand(shape)
    return project(originals + noise, originals, radius, norm)

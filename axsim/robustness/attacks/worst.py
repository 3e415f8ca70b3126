"""The worst case per image over several attacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from axsim.robustness.attacks.attack import Asked, NamedAttack, Norm, at_rest
from axsim.robustness.attacks.losses import margin


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    members: list[str],
    attacks: Sequence[NamedAttack],
) -> Tensor:
    """For each image the first member's that fools, or else the try of smallest margin.

    Args:
        members: names of ``attacks``.
        attacks: attacks with this norm; each sees only the images that still stand.
    """
    made = images.clone()
    with torch.no_grad():
        lead = margin(asked(images), labels)
    for attack in attacks:
        rows = (lead >= 0).nonzero()[:, 0]
        if not len(rows):
            break
        inner = Asked(asked.network, len(rows))
        settings: dict[str, Any] = {"norm": norm, "budget": budget, "generator": generator, **attack.settings}
        tried = attack.craft(inner, images[rows], labels[rows], **settings)
        with torch.no_grad():
            now = margin(inner(tried), labels[rows])
        asked.queries[rows.cpu()] += inner.queries
        better = now < lead[rows]
        made[rows[better]], lead[rows[better]] = tried[better], now[better]
    return made


def worst_case(network: nn.Module, labels: Tensor, candidates: Sequence[Tensor]) -> Tensor:
    """Of several crafted versions of each image, the one with the smallest margin of the label.

    Args:
        network: images to logits.
        labels: int64 (N,).
        candidates: float32 (N, C, H, W) each, such as ``images`` of several attacks' results.

    Raises:
        ValueError: no candidates, or of different shapes.

    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2, bias=False))
    >>> with torch.no_grad():
    ...     _ = network[1].weight.copy_(torch.tensor([[1.0], [-1.0]]))
    >>> dark, light = torch.full((1, 1, 1, 1), 0.1), torch.full((1, 1, 1, 1), 0.9)
    >>> worst_case(network, torch.tensor([0]), [light, dark]).item() == dark.item()
    True
    """
    if not candidates or any(c.shape != candidates[0].shape for c in candidates):
        raise ValueError(
            f"candidates: tensors of one shape were expected, {[tuple(c.shape) for c in candidates]} came"
        )
    with at_rest(network), torch.no_grad():
        leads = torch.stack([margin(network(images), labels) for images in candidates])
    best = leads.argmin(0)
    return torch.stack(list(candidates))[best, torch.arange(len(labels), device=labels.device)]

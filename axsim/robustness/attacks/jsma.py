"""JSMA: N. Papernot et al., "The limitations of deep learning in adversarial settings" (IEEE EuroS&P 2016,
doi 10.1109/EuroSP.2016.36), Algorithms 2 and 3.

Two features a step go up (or down) by ``theta``: the pair (p, q) with the greatest ``-alpha * beta`` among
those with ``alpha > 0 > beta``, where ``alpha`` is the sum over the pair of the derivatives of the target
class, and ``beta`` that of all other classes together. A feature that has reached the end of [0, 1] is out.
The search ends when the network says the target class, when the share ``gamma`` of features has been touched,
or when no pair is left that helps.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from axsim.robustness.attacks.attack import Asked, Norm

Target = Literal["second", "next", "random", "all"]


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    theta: float,
    gamma: float,
    target: Target,
    derivatives: Literal["logits", "probabilities"],
) -> Tensor:
    """Images that the network takes for the target class; its last try where it does not.

    Args:
        theta: by how much a feature changes; negative ones make it darker.
        gamma: share of the features that may change, in (0, 1]; a ``budget`` (in features) comes in its
            place.
        target: "second", the likeliest wrong class; "next", the label's successor; "random"; or "all": every
            wrong class is tried, and the try that arrives with the fewest changes counts (the paper's Section
            IV).
        derivatives: of the "logits" (as the paper advises in its Section IV-A) or of the "probabilities".
    """
    if theta == 0 or not -1 <= theta <= 1:
        raise ValueError(f"theta: a change within [-1, 1] other than 0 was expected, {theta} came")
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma: a share in (0, 1] was expected, {gamma} came")
    if derivatives not in ("logits", "probabilities"):
        raise ValueError(f"derivatives: 'logits' or 'probabilities' was expected, {derivatives!r} came")
    features = images[0].numel()
    steps = int(gamma * features / 2 + 1e-9) if budget is None else int(budget) // 2
    best, fewest = images.clone(), torch.full((len(images),), math.inf)
    for wanted in _targets(asked, images, labels, target, generator):
        made, arrived = _towards(asked, images, wanted, theta, steps, derivatives == "probabilities")
        changes = (made != images).flatten(1).sum(1).cpu().to(torch.float32)
        changes[~arrived.cpu()] = 1e9  # worse than any that arrived, better than none
        better = changes < fewest
        best[better.to(images.device)] = made[better.to(images.device)]
        fewest = torch.minimum(fewest, changes)
    return best


def _targets(
    asked: Asked, images: Tensor, labels: Tensor, target: str, generator: torch.Generator
) -> list[Tensor]:
    """The classes to aim at, one tensor (N,) for each try."""
    with torch.no_grad():
        logits = asked(images)
    classes = logits.shape[1]
    if target == "second":
        return [logits.scatter(1, labels[:, None], -math.inf).argmax(1)]
    if target == "next":
        return [(labels + 1) % classes]
    if target == "random":
        steps = torch.randint(1, classes, labels.shape, generator=generator).to(labels.device)
        return [(labels + steps) % classes]
    if target == "all":
        return [(labels + step) % classes for step in range(1, classes)]
    raise ValueError(f"target: 'second', 'next', 'random' or 'all' was expected, {target!r} came")


def _towards(
    asked: Asked, images: Tensor, wanted: Tensor, theta: float, steps: int, probabilities: bool
) -> tuple[Tensor, Tensor]:
    """The images changed until the network says ``wanted``, and which of them arrived."""
    made = images.clone()
    arrived = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    rows = torch.arange(len(images), device=images.device)
    for step in range(steps + 1):
        x = made[rows].requires_grad_()
        logits = asked(x, rows)
        there = logits.argmax(1) == wanted[rows]
        arrived[rows[there]] = True
        if step == steps or bool(there.all()):
            break
        alpha, beta = _derivatives(x, logits, wanted[rows], probabilities)
        rows, alpha, beta = rows[~there], alpha[~there], beta[~there]
        flat = made[rows].flatten(1)
        free = flat < 1 if theta > 0 else flat > 0
        pairs, helpful = best_pairs(alpha, beta, free, increase=theta > 0)
        rows, pairs, flat = rows[helpful], pairs[helpful], flat[helpful]
        if not len(rows):
            break
        moved = (flat.gather(1, pairs) + theta).clamp(0, 1)
        made[rows] = flat.scatter(1, pairs, moved).reshape(made[rows].shape)
    return made, arrived


def _derivatives(x: Tensor, logits: Tensor, wanted: Tensor, probabilities: bool) -> tuple[Tensor, Tensor]:
    """Derivatives of the wanted class, and of all others together: float32 (N, features) each."""
    outputs = logits.softmax(1) if probabilities else logits
    one = outputs.gather(1, wanted[:, None]).sum()
    target = torch.autograd.grad(one, x, retain_graph=True)[0].flatten(1)
    # Others by themselves: probabilities add up to 1, so that a difference from their sum would be all
    # rounding.
    others = torch.autograd.grad(outputs.scatter(1, wanted[:, None], 0.0).sum(), x)[0].flatten(1)
    return target, others


def best_pairs(alpha: Tensor, beta: Tensor, free: Tensor, *, increase: bool) -> tuple[Tensor, Tensor]:
    """The pair of features of greatest saliency for each image (Algorithm 3).

    Args:
        alpha, beta: float32 (N, features), derivatives of the target class and of all others together.
        free: bool (N, features), which features may still change.
        increase: whether features go up; where they go down, the signs of both conditions turn.

    Returns:
        int64 (N, 2), and bool (N,): whether any pair helps at all.

    >>> import torch
    >>> alpha, beta = torch.tensor([[2.0, -1.0, 3.0]]), torch.tensor([[-1.0, -5.0, 0.5]])
    >>> free = torch.ones(1, 3, dtype=torch.bool)
    >>> best_pairs(alpha, beta, free, increase=True)  # -(2 - 1) (-1 - 5) = 6; -(2 + 3) (-1 + 0.5) = 2.5; 9
    (tensor([[1, 2]]), tensor([True]))
    """
    if not increase:
        alpha, beta = -alpha, -beta
    pairs = torch.zeros((len(alpha), 2), dtype=torch.int64, device=alpha.device)
    found = torch.zeros(len(alpha), dtype=torch.bool, device=alpha.device)
    for row in range(len(alpha)):  # features**2 numbers at a time are enough
        index = free[row].nonzero()[:, 0]
        if len(index) < 2:
            continue
        a, b = _near_one(alpha[row, index]), _near_one(beta[row, index])
        gain, loss = a[:, None] + a[None, :], b[:, None] + b[None, :]
        saliency = (gain.clamp_min(0) * loss.clamp_max(0)).neg_()
        saliency.fill_diagonal_(0)
        best = int(saliency.argmax())
        if saliency.flatten()[best] > 0:
            first, second = sorted((best // len(index), best % len(index)))
            pairs[row, 0], pairs[row, 1] = index[first], index[second]
            found[row] = True
    return pairs, found


def _near_one(values: Tensor) -> Tensor:
    """The values times a power of two, which changes no digit: products of small ones would vanish."""
    exponent = int(torch.frexp(values.abs().amax()).exponent)
    return values * 2.0 ** min(-exponent, 126)

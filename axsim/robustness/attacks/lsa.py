"""LSA (LocSearchAdv): N. Narodytska, S. Kasiviswanathan, "Simple black-box adversarial attacks on deep neural
networks" (CVPR Workshops 2017, arXiv 1612.06299), Algorithm 3.

Pixels are values around 0 here, in [-1/2, 1/2]. A round looks at some pixels: each is set to ``p`` times its
sign (far outside what an image holds), and the network's probability of the right class says how much the
pixel matters. The ``t`` pixels that lower it most are changed for good, by ``r`` times their value, wrapped
into [-1/2, 1/2]::

    pixel          0 (black)   0.25    0.5    0.75   1 (white)
    value            -0.5     -0.25    0      0.25     0.5
    1.5 x            -0.75    -0.375   0      0.375    0.75
    wrapped, pixel    0.75     0.125   0.5    0.875    0.25

The next round looks at the squares of side ``2 d + 1`` around these.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from axsim.robustness.attacks.attack import Asked, Norm
from axsim.robustness.attacks.seeds import seed_from


def craft(
    asked: Asked,
    images: Tensor,
    labels: Tensor,
    *,
    norm: Norm,
    budget: float | None,
    generator: torch.Generator,
    **settings: Any,
) -> Tensor:
    """Each image searched by itself; the last state of the search where it found nothing.

    Args:
        p: factor of the perturbation that tells how much a pixel matters.
        r: factor of the change that stays, in [0, 2].
        d: half the side of the square around a changed pixel.
        t: pixels changed a round.
        rounds: the most rounds ("R").
        share: part of the pixels that the first round looks at.
        most: the most pixels that a round looks at, drawn from those it could.
        rest: for how many rounds a changed pixel is not looked at again.
    """
    _check(**settings)
    made = images.clone()
    with torch.no_grad():
        for row in range(len(images)):
            own = torch.Generator().manual_seed(seed_from(generator))
            made[row] = _search(asked, images[row], row, int(labels[row]), budget, own, **settings)
    return made


def cyclic(values: Tensor, r: float) -> Tensor:
    """``r`` times the values, brought back into [-1/2, 1/2] by adding or subtracting 1 (Algorithm 2)."""
    scaled = r * values
    return torch.where(scaled < -0.5, scaled + 1, torch.where(scaled > 0.5, scaled - 1, scaled))


def _search(
    asked: Asked,
    image: Tensor,
    row: int,
    label: int,
    budget: float | None,
    generator: torch.Generator,
    *,
    p: float,
    r: float,
    d: int,
    t: int,
    rounds: int,
    share: float,
    most: int,
    rest: int,
) -> Tensor:
    _, height, width = image.shape
    current = image - 0.5
    free_from = torch.zeros(
        height * width, dtype=torch.int64
    )  # the round from which on a pixel is looked at again
    changed = torch.zeros(height * width, dtype=torch.bool)
    looked_at = torch.randperm(height * width, generator=generator)[: max(1, int(share * height * width))]
    for number in range(rounds):
        looked_at = looked_at[torch.randperm(len(looked_at), generator=generator)[:most]]
        scores = _scores(asked, current, looked_at, row, label, p)
        chosen = looked_at[scores.argsort(stable=True)[:t]]
        if budget is not None:
            new = ~changed[chosen]
            chosen = chosen[~new | (new.cumsum(0) <= int(budget) - int(changed.sum()))]
        if not len(chosen):
            break
        changed[chosen] = True
        free_from[chosen] = number + 1 + rest
        ys, xs = (chosen // width).to(image.device), (chosen % width).to(image.device)
        current[:, ys, xs] = cyclic(current[:, ys, xs], r)
        said = asked((current + 0.5)[None], torch.tensor([row]))
        if int(said.argmax(1)) != label:
            break
        looked_at = _around(chosen, d, height, width)
        looked_at = looked_at[free_from[looked_at] <= number + 1]
        if not len(looked_at):
            break
    # Values that were not touched are given back as they came: adding and subtracting 1/2 rounds.
    return torch.where(changed.reshape(height, width).to(image.device), current + 0.5, image)


def _scores(asked: Asked, current: Tensor, pixels: Tensor, row: int, label: int, p: float) -> Tensor:
    """Log odds of the right class with each pixel perturbed by itself: float32 (pixels,), on the CPU."""
    width = current.shape[2]
    tried = current.repeat(len(pixels), 1, 1, 1)
    number = torch.arange(len(pixels), device=current.device)
    ys, xs = (pixels // width).to(current.device), (pixels % width).to(current.device)
    tried[number, :, ys, xs] = p * current[:, ys, xs].sign().T
    logits = asked(tried + 0.5, torch.full((len(pixels),), row))
    # The logarithm of the odds grows with the probability, but does not end at 1 as that does in float32.
    own, others = logits[:, label], logits.clone()
    others[:, label] = -torch.inf
    return (own - others.logsumexp(1)).cpu()


def _around(pixels: Tensor, d: int, height: int, width: int) -> Tensor:
    """Pixels within ``d`` rows and columns of any of these, each once, in order."""
    offsets = torch.arange(-d, d + 1)
    ys = (pixels // width)[:, None, None] + offsets[None, :, None]
    xs = (pixels % width)[:, None, None] + offsets[None, None, :]
    ys, xs = torch.broadcast_tensors(ys, xs)
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    return (ys[inside] * width + xs[inside]).unique()


def _check(**settings: Any) -> None:
    if not 0 <= settings["r"] <= 2:
        raise ValueError(f"r: a factor in [0, 2] was expected, {settings['r']} came")
    if not 0 < settings["share"] <= 1:
        raise ValueError(f"share: a part in (0, 1] was expected, {settings['share']} came")
    for name, least in (("d", 0), ("t", 1), ("rounds", 1), ("most", 1), ("rest", 0)):
        if settings[name] < least:
            raise ValueError(f"{name}: a whole number from {least} was expected, {settings[name]} came")

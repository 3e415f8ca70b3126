"""Auto-PGD: its schedule, its losses, and that steps are halved when they should be, no more often."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import digits_network, plane_images
from torch import Tensor, nn

from axsim.robustness.attacks import get
from axsim.robustness.attacks.apgd import _Run, checkpoints
from axsim.robustness.attacks.attack import Asked
from axsim.robustness.attacks.losses import cross_entropy, difference_of_logits_ratio, margin
from axsim.robustness.balls import size


def test_checkpoints_are_those_of_the_paper() -> None:
    """p = 0, 0.22, then p + max(p - before - 0.03, 0.06), times the steps and rounded up."""
    p, found = [0.0, 0.22], []
    while p[-1] <= 1:
        found.append(p[-1])
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    assert checkpoints(1000) == [round(1000 * value) for value in found]
    assert checkpoints(5)[0] == 2
    assert checkpoints(1) == [1]


def test_dlr_is_unchanged_by_shift_and_scale_and_grows_as_the_label_loses() -> None:
    z = torch.randn((50, 6), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 6
    targets = (labels + 2) % 6
    for given in (None, targets):
        torch.testing.assert_close(
            difference_of_logits_ratio(z, labels, given), difference_of_logits_ratio(7 * z + 3, labels, given)
        )
    value = difference_of_logits_ratio(z, labels)
    assert torch.equal(value > 0, margin(z, labels) < 0)
    torch.testing.assert_close(cross_entropy(z, labels), -z.log_softmax(1)[torch.arange(50), labels])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dlr_of_equal_logits_is_a_number(dtype: torch.dtype) -> None:
    z = torch.ones((1, 5), dtype=dtype, requires_grad=True)
    for targets in (None, torch.tensor([1])):
        value = difference_of_logits_ratio(z, torch.tensor([0]), targets)
        assert value.item() == 0
        assert torch.isfinite(torch.autograd.grad(value.sum(), z)[0]).all()


def by_the_paper(
    f: Callable[[Any], float], slope: Callable[[Any], Any], origin: Any, start: Any, budget: float, steps: int
) -> list[Any]:
    """Algorithm 1 in NumPy, linf: the points that it looks at."""
    moved = lambda x, step: within(x + step * np.sign(slope(x)))  # noqa: E731
    within = lambda x: np.clip(origin + np.clip(x - origin, -budget, budget), 0, 1)  # noqa: E731
    shares = [0.0, 0.22]
    while shares[-1] <= 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    looks = [math.ceil(share * steps - 1e-9) for share in shares[:-1]]
    step, points, rose, halved = 2 * budget, [start], [], [False]
    before, x, best, highest = start, start, start, [f(start)]
    for k in range(steps):
        ahead = moved(x, step)
        if k:
            ahead = within(x + 0.75 * (ahead - x) + 0.25 * (x - before))
        points.append(ahead)
        rose.append(f(ahead) > f(x))
        before, x = x, ahead
        best = x if f(x) > f(best) else best
        if k + 1 in looks[1:]:
            last = looks[looks.index(k + 1) - 1]
            stuck = not halved[-1] and f(best) == highest[-1]
            halved.append(sum(rose[last:]) < 0.75 * (k + 1 - last) or stuck)
            highest.append(f(best))
            if halved[-1]:
                step, x = step / 2, best
    return points


@pytest.mark.parametrize("seed", range(6))
def test_a_run_is_the_papers_algorithm(seed: int) -> None:
    """A sum of sines, with many tops inside the ball, looked at in float64."""
    draw = np.random.default_rng(seed)
    waves, phases, origin = draw.normal(size=(5, 9)), draw.normal(size=5), draw.random(9)
    seen: list[Any] = []

    def loss(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        return logits[:, 0]

    class Waves(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach().numpy().ravel())
            value = (images.flatten(1) @ torch.tensor(6 * waves.T) + torch.tensor(phases)).sin().sum(1)
            return torch.stack([value, value - 100], 1)

    run = _Run(
        Asked(Waves(), 1),
        torch.tensor([0]),
        torch.tensor(origin.reshape(1, 1, 3, 3)),
        torch.tensor([0]),
        0.25,
        "linf",
    )
    run.loss = loss
    run.climb(60, 0.75, 0.75, torch.Generator().manual_seed(seed))
    expected = by_the_paper(
        lambda x: float(np.sin(6 * waves @ x + phases).sum()),
        lambda x: 6 * np.cos(6 * waves @ x + phases) @ waves,
        origin, seen[0], 0.25, 60,
    )  # fmt: skip
    np.testing.assert_allclose(np.array(seen), np.array(expected), atol=1e-6)


class Slope(nn.Module):
    """Class 0 always: each step raises the loss until the ball's edge, after that none does."""

    def forward(self, images: Tensor) -> Tensor:
        f = images.flatten(1).sum(1)
        return torch.stack([100 - f, f, torch.zeros_like(f), torch.zeros_like(f)], 1)


def trace(steps: int, momentum: float = 0.75) -> list[float]:
    """What the network said at each step of a run on the slope."""
    images = torch.full((1, 1, 2, 2), 0.5)
    asked = Asked(Slope(), 1)
    run = _Run(asked, torch.tensor([0]), images, torch.tensor([0]), 0.1, "linf")
    seen: list[float] = []

    def loss(logits: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        seen.append(float(logits.detach()[0, 1]))
        return cross_entropy(logits, labels)

    run.loss = loss
    run.climb(steps, 0.75, momentum, torch.Generator().manual_seed(0))
    return seen


def test_a_slope_is_climbed_at_once_and_stays_at_its_top() -> None:
    seen = trace(50)
    assert seen[1] == pytest.approx(4 * 0.6)
    assert max(seen) == pytest.approx(4 * 0.6)
    assert len(seen) == 51


class Bowl(nn.Module):
    """The loss rises towards one point inside the ball: steps have to shrink to come near it."""

    def __init__(self, top: Tensor) -> None:
        super().__init__()
        self.top = top

    def forward(self, images: Tensor) -> Tensor:
        f = 10 * (images - self.top).flatten(1).square().sum(1)
        return torch.stack([f + 1, 0 * f, 0 * f - 5, 0 * f - 6], 1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_steps_shrink_towards_a_top_inside_the_ball(norm: str) -> None:
    generator = torch.Generator().manual_seed(4)
    images = torch.full((6, 1, 3, 3), 0.5)
    top = 0.5 + 0.1 * torch.rand((1, 1, 3, 3), generator=generator)
    attack = get(f"apgd_ce_{norm}", steps=100)
    made = attack(
        Bowl(top),
        images,
        torch.zeros(6, dtype=torch.int64),
        budget={"linf": 0.3, "l2": 0.9}[norm],
        generator=generator,
    ).images
    assert size(made - top, "linf").max() < 0.02  # steps of twice the budget alone stay 0.3 away


def test_restarts_only_add() -> None:
    network, images, labels = digits_network()
    images, labels = images[:40], labels[:40]
    fell = []
    for restarts in (1, 4):
        attack = get("apgd_ce_linf", steps=10, restarts=restarts)
        result = attack(network, images, labels, budget=0.06, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            fell.append(network(result.images).argmax(1) != labels)
    assert (fell[1] | ~fell[0]).all()
    assert not fell[1].all()


def test_it_beats_plain_steps_at_a_narrow_budget() -> None:
    network, images, labels = digits_network()
    rates = {}
    many = {"steps": 40, "targets": 3}
    tried = {"fgsm": {}, "pgd_linf": {}, "apgd_ce_linf": {"steps": 40}, "apgd_t_linf": many}
    for name, settings in tried.items():
        attack = get(name, **settings)
        made = attack(
            network, images[:120], labels[:120], budget=0.08, generator=torch.Generator().manual_seed(0)
        ).images
        with torch.no_grad():
            rates[name] = float((network(made).argmax(1) != labels[:120]).float().mean())
    assert rates["apgd_ce_linf"] >= rates["pgd_linf"] >= rates["fgsm"]
    assert rates["apgd_t_linf"] >= rates["pgd_linf"]
    assert 0.05 < rates["fgsm"] < 1


def test_targets_are_aimed_at() -> None:
    """With one target the likeliest wrong class is; the plane's class 1."""
    network, images, labels = plane_images(4)
    made = get("apgd_t_linf", targets=1, steps=20)(
        network, images, labels, budget=0.2, generator=torch.Generator().manual_seed(0)
    ).images
    with torch.no_grad():
        assert (network(made).argmax(1) == 1 - labels).all()


@pytest.mark.parametrize("settings", [{"steps": 0}, {"restarts": 0}, {"targets": -1}, {"loss": "mse"}])
def test_bad_settings(settings: dict[str, object]) -> None:
    network, images, labels = plane_images(1)
    with pytest.raises(ValueError, match=next(iter(settings))):
        get("apgd_ce_linf", **settings)(
            network, images, labels, budget=0.1, generator=torch.Generator().manual_seed(0)
        )

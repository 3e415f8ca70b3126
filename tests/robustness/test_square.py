"""Square Attack: its windows, its schedule, its shapes."""

from __future__ import annotations

import pytest
import torch
from small_networks import digits_network
from torch import Tensor, nn

from axsim.robustness.attacks import get
from axsim.robustness.attacks.losses import margin
from axsim.robustness.attacks.square import _bump, _hill, _moved_mass, _square, _stripes, _tiles, share
from axsim.robustness.balls import size


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_share_is_halved_on_the_papers_schedule() -> None:
    assert [share(0.8, n, 10_000) for n in (10, 11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001)] == [
        0.8 / 2**k for k in range(10)
    ]
    assert share(0.3, 26, 5000) == 0.3 / 4  # the schedule shrinks with the steps


def test_stripes_stand_and_fill_the_budget() -> None:
    images = torch.full((4, 3, 6, 5), 0.5)
    noise = _stripes(images, 0.25, seeded()) - images
    assert torch.equal(noise.abs(), torch.full_like(noise, 0.25))
    assert torch.equal(noise, noise[:, :, :1].expand_as(noise))


def test_squares_are_each_images_own_and_reach_every_edge() -> None:
    images = torch.full((400, 1, 6, 6), 0.5)
    changed = _square(images, images, 0.25, 2, seeded()) != images
    assert changed.flatten(1).sum(1).eq(4).all()
    covered = changed.any(0)[0]
    assert covered.all()  # the last row and column, too
    assert len(changed.flatten(1).to(torch.uint8).unique(dim=0)) == 25


def test_hills_are_sums_of_inverse_squares() -> None:
    hill = _hill(3, 5)
    assert hill[1, 2] == pytest.approx(1 + 1 / 4 + 1 / 9)
    assert hill[1, 1] == hill[0, 2] == pytest.approx(1 / 4 + 1 / 9)
    assert hill[1, 0] == pytest.approx(1 / 9)
    bump = _bump(50, 5, seeded(), "cpu")
    torch.testing.assert_close(bump.flatten(1).norm(dim=1), torch.ones(50))
    assert (bump[:, 0, 2] > 0).any()
    assert len(bump.flatten(1).unique(dim=0)) == 2  # lying and standing


def test_l2_noise_uses_the_whole_budget_and_keeps_to_it() -> None:
    images = torch.full((5, 3, 10, 10), 0.5)
    points = _tiles(images, 0.8, seeded())
    torch.testing.assert_close(size(points - images, "l2"), torch.full((5,), 0.8))
    generator = seeded()
    for side in (9, 5, 3, 1):
        points = _moved_mass(points, images, 0.8, side, generator)
        length = size(points - images, "l2")
        assert length.max() <= 0.8 * (1 + 1e-5)
        assert length.min() > 0.7


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_queries_never_raise_the_margin(norm: str) -> None:
    network, images, labels = digits_network()
    leads = []
    for steps in (1, 30, 200):
        attack = get(f"square_{norm}", steps=steps)
        # Same seed, but the schedule depends on the number of steps: the trend is what is looked at.
        made = attack(
            network, images[:30], labels[:30], budget={"linf": 0.1, "l2": 0.8}[norm], generator=seeded()
        ).images
        with torch.no_grad():
            leads.append(float(margin(network(made), labels[:30]).mean()))
    assert leads[0] > leads[1] > leads[2]


def test_it_asks_for_scores_alone() -> None:
    class NoGradient(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> Tensor:
            assert not torch.is_grad_enabled()
            return self.network(images)

    network, images, labels = digits_network()
    get("square_linf", steps=3)(NoGradient(network), images[:3], labels[:3], budget=0.1, generator=seeded())


def test_images_that_fell_are_not_asked_about_again() -> None:
    network, images, labels = digits_network()
    result = get("square_linf", steps=200)(network, images[:30], labels[:30], budget=0.3, generator=seeded())
    with torch.no_grad():
        stands = network(result.images).argmax(1) == labels[:30]
    assert (result.queries[stands] == 201).all()
    assert (result.queries[~stands] < 201).all()


@pytest.mark.parametrize("settings", [{"steps": 0}, {"p": 0.0}, {"p": 1.5}])
def test_bad_settings(settings: dict[str, float]) -> None:
    network, images, labels = digits_network()
    with pytest.raises(ValueError, match=next(iter(settings))):
        get("square_linf", **settings)(network, images[:1], labels[:1], budget=0.1, generator=seeded())

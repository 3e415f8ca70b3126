"""Attacks of Foolbox: which of its settings they have, and the habits of its that are put right."""

from __future__ import annotations

import inspect

import pytest
import torch
from small_networks import digits_network, plane_images
from torch import Tensor, nn

from axsim.robustness.attacks import Attack, AttackResult, get, list_attacks
from axsim.robustness.attacks.attack import Asked
from axsim.robustness.attacks.foolbox_attacks import estimated_gradient, foolbox
from axsim.robustness.balls import size
from axsim.robustness.controls import DividedLogits


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def craft(
    attack: Attack, network: nn.Module, images: Tensor, labels: Tensor, budget: float | None = None
) -> AttackResult:
    return attack(network, images, labels, budget=budget, generator=seeded())


def fooled(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(1) != labels


@pytest.mark.parametrize(("name", "most"), [("boundary", 1.25), ("hopskipjump", 1.25)])
def test_decisions_alone_come_near_the_plane(name: str, most: float) -> None:
    network, images, labels = plane_images(6)
    settings = {"steps": 2000} if name == "boundary" else {"steps": 16}
    made = craft(get(name, **settings), network, images, labels).images
    assert fooled(network, made, labels).all()
    ratio = size(made - images, "l2") / network.distance(images, "l2")
    assert ratio.min() >= 1 - 1e-4
    assert ratio.max() <= most


def test_hopskipjump_does_not_depend_on_how_many_images_there_are() -> None:
    """Foolbox divides the estimated gradient by the whole batch's length: steps would shrink with it."""
    network, images, labels = plane_images(20)
    attack = get("hopskipjump", steps=3)
    together = size(craft(attack, network, images, labels).images - images, "l2").mean()
    small = get("hopskipjump", steps=3, batch=2)
    apart = size(craft(small, network, images, labels).images - images, "l2").mean()
    assert together < 1.15 * apart


@pytest.mark.parametrize("name", ["fgm_l2", "bim_l2", "pgd_l2", "apgd_ce_l2"])
def test_l2_steps_do_not_shrink_with_the_gradient(name: str) -> None:
    """Large logits make gradients of cross-entropy small; Foolbox divides by 1e-12 at least."""
    network, images, labels = plane_images(4)
    amplified = DividedLogits(network, 0.1)
    with torch.no_grad():
        wrong = amplified(images).log_softmax(1).gather(1, 1 - labels[:, None])
    assert -80 < wrong.min() < wrong.max() < -40
    budget = float(network.distance(images, "l2").max()) * 1.1
    made = craft(get(name, **({"steps": 100} if name == "pgd_l2" else {})), amplified, images, labels, budget)
    assert fooled(network, made.images, labels).all()


@pytest.mark.parametrize("name", ["deepfool_l2", "deepfool_linf"])
@pytest.mark.parametrize("label", [0, 1])
def test_deepfool_leaves_a_boundary_on_the_other_side(name: str, label: int) -> None:
    """Foolbox takes the last of the largest logits for the class to leave: it went the other way for ever."""

    class Tie(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            f = images.flatten(1).sum(1) - 8
            return torch.stack([f, -f - label * 1e-6, f * 0 - 9], 1)  # the first of equal ones is the class

    image, labels = torch.full((1, 1, 4, 4), 0.5), torch.tensor([0])
    made = craft(get(name), Tie(), image, labels).images
    assert fooled(Tie(), made, labels).all()
    assert size(made - image, "l2").item() < 0.01


@pytest.mark.parametrize("name", [n for n in list_attacks() if "kind" in get(n).settings or n == "cw_l2"])
def test_settings_are_foolboxs_where_nothing_else_is_said(name: str) -> None:
    settings = dict(get(name).settings)
    signature = inspect.signature(getattr(foolbox().attacks, settings.pop("kind", "L2CarliniWagnerAttack")))
    theirs = {key: signature.parameters[key].default for key in settings}
    other = {key: (settings[key], theirs[key]) for key in settings if settings[key] != theirs[key]}
    assert other == ({"steps": (1000, 10000)} if name == "cw_l2" else {})


def test_carlini_wagner_that_finds_nothing_gives_the_image_back() -> None:
    """Foolbox gives a black image, which a network may well take for something else."""
    network, images, labels = digits_network()
    made = craft(get("cw_l2", binary_search_steps=1, steps=1), network, images[:5], labels[:5]).images
    assert torch.equal(made, images[:5])


def test_boundary_and_hopskipjump_without_a_starting_point() -> None:
    """One class alone: nothing to start from. Foolbox would raise for all images."""

    class One(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.stack([images.sum((1, 2, 3)) + 1, torch.zeros(len(images))], 1)

    images, labels = torch.rand((3, 1, 4, 4), generator=seeded()), torch.zeros(3, dtype=torch.int64)
    for name in ("boundary", "hopskipjump"):
        assert torch.equal(craft(get(name, steps=4), One(), images, labels).images, images)


def test_the_estimated_gradient_is_the_planes_normal() -> None:
    network, images, labels = plane_images(3)
    starts = images.clone()
    with torch.no_grad():
        f, length = network(images)[:, 0], network.weight.norm()
        starts -= (f / length**2)[:, None, None, None] * network.weight  # onto the plane
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = estimated_gradient(Asked(network, 3), starts, labels, 4000, torch.full((3,), 0.05))
    torch.testing.assert_close(size(made, "l2"), torch.ones(3))
    normal = network.weight.detach() / length
    towards = (1 - 2 * (1 - labels)).float() * (made * normal).sum(
        (1, 2, 3)
    )  # class 1 is fooled by rising, 0 by falling
    assert towards.min() > 0.95


def test_decisions_that_are_all_alike_give_a_direction_still() -> None:
    class Always(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[0.0, 1.0]]).repeat(len(images), 1)

    points, labels = torch.full((2, 1, 3, 3), 0.5), torch.zeros(2, dtype=torch.int64)
    made = estimated_gradient(Asked(Always(), 2), points, labels, 10, torch.full((2,), 0.1))
    torch.testing.assert_close(size(made, "l2"), torch.ones(2))

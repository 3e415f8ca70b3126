"""Every attack on one table of targets; and what every attack keeps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import digits_network, plane_images
from torch import Tensor, nn

from axsim.errors import UnknownAttackError
from axsim.robustness.attacks import EOT, Attack, AttackResult, MeanOf, NamedAttack, get, list_attacks
from axsim.robustness.balls import size
from axsim.robustness.controls import DividedLogits

QUICK: dict[str, dict[str, Any]] = {
    "cw_l2": {"binary_search_steps": 5, "steps": 40, "stepsize": 0.05, "initial_const": 0.1},
    "boundary": {"steps": 150},
    "hopskipjump": {"steps": 4, "initial_gradient_eval_steps": 30},
    "gaussian_l2": {"repeats": 5},
    "uniform_l2": {"repeats": 5},
    "uniform_linf": {"repeats": 5},
    "lsa": {"rounds": 25},
    "apgd_ce_linf": {"steps": 20},
    "apgd_ce_l2": {"steps": 20},
    "apgd_dlr_linf": {"steps": 20},
    "apgd_dlr_l2": {"steps": 20},
    "apgd_t_linf": {"steps": 10, "targets": 3},
    "apgd_t_l2": {"steps": 10, "targets": 3},
    "square_linf": {"steps": 100},
    "square_l2": {"steps": 100},
    "worst_linf": {"members": ["fgsm", "apgd_dlr_linf"]},
    "worst_l2": {"members": ["fgm_l2", "apgd_dlr_l2"]},
}
BUDGET = {"linf": 0.2, "l2": 1.2, "l0": 12.0}
every = pytest.mark.parametrize("name", list_attacks())


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def craft(
    attack: Attack, network: nn.Module, images: Tensor, labels: Tensor, budget: float | None = None
) -> AttackResult:
    if budget is None and not attack.minimal:
        budget = BUDGET[attack.norm]
    return attack(network, images, labels, budget=budget, generator=seeded())


def fooled(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(1) != labels


def quick(name: str, **settings: Any) -> NamedAttack:
    return get(name, **{**QUICK.get(name, {}), **settings})


@every
def test_budgets_are_kept_and_pixels_stay(name: str) -> None:
    attack = quick(name)
    network, images, labels = digits_network()
    images, labels = images[:12], labels[:12]
    budget = BUDGET[attack.norm]
    result = craft(attack, network, images, labels, budget)
    assert isinstance(attack, Attack)
    assert result.images.shape == images.shape
    assert result.images.dtype == torch.float32
    assert not result.images.requires_grad
    assert result.images.min() >= 0
    assert result.images.max() <= 1
    assert size(result.images - images, attack.norm).max() <= budget * (1 + 1e-5)
    assert result.queries.shape == (12,)
    assert result.settings["attack"] == name
    assert result.settings["budget"] == budget
    json.dumps(result.settings)


@every
def test_a_generous_budget_fools(name: str) -> None:
    """Attacks with gradients fool all of a plain network, the others at least some."""
    attack = quick(name)
    network, images, labels = digits_network()
    images, labels = images[:12], labels[:12]
    generous = {"linf": 0.5, "l2": 4.0, "l0": 40.0}[attack.norm]
    share = fooled(network, craft(attack, network, images, labels, generous).images, labels).float().mean()
    if name in ("contrast_l2", "gaussian_l2", "uniform_l2", "uniform_linf"):
        assert share >= 1 / 12
    elif name in ("fgsm", "fgm_l2", "jsma", "lsa"):
        assert share >= {"fgsm": 0.7, "fgm_l2": 0.5, "jsma": 0.7, "lsa": 0.3}[name]
    else:
        assert share == 1


@pytest.mark.parametrize("name", [n for n in list_attacks(gradient=True) if get(n).norm != "l0"])
def test_gradient_attacks_find_the_smallest_noise_of_a_plane(name: str) -> None:
    """PGD gets steps enough to cross its ball, which its usual 40 of a 30th of the budget do not."""
    network, images, labels = plane_images(4)
    attack = quick(name, **({"steps": 250} if name.startswith("pgd") else {}))
    least = network.distance(images, attack.norm)
    if attack.minimal:
        made = craft(attack, network, images, labels).images
        assert fooled(network, made, labels).all()
        ratio = size(made - images, attack.norm) / least
        assert ratio.min() >= 1 - 1e-4
        assert ratio.max() <= 1.06
        return
    for row in range(len(images)):
        one, label = images[row : row + 1], labels[row : row + 1]
        above = craft(attack, network, one, label, float(least[row]) * 1.02).images
        assert fooled(network, above, label).all()
        below = craft(attack, network, one, label, float(least[row]) * 0.98).images
        assert not fooled(network, below, label).any()


@every
def test_a_seed_gives_the_same_bits(name: str) -> None:
    network, images, labels = digits_network()
    first = craft(quick(name), network, images[:6], labels[:6])
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002 - what a library might read
    torch.manual_seed(4)
    second = craft(quick(name), network, images[:6], labels[:6])
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.queries, second.queries)


@pytest.mark.parametrize("name", ["pgd_linf", "apgd_ce_linf", "square_l2", "lsa", "uniform_linf"])
def test_another_seed_gives_other_images(name: str) -> None:
    network, images, labels = digits_network()
    budget = None if get(name).minimal else 0.9
    results = [
        quick(name)(network, images[:6], labels[:6], budget=budget, generator=seeded(seed)) for seed in (1, 2)
    ]
    assert not torch.equal(results[0].images, results[1].images)


@every
def test_the_network_and_the_world_are_left_as_they_were(name: str) -> None:
    network, images, labels = digits_network()
    images = images[:4].clone().requires_grad_()
    network.train()
    next(iter(network.parameters())).requires_grad_(False)
    before = images.detach().clone()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    try:
        craft(quick(name), network, images, labels[:4])
        assert all(module.training for module in network.modules())
        assert [p.requires_grad for p in network.parameters()] == [False] + [True] * 7
        assert all(p.grad is None for p in network.parameters())
    finally:
        network.eval().requires_grad_(True)
    assert images.grad is None
    assert torch.equal(images.detach(), before)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()  # noqa: NPY002


class Counting(nn.Module):
    """Counts images by what it sees."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.seen = network, 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return self.network(images)


@every
def test_queries_are_all_forward_passes(name: str) -> None:
    network, images, labels = digits_network()
    counting = Counting(network)
    result = craft(quick(name, batch=3), counting, images[:5], labels[:5])
    assert (
        int(result.queries.sum()) == counting.seen - 1
    )  # the first image is asked once about the logits' shape
    assert result.queries.min() >= 1


@pytest.mark.parametrize(
    ("passes", "around"),
    [
        (6, lambda network: EOT(MeanOf([network, network]), 3)),
        (4, lambda network: MeanOf([EOT(network, 3), network])),
        (4, lambda network: nn.Sequential(nn.Identity(), EOT(network, 4))),
        (2, lambda network: DividedLogits(MeanOf([network, network]), 2.0)),
    ],
)
def test_every_network_behind_a_mean_is_counted(
    passes: int, around: Callable[[nn.Module], nn.Module]
) -> None:
    network, images, labels = digits_network()
    counting = Counting(network)
    result = craft(get("bim_linf"), around(counting), images[:5], labels[:5])
    assert result.queries.tolist() == [11 * passes] * 5
    assert counting.seen == 55 * passes + passes  # the first image is asked once about the logits' shape


def test_a_networks_own_samples_are_no_queries() -> None:
    network, images, labels = digits_network()
    counting = Counting(network)
    counting.samples = 7
    assert craft(get("fgsm"), counting, images[:5], labels[:5]).queries.tolist() == [2] * 5


@every
@pytest.mark.parametrize("strange", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(name: str, strange: float) -> None:
    """Every class would be a wrong one: the image would pass for one that fools."""

    class Overflows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network  # a part of it, so that its parameters get no gradients

        def forward(self, images: Tensor) -> Tensor:
            logits = self.network(images)
            far = (images - original).abs().flatten(1).amax(1) > 0.001  # the image itself is all right
            return torch.where(far[:, None] & (torch.arange(10) == 3), strange, logits)

    network, images, labels = digits_network()
    original = images[:1]
    with pytest.raises(ValueError, match="network: logits that are numbers were expected, NaN or inf came"):
        craft(quick(name), Overflows(), original, labels[:1])


def test_an_attack_that_breaks_a_rule_is_stopped() -> None:
    network, images, labels = digits_network()
    for noise, message in ((0.21, "beyond the budget 0.2"), (float("inf"), "no numbers")):
        broken = replace(
            get("fgsm"), craft=lambda asked, images, labels, n=noise, **_: images + n, settings={}
        )
        with pytest.raises(RuntimeError, match=message):
            craft(broken, network, images[:2] * 0.5, labels[:2])


@every
def test_a_network_that_is_wrong_everywhere(name: str) -> None:
    """Attacks that look for the smallest noise have found it: none."""
    network, images, labels = digits_network()
    wrong = (labels[:4] + 1) % 10
    attack = quick(name)
    result = craft(attack, network, images[:4], wrong)
    if attack.minimal:
        assert torch.equal(result.images, images[:4])
        assert result.queries.tolist() == [1] * 4
    assert (
        fooled(network, result.images, wrong).float().mean() >= 0.5
    )  # budgets may help the wrong label, too


@pytest.mark.parametrize("name", list_attacks(minimal=True))
def test_minimal_attacks_leave_alone_what_is_wrong_from_the_start(name: str) -> None:
    network, images, labels = digits_network()
    labels = labels[:6].clone()
    labels[::2] = (labels[::2] + 1) % 10
    result = craft(quick(name), network, images[:6], labels)
    assert torch.equal(result.images[::2], images[:6:2])
    assert (result.images[1::2] != images[1:6:2]).flatten(1).any(1).any()


@every
def test_a_batch_of_one_and_of_none(name: str) -> None:
    network, images, labels = digits_network()
    assert craft(quick(name), network, images[:1], labels[:1]).images.shape == (1, 1, 8, 8)
    none = craft(quick(name), network, images[:0], labels[:0])
    assert none.images.shape == (0, 1, 8, 8)
    assert none.queries.shape == (0,)


@every
def test_no_budget_no_noise(name: str) -> None:
    network, images, labels = digits_network()
    assert torch.equal(craft(quick(name), network, images[:3], labels[:3], 0.0).images, images[:3])


def test_an_image_beyond_the_budget_comes_back_unchanged() -> None:
    network, images, labels = plane_images(6)
    least = network.distance(images, "l2")
    budget = float(least.median())
    made = craft(get("deepfool_l2"), network, images, labels, budget).images
    assert torch.equal((made != images).flatten(1).any(1), fooled(network, made, labels))
    assert 0 < int(fooled(network, made, labels).sum()) < 6


def test_unknown_names_and_settings() -> None:
    with pytest.raises(UnknownAttackError, match=r"did you mean pgd_linf"):
        get("pgdlinf")
    with pytest.raises(UnknownAttackError, match="list_attacks"):
        get("zzz")
    with pytest.raises(TypeError, match=r"no setting 'step'; did you mean steps or rel_stepsize\?"):
        get("pgd_linf", step=3)
    with pytest.raises(TypeError, match="no setting 'kind'"):
        get("pgd_linf", kind="L2PGD")
    with pytest.raises(TypeError, match=r"steps is a int, 2\.5 came"):
        get("pgd_linf", steps=2.5)
    with pytest.raises(TypeError, match="steps is a int, True came"):
        get("pgd_linf", steps=True)
    with pytest.raises(ValueError, match="batch"):
        get("pgd_linf", batch=0)
    with pytest.raises(ValueError, match="attacks with a budget in linf were expected, 'cw_l2' came"):
        get("worst_linf", members=["cw_l2"])
    assert get("pgd_linf", rel_stepsize=1).settings["rel_stepsize"] == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"budget": -0.1}, ValueError, "budget: a number from 0 was expected, -0.1 came"),
        ({"budget": float("nan")}, ValueError, "budget"),
        ({"budget": "0.1"}, TypeError, "budget: a number was expected, str came"),
        ({"budget": None}, ValueError, "budget: pgd_linf needs one"),
        (
            {"images": torch.full((2, 1, 8, 8), 1.5)},
            ValueError,
            r"images: values in \[0, 1\] .* \[1.5, 1.5\] came",
        ),
        ({"images": torch.full((2, 1, 8, 8), float("nan"))}, ValueError, "images"),
        ({"images": torch.zeros(2, 8, 8)}, ValueError, r"images: shape \(N, C, H, W\)"),
        ({"images": torch.zeros((2, 1, 8, 8), dtype=torch.uint8)}, TypeError, "images: float32"),
        ({"images": np.zeros((2, 1, 8, 8), np.float32)}, TypeError, "images: a torch tensor"),
        ({"labels": torch.tensor([1])}, ValueError, "labels: one for each of 2 images"),
        ({"labels": torch.tensor([1, 10])}, ValueError, "labels: 10 came, the network knows classes 0 to 9"),
        ({"labels": torch.tensor([1, -1])}, ValueError, "labels: class numbers from 0"),
        ({"labels": torch.tensor([1.0, 2.0])}, TypeError, "labels: an int64 tensor"),
        ({"generator": 3}, TypeError, "generator: a torch.Generator was expected, int came"),
        ({"network": nn.Flatten(0)}, ValueError, r"network: logits \(N, classes\) were expected"),
    ],
)
def test_bad_arguments(change: dict[str, Any], error: type[Exception], message: str) -> None:
    network, images, labels = digits_network()
    arguments: dict[str, Any] = {"network": network, "images": images[:2], "labels": labels[:2]}
    arguments |= {"budget": 0.1, "generator": seeded(), **change}
    with pytest.raises(error, match=message):
        get("pgd_linf")(
            arguments.pop("network"), arguments.pop("images"), arguments.pop("labels"), **arguments
        )


def test_pixels_are_counted_in_whole_numbers() -> None:
    network, images, labels = digits_network()
    with pytest.raises(ValueError, match=r"jsma counts pixels: a whole number was expected, 2\.5 came"):
        craft(get("jsma"), network, images[:1], labels[:1], 2.5)


def test_the_dlr_loss_needs_enough_classes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.tensor([0])
    with pytest.raises(ValueError, match=r"DLR loss needs 3 classes, 2 came"):
        craft(get("apgd_dlr_linf"), network, images, labels, 0.1)

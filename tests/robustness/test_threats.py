"""Threat models: which images count, who is asked, and that a substitute learns what its victim says."""

from __future__ import annotations

import pytest
import torch
from small_networks import digits, digits_network, plane_images, small_cnn
from torch import Tensor, nn

from axsim.robustness.attacks import EOT, get
from axsim.robustness.balls import size
from axsim.robustness.controls import ScaledBackward
from axsim.robustness.threats import Crafted, black_box, craft, train_substitute, transfer, white_box
from axsim.robustness.threats.substitute import augment


class Says(nn.Module):
    """A network that says given classes, whatever it is shown, for originals and then for crafted images."""

    def __init__(self, *answers: list[int]) -> None:
        super().__init__()
        self.answers = list(answers)

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.one_hot(torch.tensor(self.answers.pop(0)), 3).float()


def made_by_hand() -> Crafted:
    images = torch.zeros(6, 1, 1, 1)
    return Crafted(
        originals=images,
        images=images + 0.1,
        labels=torch.tensor([0, 0, 0, 0, 0, 0]),
        before=torch.tensor([0, 0, 0, 0, 1, 0]),
        after=torch.tensor([1, 1, 2, 0, 1, 1]),
        queries=torch.ones(6, dtype=torch.int64),
        settings={"attack": "by hand"},
    )


def test_which_images_count() -> None:
    crafted = made_by_hand()
    assert crafted.fooling.tolist() == [True, True, True, False, False, True]
    assert crafted.success.count == 4
    assert crafted.success.of == 5
    # The victim is wrong on image 5 from the start, and is fooled by 0 (same class), 2 (another), 3 and 4.
    before, after = [0, 0, 0, 0, 0, 2], [1, 0, 1, 1, 1, 2]
    both = transfer(crafted, Says(before, after))
    assert both.counted.tolist() == [True, True, True, False, False, False]
    assert (both.success.count, both.success.of) == (2, 3)
    same = transfer(crafted, Says(before, after), judge="same")
    assert (same.success.count, same.success.of) == (1, 3)
    right = transfer(crafted, Says(before, after), counted="right")
    assert (right.success.count, right.success.of) == (4, 5)


def test_unknown_rules() -> None:
    with pytest.raises(ValueError, match="judge"):
        transfer(made_by_hand(), Says(), judge="some")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="counted"):
        transfer(made_by_hand(), Says(), counted="all")  # type: ignore[arg-type]


def test_a_network_transfers_to_itself_and_pushed_noise_is_larger() -> None:
    network, images, labels = digits_network()
    crafted = craft(get("deepfool_l2"), network, images[:30], labels[:30])
    assert transfer(crafted, network).success.value == 1
    assert transfer(crafted, network, judge="same").success.value == 1
    pushed = crafted.pushed(1.5)
    assert pushed.settings["overshoot"] == 1.5
    assert (size(pushed.images - images[:30], "l2") >= size(crafted.images - images[:30], "l2")).all()


def test_more_noise_transfers_better_to_a_network_of_another_seed() -> None:
    source, images, labels = digits_network(0)
    victim, _, _ = digits_network(1)
    crafted = craft(get("deepfool_l2"), source, images[:80], labels[:80])
    rates = [transfer(crafted.pushed(factor), victim).success.value for factor in (1.0, 1.5, 2.5)]
    assert rates[0] < rates[1] < rates[2]


def test_white_box_with_another_backward_is_judged_on_the_network() -> None:
    network, images, labels = digits_network()
    images, labels = images[:30], labels[:30].clone()
    labels[0] = (labels[0] + 1) % 10
    found = white_box(
        get("pgd_linf"), network, images, labels, budget=0.3, backward=ScaledBackward(network, 3.0)
    )
    assert found.success.of == 29
    assert found.success.value > 0.9
    assert found.robust.of == 30
    assert len(found.noise().l2) == found.success.count
    assert float(found.noise().linf.max()) <= 0.3 + 1e-6


def test_eot_attacks_a_random_network() -> None:
    network, images, labels = digits_network()

    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return network(x + 0.15 * torch.randn_like(x))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = white_box(
            get("apgd_ce_linf", steps=10),
            Noisy(),
            images[:20],
            labels[:20],
            budget=0.25,
            backward=EOT(Noisy(), 8),
        )
    assert found.success.value > 0.8
    assert int(found.crafted.queries.min()) >= 8  # every draw is a query
    with pytest.raises(ValueError, match="samples"):
        EOT(network, 0)


def test_augmentation_moves_towards_the_label() -> None:
    network, images, labels = plane_images(4)
    moved = augment(network, images, labels, 0.05)
    f = (-1.0) ** labels * network(images)[:, 0].detach()
    g = (-1.0) ** labels * network(moved)[:, 0].detach()
    assert (g > f).all()
    torch.testing.assert_close((moved - images).abs(), torch.full_like(images, 0.05))
    back = augment(network, images, labels, -0.05)
    torch.testing.assert_close(back - images, images - moved)


def test_a_substitute_learns_from_answers_alone() -> None:
    victim, _, _ = digits_network()

    class Answers(nn.Module):
        """Only which class is largest can be read off."""

        def __init__(self) -> None:
            super().__init__()
            self.asked = 0

        def forward(self, images: Tensor) -> Tensor:
            assert not torch.is_grad_enabled()
            self.asked += len(images)
            return nn.functional.one_hot(victim(images).argmax(1), 10).float()

    train_images, _, images, labels = digits()
    answers = Answers()
    torch.manual_seed(3)
    untrained = small_cnn()
    weights = [p.clone() for p in untrained.parameters()]
    substitute = train_substitute(
        answers, untrained, train_images[:60], rounds=3, epochs=20, learning_rate=0.05
    )
    assert substitute.queries == answers.asked == 60 * 8
    assert len(substitute.agreement) == 4
    assert substitute.agreement[-1] > 0.7
    assert all(torch.equal(a, b) for a, b in zip(weights, untrained.parameters(), strict=True))
    again = train_substitute(Answers(), untrained, train_images[:60], rounds=3, epochs=20, learning_rate=0.05)
    assert again.agreement == substitute.agreement
    found = black_box(get("pgd_linf"), substitute, victim, images[:60], labels[:60], budget=0.3)
    assert found.success.of > 10
    assert found.success.value > 0.3
    assert found.among_right.success.of >= found.success.of


def test_a_substitutes_arguments() -> None:
    network, images, _ = digits_network()
    with pytest.raises(ValueError, match="images: at least 1"):
        train_substitute(network, small_cnn(), images[:0])
    with pytest.raises(ValueError, match="epochs"):
        train_substitute(network, small_cnn(), images[:2], epochs=0)

"""Controls change one thing, and only that."""

from __future__ import annotations

import pytest
import torch
from small_networks import digits_network, plane_images

from axsim.robustness import controls
from axsim.robustness.attacks import MeanOf, get
from axsim.robustness.balls import size
from axsim.robustness.measures import predictions, zero_gradients


def test_overshoot_scales_the_noise() -> None:
    originals, images = torch.full((2, 1, 2, 2), 0.5), torch.full((2, 1, 2, 2), 0.6)
    for factor in (0.0, 1.0, 1.05, 1.1, 1.5):
        made = controls.overshoot(originals, images, factor)
        torch.testing.assert_close(made, torch.full_like(made, 0.5 + 0.1 * factor))
    assert controls.overshoot(originals, images, 100.0).max() == 1
    with pytest.raises(ValueError, match="factor"):
        controls.overshoot(originals, images, -0.1)


def test_bisection_ends_at_the_plane() -> None:
    network, images, labels = plane_images(6)
    far = get("fgm_l2")(network, images, labels, budget=0.8, generator=torch.Generator()).images
    near = controls.to_boundary(network, images, far, labels)
    torch.testing.assert_close(
        size(near - images, "l2"), network.distance(images, "l2"), rtol=1e-4, atol=1e-4
    )
    assert (predictions(network, near) != labels).all()


def test_bisection_leaves_images_that_do_not_fool() -> None:
    network, images, labels = plane_images(6)
    near = controls.to_boundary(network, images, images + 0.001, labels)
    assert torch.equal(near, images + 0.001)


def test_scaled_backward_changes_the_gradient_alone() -> None:
    network, images, labels = digits_network()
    x = images[:4].clone().requires_grad_()
    plain = torch.autograd.grad(network(x).gather(1, labels[:4, None]).sum(), x)[0]
    scaled = controls.ScaledBackward(network, 2.5)
    logits = scaled(x)
    assert torch.equal(logits, network(x))
    torch.testing.assert_close(
        torch.autograd.grad(logits.gather(1, labels[:4, None]).sum(), x)[0], 2.5 * plain
    )


def test_scaled_backward_changes_what_cw_finds_and_not_what_signs_find() -> None:
    network, images, labels = digits_network()
    images, labels = images[:6], labels[:6]
    for name, settings, same in (
        ("pgd_linf", {}, True),
        ("cw_l2", {"binary_search_steps": 1, "steps": 40, "stepsize": 0.05, "initial_const": 1.0}, False),
    ):
        attack = get(name, **settings)
        budget = None if attack.minimal else 0.1
        made = [
            attack(n, images, labels, budget=budget, generator=torch.Generator().manual_seed(0)).images
            for n in (network, controls.ScaledBackward(network, 4.0))
        ]
        assert torch.equal(*made) == same


def test_divided_logits_wake_gradients_up() -> None:
    network, images, labels = digits_network()

    class Loud(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1000 * network(x)

    loud = Loud()
    quiet = controls.DividedLogits(loud, controls.scale(loud, images))
    assert zero_gradients(loud, images, labels).float().mean() > 0.9
    assert zero_gradients(quiet, images, labels).float().mean() < 0.05
    assert torch.equal(predictions(quiet, images), predictions(network, images))
    assert controls.scale(quiet, images) == pytest.approx(1, rel=1e-3)
    assert controls.gain(loud, network, images) == pytest.approx(1000, rel=1e-3)
    with pytest.raises(ValueError, match="scale"):
        controls.DividedLogits(loud, 0.0)


def test_float64_keeps_gradients_that_float32_loses() -> None:
    network, images, labels = digits_network()

    class Loud(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 20 * self.inner(x)

    # Gradients come back in the images' float32, whose range is larger than what 1 - p leaves of its digits.
    wide = controls.Float64(Loud())
    lost = zero_gradients(Loud(), images, labels).float().mean()
    kept = zero_gradients(wide, images, labels).float().mean()
    assert kept < lost
    assert next(network.parameters()).dtype == torch.float32
    assert wide(images[:1]).dtype == torch.float64
    assert controls.Float64(network, torch.float32)(images[:1]).dtype == torch.float32


def test_controls_around_a_mean_ask_as_often_as_it_does() -> None:
    network, images, labels = digits_network()
    images, labels = images[:4], labels[:4]
    mean = MeanOf([network, network, network])
    one = get("fgsm")(network, images, labels, budget=0.1, generator=torch.Generator()).queries
    for wrapped in (
        mean,
        controls.ScaledBackward(mean, 2.0),
        controls.DividedLogits(mean, 2.0),
        controls.Float64(mean),
    ):
        made = get("fgsm")(wrapped, images, labels, budget=0.1, generator=torch.Generator())
        assert torch.equal(made.queries, 3 * one)


def test_the_first_of_a_batch_speaks_for_all() -> None:
    network, images, _ = digits_network()
    images = images[:7]
    said = controls.FirstOfBatch(network, 3)(images)
    torch.testing.assert_close(said, network(images)[[0, 0, 0, 3, 3, 3, 6]])
    assert controls.FirstOfBatch(network, 3)(images[:0]).shape == (0, 10)
    torch.testing.assert_close(controls.FirstOfBatch(network, 1)(images), network(images))
    with pytest.raises(ValueError, match="batch: a number from 1 was expected, 0 came"):
        controls.FirstOfBatch(network, 0)

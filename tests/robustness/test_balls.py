"""Sizes of noise, projections, directions."""

from __future__ import annotations

import pytest
import torch

from axsim.robustness.balls import project, size, steepest


def test_sizes() -> None:
    noise = torch.randn((5, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    noise[:, :, 0] = 0
    torch.testing.assert_close(size(noise, "l2"), noise.square().sum((1, 2, 3)).sqrt())
    assert torch.equal(size(noise, "linf"), noise.abs().amax((1, 2, 3)))
    assert size(noise, "l0").tolist() == [12.0] * 5  # pixels, not values
    with pytest.raises(ValueError, match="'l1' came"):
        size(noise, "l1")


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projection_ends_in_the_ball_and_leaves_what_is_in_it(norm: str) -> None:
    generator = torch.Generator().manual_seed(1)
    originals = torch.rand((20, 1, 4, 4), generator=generator)
    points = originals + 0.5 * torch.randn((20, 1, 4, 4), generator=generator)
    radius = torch.linspace(0, 3, 20)
    made = project(points, originals, radius, norm)
    assert (size(made - originals, norm) <= radius * (1 + 1e-6) + 1e-7).all()
    assert made.min() >= 0
    assert made.max() <= 1
    inside = project(made, originals, radius + 1, norm)
    torch.testing.assert_close(inside, made)
    with pytest.raises(ValueError, match="norm"):
        project(points, originals, radius, "l0")


def test_steepest_has_size_one_even_for_tiny_gradients() -> None:
    gradient = torch.full((1, 1, 2, 2), 1e-30)
    torch.testing.assert_close(size(steepest(gradient, "l2"), "l2"), torch.ones(1))
    assert size(steepest(gradient, "linf"), "linf").item() == 1
    assert steepest(torch.zeros(1, 1, 2, 2), "l2").abs().sum() == 0

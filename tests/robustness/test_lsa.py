"""LSA against cases worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from axsim.robustness.attacks import get
from axsim.robustness.attacks.lsa import cyclic


class Weighted(nn.Module):
    """Class 0 where the weighted sum of pixels stays below a threshold, else class 1."""

    def __init__(self, weights: list[float], threshold: float) -> None:
        super().__init__()
        self.weights, self.threshold = torch.tensor(weights), threshold

    def forward(self, images: Tensor) -> Tensor:
        f = self.threshold - (images.mean(1).flatten(1) * self.weights).sum(1)
        return torch.stack([f, -f], 1)


def run(network: nn.Module, image: Tensor, budget: int | None = None, **settings: Any) -> tuple[Tensor, int]:
    settings = {"share": 1.0, "rounds": 1, "t": 1, "d": 0, "rest": 0, **settings}
    result = get("lsa", **settings)(
        network,
        image,
        torch.zeros(len(image), dtype=torch.int64),
        budget=budget,
        generator=torch.Generator().manual_seed(0),
    )
    return result.images, int(result.queries[0])


def test_cyclic_is_the_table_of_the_docstring() -> None:
    values = torch.tensor([-0.5, -0.25, 0.0, 0.25, 0.5])
    assert (cyclic(values, 1.5) + 0.5).tolist() == [0.75, 0.125, 0.5, 0.875, 0.25]
    assert cyclic(values, 1.0).tolist() == values.tolist()


def test_the_pixel_that_matters_most_is_changed() -> None:
    """Light pixels are perturbed to 10, dark ones to -10: the light one of greatest weight counts most."""
    image = torch.tensor([0.75, 0.75, 0.25, 0.75]).reshape(1, 1, 2, 2)
    network = Weighted([0.1, 0.3, 0.9, 0.2], 30.0)
    made, queries = run(network, image)
    # 0.75 is 0.25; times 1.5 is 0.375: 0.875. Not enough to fool.
    torch.testing.assert_close(made.flatten(), torch.tensor([0.75, 0.875, 0.25, 0.75]))
    assert queries == 1 + 4 + 1  # right at first? four pixels, the changed image


def test_the_dark_pixel_of_negative_weight_goes_light() -> None:
    """-10 times a negative weight counts most; black wraps round to 0.75."""
    image = torch.tensor([0.0, 0.0, 0.6, 0.6]).reshape(1, 1, 2, 2)
    made, _ = run(Weighted([-0.1, -0.4, 0.2, 0.3], 30.0), image)
    torch.testing.assert_close(made.flatten(), torch.tensor([0.0, 0.75, 0.6, 0.6]))


def test_all_channels_of_a_pixel_change_and_the_rest_keeps_its_bits() -> None:
    image = torch.rand((1, 3, 2, 2), generator=torch.Generator().manual_seed(2)) * 0.4 + 0.55
    made, _ = run(Weighted([0.1, 0.2, 0.9, 0.3], 100.0), image)
    changed = (made != image)[0]
    assert changed[:, 1, 0].all()
    assert int(changed.sum()) == 3


def test_it_stops_at_the_first_round_that_fools() -> None:
    image = torch.full((1, 1, 2, 2), 0.75)  # each change adds 0.125 times its weight
    network = Weighted([1.0, 2.0, 4.0, 3.0], 0.75 * 10 + 0.4)
    made, queries = run(network, image, rounds=50, d=1)
    torch.testing.assert_close(made.flatten(), torch.tensor([0.75, 0.75, 0.875, 0.75]))
    assert queries == 6
    two, _ = run(Weighted([1.0, 2.0, 4.0, 3.0], 0.75 * 10 + 0.7), image, rounds=50, d=1, rest=30)
    torch.testing.assert_close(two.flatten(), torch.tensor([0.75, 0.75, 0.875, 0.875]))


def test_a_changed_pixel_rests() -> None:
    """Without rest the same pixel is changed again: 0.875 is 0.375, and 1.5 times that wraps to -0.4375."""
    image = torch.full((1, 1, 2, 2), 0.75)
    network = Weighted([1.0, 2.0, 40.0, 3.0], 1000.0)
    again, _ = run(network, image, rounds=2, d=1)
    torch.testing.assert_close(again.flatten(), torch.tensor([0.75, 0.75, 0.5 - 0.4375, 0.75]))
    rested, _ = run(network, image, rounds=2, d=1, rest=5)
    torch.testing.assert_close(rested.flatten(), torch.tensor([0.75, 0.75, 0.875, 0.875]))


def test_only_the_neighbourhood_is_looked_at_next() -> None:
    """The second best pixel is far from the best: the second round takes the third best, which is near."""
    weights = [0.1] * 25
    weights[0], weights[24], weights[6] = 9.0, 8.0, 1.0
    image = torch.full((1, 1, 5, 5), 0.75)
    made, _ = run(Weighted(weights, 1000.0), image, rounds=2, d=1, rest=9)
    assert (made != image).flatten().nonzero()[:, 0].tolist() == [0, 6]


def test_budget_bounds_the_pixels() -> None:
    image = torch.full((1, 1, 5, 5), 0.75)
    made, _ = run(Weighted([1.0] * 25, 1000.0), image, budget=7, rounds=20, t=3, d=5, rest=100)
    assert int((made != image).sum()) == 7


def test_an_image_does_not_depend_on_its_neighbours_randomness() -> None:
    """Each image draws from a generator of its own."""
    images = torch.rand((3, 1, 5, 5), generator=torch.Generator().manual_seed(1))
    network = Weighted([0.3] * 25, 100.0)
    settings: dict[str, Any] = {"share": 0.3, "rounds": 3, "d": 1}
    together, _ = run(network, images, **settings)
    apart, _ = run(network, images[:1], **settings)
    assert torch.equal(together[:1], apart)


@pytest.mark.parametrize(
    "settings", [{"r": 2.5}, {"share": 0.0}, {"t": 0}, {"rounds": 0}, {"most": 0}, {"d": -1}]
)
def test_bad_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        run(Weighted([1.0] * 4, 100.0), torch.full((1, 1, 2, 2), 0.75), **settings)

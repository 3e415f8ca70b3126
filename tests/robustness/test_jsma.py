"""JSMA against cases worked out by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor, nn

from axsim.robustness.attacks import get
from axsim.robustness.attacks.jsma import best_pairs


class Linear(nn.Module):
    """Logits that are linear in the pixels, so that the Jacobian is the matrix itself."""

    def __init__(self, rows: list[list[float]], bias: list[float]) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor(rows))
        self.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.matrix.T + self.bias


# Pixels 0 to 3; class 0 is right at first, class 1 is the likeliest wrong one.
# For the target 1: alpha = (2, -1, 1, 3), beta (classes 0 and 2 together) = (-1, -5, -2, 1).
# Pairs: 01: 1 x 6 = 6; 02: 3 x 3 = 9; 03: beta = 0; 12: alpha = 0; 13: 2 x 4 = 8; 23: 4 x 1 = 4.
MATRIX = [[-1.0, -5.0, -1.0, 0.0], [2.0, -1.0, 1.0, 3.0], [0.0, 0.0, -1.0, 1.0]]


def run(network: nn.Module, images: Tensor, **settings: object) -> Tensor:
    labels = network(images).argmax(1).detach()
    return get("jsma", **settings)(
        network, images, labels, budget=None, generator=torch.Generator().manual_seed(0)
    ).images


def test_the_pair_is_the_one_worked_out_by_hand() -> None:
    network = Linear(MATRIX, [3.9, 0.0, -1.0])  # after pixels 0 and 2: class 0: 1.9, class 1: 3
    made = run(network, torch.zeros(1, 1, 2, 2), gamma=1.0)
    assert made.flatten().tolist() == [1, 0, 1, 0]


def test_a_second_pair_is_taken_where_the_first_is_not_enough() -> None:
    network = Linear(MATRIX, [10.5, 0.0, -1.0])  # after 0 and 2: 8.5 against 3; then 1 and 3: 3.5 against 5
    made = run(network, torch.zeros(1, 1, 2, 2), gamma=1.0)
    assert made.flatten().tolist() == [1, 1, 1, 1]
    half = run(network, torch.zeros(1, 1, 2, 2), gamma=0.5)  # two pixels at most
    assert half.flatten().tolist() == [1, 0, 1, 0]


def test_pixels_at_the_end_are_out() -> None:
    network = Linear(MATRIX, [10.5, 0.0, -1.0])
    image = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(
        1, 1, 2, 2
    )  # pixel 0 is white: 13 is the best pair left
    made = run(network, image, gamma=0.5)
    assert made.flatten().tolist() == [1, 1, 0, 1]


def test_darker_turns_all_signs() -> None:
    """With the matrix negated, what raises the target when pixels rise does so when they fall."""
    network = Linear([[-value for value in row] for row in MATRIX], [3.9 - 7.0, 5.0, -1.0])
    image = torch.ones(1, 1, 2, 2)  # logits: 3.9, 0, -1; without pixels 0 and 2: 1.9, 3, -2
    made = run(network, image, gamma=1.0, theta=-1.0)
    assert made.flatten().tolist() == [0, 1, 0, 1]


def test_no_pair_that_helps_ends_the_search() -> None:
    network = Linear([[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]], [1.0, 0.0])
    image = torch.full((1, 1, 2, 2), 0.5)
    assert torch.equal(run(network, image, gamma=1.0), image)


def test_smaller_steps_come_back_to_the_same_pixels() -> None:
    network = Linear(MATRIX, [2.4, 0.0, -1.0])  # 2.4 - 2 s against 3 s: three steps of 0.2
    made = run(network, torch.zeros(1, 1, 2, 2), gamma=1.0, theta=0.2)
    torch.testing.assert_close(made.flatten(), torch.tensor([0.4, 0.0, 0.4, 0.0]))


def test_all_targets_take_the_one_that_changes_least() -> None:
    # Class 2 needs one pair, class 1 (the likeliest) two.
    rows = [
        [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0],
        [1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 4.0, 4.0],
    ]
    network = Linear(rows, [5.0, 1.0, 0.0])
    image = torch.zeros(1, 1, 2, 3)
    second, every = run(network, image, gamma=1.0), run(network, image, gamma=1.0, target="all")
    assert network(second).argmax(1).item() == 1
    assert int((second != 0).sum()) == 4
    assert network(every).argmax(1).item() == 2
    assert int((every != 0).sum()) == 2


@pytest.mark.parametrize("target", ["next", "random"])
def test_targets_stay_among_the_classes(target: str) -> None:
    """A library's default wraps at ten classes whatever the network has."""
    network = Linear(MATRIX, [3.9, 0.0, -1.0])
    images = torch.zeros(6, 1, 2, 2)
    made = run(network, images, gamma=1.0, target=target)
    assert set(network(made).argmax(1).tolist()) <= {0, 1, 2}


def test_best_pairs_equal_a_search_of_all() -> None:
    generator = torch.Generator().manual_seed(3)
    alpha, beta = torch.randn((20, 9), generator=generator), torch.randn((20, 9), generator=generator)
    free = torch.rand((20, 9), generator=generator) < 0.7
    for increase in (True, False):
        pairs, found = best_pairs(alpha, beta, free, increase=increase)
        sign = 1 if increase else -1
        for row in range(20):
            best, wanted = 0.0, None
            for p, q in itertools.combinations(range(9), 2):
                a, b = sign * float(alpha[row, p] + alpha[row, q]), sign * float(beta[row, p] + beta[row, q])
                if free[row, p] and free[row, q] and a > 0 and b < 0 and -a * b > best:
                    best, wanted = -a * b, [p, q]
            assert bool(found[row]) == (wanted is not None)
            if wanted is not None:
                assert pairs[row].tolist() == wanted


def test_small_derivatives_have_pairs_too() -> None:
    """Products of derivatives below 1e-23 are 0 in float32; those of a confident network's softmax are."""
    generator = torch.Generator().manual_seed(3)
    alpha, beta = torch.randn((20, 9), generator=generator), torch.randn((20, 9), generator=generator)
    free = torch.ones((20, 9), dtype=torch.bool)
    pairs, found = best_pairs(alpha, beta, free, increase=True)
    assert found.all()
    for factor in (2.0**-90, 2.0**60):
        there, still = best_pairs(alpha * factor, beta * factor, free, increase=True)
        assert still.all()
        assert torch.equal(there, pairs)
    rows = [[-8.0] * 16, [8.0] * 16, [0.0] * 16]
    made = run(
        Linear(rows, [60.0, 0.0, -1.0]), torch.zeros(1, 1, 4, 4), gamma=1.0, derivatives="probabilities"
    )
    assert int((made > 0).sum()) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"theta": 0.0}, "theta"),
        ({"theta": 2.0}, "theta"),
        ({"gamma": 0.0}, "gamma"),
        ({"target": "best"}, "target: 'second', 'next', 'random' or 'all' was expected, 'best' came"),
        ({"derivatives": "loss"}, "derivatives"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(Linear(MATRIX, [3.9, 0.0, -1.0]), torch.zeros(1, 1, 2, 2), **settings)


def test_probabilities_and_logits_lead_to_different_pairs() -> None:
    """Softmax weighs the other classes by their probabilities: class 2, far away, hardly counts."""
    rows = [[-1.0, 0.0, 0.0, -0.5], [1.0, 1.0, 1.0, 1.0], [5.0, -4.0, -4.0, 5.0]]
    network = Linear(rows, [4.0, 3.0, -30.0])
    image = torch.zeros(1, 1, 2, 2)
    logits = run(network, image, gamma=0.5)
    probabilities = run(network, image, gamma=0.5, derivatives="probabilities")
    assert logits.flatten().tolist() == [0, 1, 1, 0]
    assert probabilities.flatten().tolist() == [1, 0, 0, 1]

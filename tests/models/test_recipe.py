"""How a network is trained, as a value."""

from __future__ import annotations

import math
from typing import Any

import pytest

from axsim.models import Recipe


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs is 0; at least 1"),
        ("batch", 0, "batch is 0"),
        ("seed", -1, "seed is -1"),
        ("optimizer", "lion", "optimizer is 'lion'; one of adam, sgd"),
        ("schedule", "step", "schedule is 'step'"),
        ("augment", "mixup", "augment is 'mixup'; one of none, shift, crop-flip"),
        ("learning_rate", 0.0, "learning_rate is 0.0; a positive number"),
        ("learning_rate", math.nan, "learning_rate is nan"),
        ("warmup", 1.0, "warmup is 1.0"),
        ("weight_decay", -1e-4, "weight_decay is -0.0001"),
        ("label_smoothing", 1.5, "label_smoothing is 1.5"),
    ],
)
def test_values_out_of_range(field: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**{field: value})


@pytest.mark.parametrize("value", [2.0, True, "3"])
def test_counts_are_whole_numbers(value: Any) -> None:
    with pytest.raises(TypeError, match=r"epochs is .*; a whole number was expected"):
        Recipe(epochs=value)


def test_cosine() -> None:
    recipe = Recipe(learning_rate=0.5)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[0] == 0.5
    assert rates[50] == pytest.approx(0.25)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.001


def test_constant_after_warmup() -> None:
    recipe = Recipe(learning_rate=0.5, schedule="constant", warmup=0.1)
    assert [recipe.rate(step, 20) for step in range(4)] == [0.25, 0.5, 0.5, 0.5]

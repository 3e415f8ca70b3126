"""How a network is trained: a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from axsim.models.augmentation import AUGMENTATIONS


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        epochs: passes over the training images. Default: 10.
        batch: images of a step. Default: 64.
        optimizer: "adam", or "sgd" with Nesterov momentum 0.9. Default: "adam".
        learning_rate: its greatest value. Default: 0.001.
        schedule: "constant", or "cosine": rising over the first ``warmup`` steps, then falling to 0 by half a
            cosine. Default: "cosine".
        warmup: share of all steps in which the learning rate rises from 0. Default: 0.
        weight_decay: of weights with two or more axes; decoupled for "adam". Default: 0.
        label_smoothing: of the cross entropy. Default: 0.
        augment: "none", "shift" (up to 2 pixels) or "crop-flip" (up to 4 pixels, and half of them mirrored).
            Default: "none".
        seed: of the order of images, of augmentation and dropout. Default: 0.

    Raises:
        ValueError: a value out of its range.

    >>> Recipe(epochs=0)
    Traceback (most recent call last):
        ...
    ValueError: epochs is 0; at least 1 was expected
    """

    epochs: int = 10
    batch: int = 64
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augment: Literal["none", "shift", "crop-flip"] = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} is {value!r}; a whole number was expected")
            if value < least:
                raise ValueError(f"{name} is {value}; at least {least} was expected")
        for name, choices in (
            ("optimizer", ("adam", "sgd")),
            ("schedule", ("constant", "cosine")),
            ("augment", tuple(AUGMENTATIONS)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; one of {', '.join(choices)} was expected"
                )
        if not (0 < self.learning_rate < math.inf):
            raise ValueError(f"learning_rate is {self.learning_rate}; a positive number was expected")
        for name, most in (("warmup", 1.0), ("weight_decay", math.inf), ("label_smoothing", 1.0)):
            if not (0 <= getattr(self, name) < most):
                raise ValueError(f"{name} is {getattr(self, name)}; a number from 0 to {most} was expected")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step number ``step`` (from 0) of ``steps``.

        >>> recipe = Recipe(learning_rate=1.0, warmup=0.5)
        >>> [round(recipe.rate(step, 8), 2) for step in range(8)]
        [0.25, 0.5, 0.75, 1.0, 1.0, 0.85, 0.5, 0.15]
        """
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - rising) / max(1, steps - rising)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

"""The kind "confidence": how far the right class is ahead of the next; equally many images of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Experiment, Setting, number
from axsim.robustness.kinds import specs
from axsim.robustness.kinds.common import (
    MODULES,
    images_of,
    network_of,
    rate_of,
    rates,
    spread_of,
    spreads,
)
from axsim.robustness.measures import confidence, logits, relative_confidence
from axsim.robustness.store import Shared

MEASURES = ("softmax", "raw", "relative")


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """The share of images whose margin is above a level, and the margins' distribution."""
    settings = cell.settings
    images, labels = images_of(cell, balanced=True)
    scores = logits(network_of(cell, settings["variant"]), images)
    if settings["measure"] == "relative":
        values = relative_confidence(scores, labels)
    else:
        heat = None if settings["measure"] == "raw" else settings["temperature"]
        values = confidence(scores, labels, temperature=heat)
    return {
        "above": rate_of(values > settings["level"]),
        "margin": spread_of(values),
        "logits_scale": float(scores.std(1).mean()),
        "accuracy": rate_of(scores.argmax(1) == labels),
    }


def check(cell: Cell) -> None:
    """Settings that do not go together."""
    if cell["measure"] != "softmax" and cell["temperature"] != 1:
        raise ValueError(f"temperature is {cell['temperature']}, and {cell['measure']} margins have none")


EXPERIMENT = Experiment(
    "confidence",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "measure": Setting(specs.choice(*MEASURES), "softmax"),
        "temperature": Setting(number(1e-6), 1),
        "level": Setting(number(), 0.8),
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    check,
    results=(*rates("above", "accuracy"), *spreads("margin"), "logits_scale"),
    files=specs.files,
)

"""The kind "accuracy": how many test images a variant gets right, without any attack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Experiment
from axsim.robustness.kinds import specs
from axsim.robustness.kinds.common import (
    MODULES,
    images_of,
    network_of,
    rate_of,
    rates,
)
from axsim.robustness.kinds.trained import digest
from axsim.robustness.measures import predictions
from axsim.robustness.store import Shared


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """The accuracy of one variant, and how often it says the same as the exact network."""
    images, labels = images_of(cell)
    network, exact = network_of(cell, cell["variant"]), network_of(cell, "exact")
    said, exact_said = predictions(network, images), predictions(exact, images)
    return {
        "accuracy": rate_of(said == labels),
        "exact_accuracy": rate_of(exact_said == labels),
        "agreement": rate_of(said == exact_said),
        "weights": digest(network),
    }


EXPERIMENT = Experiment(
    "accuracy",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    results=rates("accuracy", "exact_accuracy", "agreement"),
    files=specs.files,
)

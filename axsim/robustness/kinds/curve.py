"""The kind "curve": robust accuracy at a budget, the share of all images that are still right.

"lost" are images that were right and are not any more; "accuracy_loss" is the accuracy without attack less
the robust one, which is less where noise makes other images right.

Algorithm 1 of A. Siddique, K. A. Hoque (DATE 2022, arXiv 2112.01555) where ``threat`` is "transfer".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Experiment, Setting
from axsim.robustness.kinds import specs
from axsim.robustness.kinds.common import (
    BACKWARDS,
    MODULES,
    backward_of,
    crafted_for,
    examples_of,
    images_of,
    network_of,
    rate_of,
    rates,
)
from axsim.robustness.kinds.trained import digest
from axsim.robustness.measures import predictions
from axsim.robustness.store import Shared

THREATS = ("transfer", "white_box", "worst")


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """The variant on images crafted on another network, on itself, or the worse of both for each image."""
    settings, budget = cell.settings, cell["budget"]
    images, labels = images_of(cell)
    source = network_of(cell, settings["source"], network=settings["source_network"])
    victim = network_of(cell, settings["variant"], settings["gradient"])
    right = predictions(victim, images) == labels
    still, results = right.clone(), {}
    still[:] = True
    if settings["threat"] in ("transfer", "worst"):
        there = {"variant": settings["source"], "network": settings["source_network"]}
        crafted = crafted_for(cell, shared, source, budget=budget, **there)
        said = predictions(victim, crafted.images)
        still &= said == labels
        results["source_robust_accuracy"] = rate_of(crafted.after == labels)
    if settings["threat"] in ("white_box", "worst"):
        backward = backward_of(victim, network_of(cell, "exact"), images, settings["control"])
        here = {
            "variant": settings["variant"],
            "gradient": settings["gradient"],
            "control": settings["control"],
        }
        crafted = crafted_for(cell, shared, backward, budget=budget, **here)
        said = predictions(victim, crafted.images)
        still &= said == labels
    return {
        "robust_accuracy": rate_of(still),
        "clean_accuracy": rate_of(right),
        "lost": rate_of(right & ~still),
        "accuracy_loss": float(right.double().mean() - still.double().mean()),
        **results,
        "weights": {"source": digest(source), "victim": digest(victim)},
        "attack_settings": dict(crafted.settings),
        "examples": examples_of(crafted, said, right & (said != labels))[:1],
    }


def check(cell: Cell) -> None:
    """Settings that do not go together."""
    specs.needs_budget(cell["attack"], cell["budget"])
    if cell["threat"] == "transfer" and cell["control"] != "none":
        raise ValueError(f"control is {cell['control']!r}, which is for a white-box threat")


EXPERIMENT = Experiment(
    "curve",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "source": specs.VARIANT,
        "source_network": Setting(specs.optional(specs.network), None),
        "threat": Setting(specs.choice(*THREATS), "transfer"),
        "gradient": specs.GRADIENT,
        "control": Setting(specs.choice(*BACKWARDS), "none"),
        "attack": specs.ATTACK,
        "budget": specs.BUDGET,
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    check,
    results=(
        *rates("robust_accuracy", "clean_accuracy", "lost", "source_robust_accuracy"),
        "accuracy_loss",
    ),
    files=specs.files,
)

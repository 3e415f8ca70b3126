"""The kind "transfer": crafted on one network, asked of another.

Images count that both networks get right at first and that fool the one they were crafted on. "followed": of
all that fool it, whatever the other network said at first, to how many the other gives the same wrong label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Experiment, Setting
from axsim.robustness.kinds import specs
from axsim.robustness.kinds.common import (
    MODULES,
    crafted_for,
    examples_of,
    network_of,
    noise_of,
    noises,
    rate_of,
    rates,
    spread_of,
    spreads,
)
from axsim.robustness.kinds.trained import digest
from axsim.robustness.measures import predictions
from axsim.robustness.store import Shared
from axsim.robustness.threats import transfer


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """One attack on the source, tried on the variant."""
    settings = cell.settings
    source = network_of(cell, settings["source"], network=settings["source_network"])
    victim = network_of(cell, settings["variant"])
    crafted = crafted_for(
        cell,
        shared,
        source,
        variant=settings["source"],
        network=settings["source_network"],
        budget=settings["budget"],
    )
    if settings["push"] != 1:
        crafted = crafted.pushed(settings["push"])
    fooling = transfer(crafted, victim, counted="fooling")
    same = transfer(crafted, victim, judge="same", counted="fooling")
    every = transfer(crafted, victim, counted="right")
    followed = (fooling.said == crafted.after)[crafted.fooling]
    before = predictions(victim, crafted.originals)
    return {
        "success": fooling.success,
        "success_same_label": same.success,
        "success_of_all_right": every.success,
        "followed": rate_of(followed),
        "source_success": crafted.success,
        "robust_accuracy": rate_of(fooling.said == crafted.labels),
        "source_robust_accuracy": rate_of(predictions(source, crafted.images) == crafted.labels),
        "clean_accuracy": rate_of(before == crafted.labels),
        "source_clean_accuracy": rate_of(crafted.before == crafted.labels),
        "noise": noise_of(crafted, crafted.fooling),
        "queries": spread_of(crafted.queries.double()),
        "weights": {"source": digest(source), "victim": digest(victim)},
        "attack_settings": dict(crafted.settings),
        "examples": examples_of(crafted, fooling.said, fooling.counted),
    }


def check(cell: Cell) -> None:
    """Settings that do not go together."""
    specs.needs_budget(cell["attack"], cell["budget"])


EXPERIMENT = Experiment(
    "transfer",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "source": specs.VARIANT,
        "source_network": Setting(specs.optional(specs.network), None),
        "attack": specs.ATTACK,
        "budget": specs.BUDGET,
        "push": specs.PUSH,
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    check,
    results=(
        *rates("success", "success_same_label", "success_of_all_right", "followed", "source_success"),
        *rates("robust_accuracy", "source_robust_accuracy", "clean_accuracy", "source_clean_accuracy"),
        *noises("noise"),
        *spreads("queries"),
    ),
    files=specs.files,
)

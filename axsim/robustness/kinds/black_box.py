"""The kind "black_box": crafted on a substitute that was trained on the victim's answers alone.

N. Papernot et al., "Practical black-box attacks against machine learning" (ASIA CCS 2017). The images that
the substitute begins with are the last test images; those that are attacked are the first ones.
"success_where_exact_is_fooled" counts those alone that fool the exact network, too.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Experiment, Setting, number
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
from axsim.robustness.kinds.trained import build_untrained, dataset, digest
from axsim.robustness.store import Shared
from axsim.robustness.threats import Substitute, train_substitute, transfer


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """One attack on the substitute, tried on its victim."""
    settings = cell.settings
    victim = network_of(cell, settings["variant"])
    substitute = _substitute(cell, shared, victim)
    made = {
        "substitute": settings["substitute"],
        "of": settings["variant"],
        "of_network": settings["network"],
    }
    crafted = crafted_for(cell, shared, substitute.network, network=made, budget=settings["budget"])
    if settings["push"] != 1:
        crafted = crafted.pushed(settings["push"])
    fooling = transfer(crafted, victim, counted="fooling")
    on_exact = transfer(crafted, network_of(cell, "exact"), counted="fooling")
    both = fooling.counted & on_exact.counted & on_exact.fooled
    return {
        "success": fooling.success,
        "success_same_label": transfer(crafted, victim, judge="same", counted="fooling").success,
        "success_of_all_right": transfer(crafted, victim, counted="right").success,
        "success_where_exact_is_fooled": rate_of(fooling.fooled[both]),
        "substitute_success": crafted.success,
        "robust_accuracy": rate_of(fooling.said == crafted.labels),
        "substitute_queries": substitute.queries,
        "substitute_agreement": substitute.agreement[-1],
        "substitute_accuracy": rate_of(crafted.before == crafted.labels),
        "noise": noise_of(crafted, crafted.fooling),
        "queries": spread_of(crafted.queries.double()),
        "weights": {"substitute": digest(substitute.network), "victim": digest(victim)},
        "attack_settings": dict(crafted.settings),
        "examples": examples_of(crafted, fooling.said, fooling.counted),
    }


def _substitute(cell: Cell, shared: Shared, victim: nn.Module) -> Substitute:
    """Trained once for all attacks on one victim."""
    settings = cell.settings
    names = ("dataset", "network", "variant", "substitute", "first", "rounds", "seed")
    what = {"what": "substitute", "weights": digest(victim), **{n: settings[n] for n in names}}
    data = dataset(settings["dataset"])
    if (needed := int(settings["first"]) + int(settings["images"])) > (there := len(data.test_images)):
        raise ValueError(
            f"first is {settings['first']} and images {settings['images']}: the substitute would learn from "
            f"images that are attacked, as {data.name} has {there} to test with, not {needed}"
        )
    # Other initial weights than the victim's, whatever the seeds: never the same ones.
    spec = specs.table(settings["substitute"], "a network")
    untrained = build_untrained(spec, data, seed=10_000 + int(settings["seed"]))

    def work() -> dict[str, Any]:
        images = data.tensors("test")[0][-int(settings["first"]) :]
        found = train_substitute(
            victim, untrained, images, rounds=int(settings["rounds"]), seed=int(settings["seed"])
        )
        file = io.BytesIO()
        torch.save(found.network.state_dict(), file)
        state = np.frombuffer(file.getvalue(), np.uint8)
        return {"state": state, "queries": np.array(found.queries), "agreement": np.array(found.agreement)}

    arrays = shared.get(what, work)
    state = torch.load(io.BytesIO(arrays["state"].tobytes()), weights_only=True)
    untrained.load_state_dict(state)
    return Substitute(untrained.eval(), int(arrays["queries"]), tuple(arrays["agreement"].tolist()))


def check(cell: Cell) -> None:
    """Settings that do not go together."""
    specs.needs_budget(cell["attack"], cell["budget"])
    if given := [k for k in specs.TRAINING if k in specs.table(cell["substitute"], "a network")]:
        raise ValueError(
            f"substitute: an untrained network was expected, {given[0]!r} came: it learns from answers "
            "alone, and its seed is the cell's"
        )


EXPERIMENT = Experiment(
    "black_box",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "substitute": Setting(specs.network, "lenet5_average"),
        "first": Setting(number(1, whole=True), 150),
        "rounds": Setting(number(0, 8, whole=True), 6),
        "attack": specs.ATTACK,
        "budget": specs.BUDGET,
        "push": specs.PUSH,
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    check,
    results=(
        *rates("success", "success_same_label", "success_of_all_right", "success_where_exact_is_fooled"),
        *rates("substitute_success", "robust_accuracy", "substitute_accuracy"),
        *("substitute_queries", "substitute_agreement"),
        *noises("noise"),
        *spreads("queries"),
    ),
    files=specs.files,
)

"""The kind "white_box": crafted on the variant itself by a gradient rule, and on the exact network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from axsim.robustness import attacks, controls, measures
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.experiments import Experiment, Setting
from axsim.robustness.kinds import specs
from axsim.robustness.kinds.checking import Judged, verdicts
from axsim.robustness.kinds.common import (
    BACKWARDS,
    MODULES,
    backward_of,
    crafted_for,
    examples_of,
    images_of,
    network_of,
    noise_of,
    noises,
    rate_of,
    rates,
    spread_of,
    spreads,
)
from axsim.robustness.kinds.trained import digest
from axsim.robustness.kinds.variants import parts
from axsim.robustness.store import Shared
from axsim.robustness.threats import Crafted, WhiteBox, transfer

CONTROLS = (*BACKWARDS, "inverse_gain")
"""The last one is for the exact network: its backward gets the wrong size that a straight-through gradient
has on the variant. What noise then grows by is the gradient's doing, and no defence."""


def run(cell: Cell, shared: Shared) -> Mapping[str, Any]:
    """One attack on the variant, the same on the exact network, their noise side by side, the checks."""
    settings = cell.settings
    images, labels = images_of(cell)
    exact = network_of(cell, "exact")
    network = network_of(cell, settings["variant"], settings["gradient"])
    gain = controls.gain(network, exact, images)
    control = settings["control"] if settings["control"] in BACKWARDS else "none"
    backward = backward_of(network, exact, images, control)
    here = {"variant": settings["variant"], "gradient": settings["gradient"], "control": control}
    crafted = crafted_for(cell, shared, backward, budget=settings["budget"], **here)
    found = WhiteBox(crafted, transfer(crafted, network, counted="right"))
    on_exact = _on_exact(cell, shared, exact, gain)
    results: dict[str, Any] = {
        "success": found.success,
        "robust_accuracy": found.robust,
        "clean_accuracy": rate_of(measures.predictions(network, images) == labels),
        "exact_success": on_exact.success,
        "exact_robust_accuracy": rate_of(on_exact.after == labels),
        "transfer_success": transfer(on_exact, network, counted="right").success,
        "noise": noise_of(crafted, found.outcome.counted & found.outcome.fooled),
        "exact_noise": noise_of(on_exact, on_exact.fooling),
        "logits_gain": gain,
        "queries": spread_of(crafted.queries.double()),
        "weights": {"exact": digest(exact), "variant": digest(network)},
        "attack_settings": dict(crafted.settings),
        "examples": examples_of(crafted, found.outcome.said, found.outcome.counted & found.outcome.fooled),
    }
    both = found.outcome.counted & found.outcome.fooled & on_exact.fooling
    results["beside_exact"] = _beside(crafted, on_exact, both)
    results["at_boundary"] = _beside(_bisected(network, crafted), _bisected(exact, on_exact), both)
    if settings["checks"]:
        results["checks"] = verdicts(
            Judged(
                attacks.get(**specs.table(settings["attack"], "an attack")),
                network,
                backward,
                crafted,
                settings["budget"],
                on_exact if parts(settings["variant"]) else None,
                int(settings["seed"]),
            )
        )
    return results


def _on_exact(cell: Cell, shared: Shared, exact: nn.Module, gain: float) -> Crafted:
    """The same attack on the exact network."""
    budget = cell["budget"]
    if cell["control"] != "inverse_gain":
        return crafted_for(cell, shared, exact, budget=budget)
    named = f"inverse_gain {canonical([cell['variant'], gain])}"
    return crafted_for(cell, shared, controls.ScaledBackward(exact, 1 / gain), control=named, budget=budget)


def _bisected(network: nn.Module, crafted: Crafted) -> Crafted:
    """The same attack's images moved back to the boundary, so that attacks that stop elsewhere compare."""
    near: Tensor = controls.to_boundary(network, crafted.originals, crafted.images, crafted.labels)
    return Crafted(
        crafted.originals,
        near,
        crafted.labels,
        crafted.before,
        crafted.after,
        crafted.queries,
        crafted.settings,
    )


def _beside(crafted: Crafted, on_exact: Crafted, both: Tensor) -> dict[str, Any]:
    """Noise on the variant beside that on the exact network, image by image, where both were fooled."""
    ours = measures.noise(crafted.originals[both], crafted.images[both])
    exact = measures.noise(on_exact.originals[both], on_exact.images[both])
    return {
        "l2": spread_of(ours.l2),
        "exact_l2": spread_of(exact.l2),
        "l2_difference": spread_of(ours.l2 - exact.l2),
        "mse_ratio": float(ours.mse.double().mean() / exact.mse.double().mean()),
        "psnr_loss": spread_of(exact.psnr - ours.psnr),
    }


def _besides(*names: str) -> tuple[str, ...]:
    """Names of what :func:`_beside` gives."""
    spread = ("l2", "exact_l2", "l2_difference", "psnr_loss")
    return tuple(
        n for name in names for n in (*spreads(*(f"{name}.{s}" for s in spread)), f"{name}.mse_ratio")
    )


def check(cell: Cell) -> None:
    """Settings that do not go together."""
    specs.needs_budget(cell["attack"], cell["budget"])


EXPERIMENT = Experiment(
    "white_box",
    run,
    {
        "dataset": specs.DATASET,
        "network": specs.NETWORK,
        "variant": specs.VARIANT,
        "gradient": specs.GRADIENT,
        "control": Setting(specs.choice(*CONTROLS), "none"),
        "attack": specs.ATTACK,
        "budget": specs.BUDGET,
        "checks": Setting(specs.flag, True),
        "images": specs.IMAGES,
        "seed": specs.SEED,
    },
    MODULES,
    check,
    results=(
        *rates("success", "robust_accuracy", "clean_accuracy"),
        *rates("exact_success", "exact_robust_accuracy", "transfer_success"),
        *noises("noise", "exact_noise"),
        *spreads("queries"),
        "logits_gain",
        *_besides("beside_exact", "at_boundary"),
    ),
    files=specs.files,
)

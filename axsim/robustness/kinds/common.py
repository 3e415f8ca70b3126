"""What all kinds do with a cell: its images, its networks, crafted examples that cells share."""

from __future__ import annotations

import functools
import json
import math
import statistics
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from axsim.robustness import attacks, controls, measures
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.intervals import Rate
from axsim.robustness.kinds.specs import table
from axsim.robustness.kinds.trained import dataset, digest
from axsim.robustness.kinds.variants import make, parts
from axsim.robustness.store import Shared
from axsim.robustness.threats import Crafted, craft

MODULES = (
    "axsim._native",
    "axsim.arrays",
    "axsim.circuits",
    "axsim.datasets",
    "axsim.defenses",
    "axsim.engines",
    "axsim.models",
    "axsim.multipliers",
    "axsim.nn",
    "axsim.ops",
    "axsim.quantization",
    "axsim.quantize",
    "axsim.robustness.attacks",
    "axsim.robustness.balls",
    "axsim.robustness.checks",
    "axsim.robustness.controls",
    "axsim.robustness.intervals",
    "axsim.robustness.kinds",
    "axsim.robustness.measures",
    "axsim.robustness.planted",
    "axsim.robustness.threats",
    "axsim.tables",
)
"""Code that results of every kind depend on."""

RATE = tuple(part.name for part in fields(Rate))
SPREAD = ("mean", "median", "count", "low", "high")
NOISE = tuple(part.name for part in fields(measures.Noise))
EXAMPLES = 2  # images that a cell keeps for the report


def rates(*names: str) -> tuple[str, ...]:
    """Names of shares among the results of a kind, and of their parts."""
    return tuple(full for name in names for full in (name, *(f"{name}.{part}" for part in RATE)))


def spreads(*names: str) -> tuple[str, ...]:
    """Names of what :func:`spread_of` gives."""
    return tuple(f"{name}.{part}" for name in names for part in SPREAD)


def noises(*names: str) -> tuple[str, ...]:
    """Names of what :func:`noise_of` gives."""
    return spreads(*(f"{name}.{measure}" for name in names for measure in NOISE))


def images_of(cell: Cell, *, balanced: bool = False) -> tuple[Tensor, Tensor]:
    """The first test images of the cell's data set, and their labels.

    ``balanced``: equally many of each class, ``images`` over the number of classes, rounded down.

    Raises:
        ValueError: there are not so many.
    """
    data, count = dataset(cell["dataset"]), int(cell["images"])
    if balanced:
        images, labels = data.tensors("test")
        each, classes = count // len(data.classes), range(len(data.classes))
        if each < 1:
            raise ValueError(
                f"images is {count}: at least one for each of {len(classes)} classes was expected"
            )
        if int(torch.bincount(labels, minlength=len(classes)).min()) < each:
            raise ValueError(f"images is {count}, and {data.name} has not {each} of each class to test with")
        rows = torch.cat([(labels == c).nonzero()[:each, 0] for c in classes])
        return images[rows], labels[rows]
    if count > len(data.test_images):
        raise ValueError(f"images is {count}, and {data.name} has {len(data.test_images)} to test with")
    return data.tensors("test", count)


def network_of(cell: Cell, variant: Any, gradient: str = "ste", network: Any = None) -> nn.Module:
    """The cell's network, or another one, as a variant."""
    spec = cell["network"] if network is None else network
    how = [cell["dataset"], spec, variant, int(cell["seed"]), gradient if parts(variant) else "ste"]
    return _made(canonical(how))


@functools.lru_cache(maxsize=12)
def _made(how: str) -> nn.Module:
    """The networks that a process used last: cells that follow each other have the same ones, unchanged."""
    data, network, variant, seed, gradient = json.loads(how)
    return make(network, variant, dataset(data), seed, gradient)


def crafted_for(
    cell: Cell,
    shared: Shared,
    source: nn.Module,
    *,
    variant: Any = "exact",
    network: Any = None,
    gradient: str = "ste",
    control: str = "none",
    attack: Any = None,
    budget: float | None = None,
    seed: int | None = None,
) -> Crafted:
    """Images crafted on ``source``, which is what the settings after it say: made once for all cells.

    Args:
        attack, budget, seed: default: the cell's.
    """
    attack, seed = cell["attack"] if attack is None else attack, cell["seed"] if seed is None else seed
    images, labels = images_of(cell)
    made = attacks.get(**table(attack, "an attack"))
    what = {
        "what": "crafted",
        "dataset": cell["dataset"],
        "images": cell["images"],
        "network": cell["network"] if network is None else network,
        "network_seed": cell["seed"],
        "variant": variant,
        "gradient": gradient if parts(variant) else "",
        "control": control,
        "weights": digest(source),
        "attack": attack,
        "budget": budget,
        "seed": seed,
    }

    def work() -> dict[str, Any]:
        found = craft(made, source, images, labels, budget=budget, seed=int(seed))
        arrays = {
            "images": found.images,
            "before": found.before,
            "after": found.after,
            "queries": found.queries,
        }
        return {name: value.numpy(force=True) for name, value in arrays.items()}

    arrays = {name: torch.from_numpy(np.array(a)) for name, a in shared.get(what, work).items()}
    settings = {"attack": made.name, "budget": budget, **made.settings, "seed": seed}
    return Crafted(
        images, arrays["images"], labels, arrays["before"], arrays["after"], arrays["queries"], settings
    )


BACKWARDS = ("none", "gain", "scaled", "float64")
"""Controls of a white-box attack's backward pass, for :func:`backward_of`."""


def backward_of(network: nn.Module, exact: nn.Module, images: Tensor, control: str) -> nn.Module:
    """The network with the backward of a control of :mod:`axsim.robustness.controls`.

    "gain": gradients times how much larger logits are than the exact network's, which a gradient that is
    passed straight through does not know of; "scaled": logits divided by their own scale, so that
    cross-entropy does not saturate; "float64": all in float64, since float32 rounds small gradients to 0.
    """
    if control == "gain":
        return controls.ScaledBackward(network, controls.gain(network, exact, images))
    if control == "scaled":
        return controls.DividedLogits(network, controls.scale(network, images))
    if control == "float64":
        return controls.Float64(network)
    return network


def spread_of(values: Tensor) -> dict[str, float]:
    """Mean and median of finite values, how many, and a 95 % interval of the mean (normal)."""
    finite = values[values.isfinite()].to(torch.float64)
    count = len(finite)
    if not count:
        return {"mean": math.nan, "median": math.nan, "count": 0, "low": math.nan, "high": math.nan}
    mean = float(finite.mean())
    half = 1.96 * float(finite.std()) / math.sqrt(count) if count > 1 else math.nan
    median = statistics.median(finite.tolist())  # torch's is the lower one of two in the middle
    return {"mean": mean, "median": median, "count": count, "low": mean - half, "high": mean + half}


def noise_of(crafted: Crafted, rows: Tensor) -> dict[str, Any]:
    """Noise of some images by every measure."""
    found = measures.noise(crafted.originals[rows], crafted.images[rows])
    return {name: spread_of(value) for name, value in vars(found).items()}


def examples_of(crafted: Crafted, said: Tensor, rows: Tensor) -> list[dict[str, Any]]:
    """Images for the report: the first of ``rows``."""
    found = []
    for row in rows.nonzero()[:EXAMPLES, 0].tolist():
        caption = f"{int(crafted.labels[row])}, taken for {int(said[row])}"
        pair = crafted.originals[row].numpy(force=True), crafted.images[row].numpy(force=True)
        found.append({"image": pair[0], "adversarial": pair[1], "caption": caption})
    return found


def rate_of(happened: Tensor) -> dict[str, Any]:
    """A share with its interval, as a mapping."""
    return asdict(measures.rate(happened))

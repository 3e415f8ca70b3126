"""From a network's and a variant's settings to a network that attacks can be made on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from axsim import datasets, defenses
from axsim.nn import Quantization, approximate
from axsim.robustness.attacks import MeanOf
from axsim.robustness.controls import FirstOfBatch
from axsim.robustness.kinds.specs import CODING, DEFENCES, MEAN_OF, table
from axsim.robustness.kinds.trained import load

CALIBRATION = 512
"""So many of the first training images find the ranges of activations."""


def parts(variant: Any) -> list[dict[str, Any]]:
    """What is done to the network, one after the other, each with all its settings.

    >>> parts("exact"), [part["name"] for part in parts([{"name": "bit_depth"}, "axfpm"])]
    ([], ['bit_depth', 'axfpm'])
    """
    given = [table(v, "a variant") for v in (variant if isinstance(variant, list) else [variant])]
    return [{**DEFENCES.get(part["name"], {}), **part} for part in given if part["name"] != "exact"]


def make(network: Any, variant: Any, data: datasets.Dataset, seed: int, gradient: str = "ste") -> nn.Module:
    """A network with its weights and what a variant does to it, in evaluation mode.

    Args:
        network, variant: as experiment files have them; see :mod:`axsim.robustness.kinds.specs`.
        data: what it is trained and calibrated on.
        seed: of its training, where the network's table has none.
        gradient: the rule that approximate layers go backwards by.
    """
    todo = parts(variant)
    if todo and todo[0]["name"] == MEAN_OF:
        return MeanOf([make(network, one, data, seed, gradient) for one in todo[0]["of"]]).eval()
    learned = [part for part in todo if _is_trained(part)]

    def change(untrained: nn.Module) -> nn.Module:
        for part in learned:
            untrained = _change(part, untrained)
        return untrained

    made = load(table(network, "a network"), data, seed, learned, change if learned else None)
    for part in todo:
        if part not in learned:
            made = _defend(part, made, data, gradient).eval()
    return made


def _is_trained(part: Mapping[str, Any]) -> bool:
    """Whether the network learns with the defence in it."""
    return bool(part["name"] == "dorefa" or (part["name"] == "qusecnets" and part["joint"]))


def _change(part: Mapping[str, Any], network: nn.Module) -> nn.Module:
    if part["name"] == "dorefa":
        return defenses.dorefa(network, part["bits"], activations=part["activations"])
    return defenses.defended(network, _quantization_layer(part))


def _quantization_layer(part: Mapping[str, Any]) -> defenses.QuantizationLayer:
    return defenses.QuantizationLayer(
        part["levels"], hardness=part["hardness"], trainable=part["trainable"], reading=part["reading"]
    )


def _defend(part: Mapping[str, Any], network: nn.Module, data: datasets.Dataset, gradient: str) -> nn.Module:
    name = part["name"]
    if name == "bfloat16_operands":
        return defenses.bfloat16(network)
    if name == "bit_depth":
        return nn.Sequential(defenses.BitDepth(part["bits"]), network)
    if name == "median_smoothing":
        return nn.Sequential(defenses.MedianSmoothing(part["size"]), network)
    if name == "first_of_batch":
        return FirstOfBatch(network, part["batch"])
    if name == "qusecnets":
        layer = _quantization_layer(part)
        if part["trainable"]:
            images, labels = _training(data, 10_000)
            how = {"epochs": part["epochs"], "learning_rate": part["learning_rate"]}
            defenses.train_thresholds(layer, network, images, labels, **how)
        return defenses.defended(network, layer)
    layers = nn.Conv2d if part.get("layers", "all") == "conv" else None
    coding = Quantization(**{k: v for k, v in part.items() if k in CODING})
    batches: Sequence[Tensor] = _training(data, CALIBRATION)[0].split(128)
    with torch.no_grad():
        return approximate(
            network, name, layers=layers, quantize=coding, calibrate=batches, gradient=gradient
        )


def _training(data: datasets.Dataset, count: int) -> tuple[Tensor, Tensor]:
    return data.tensors("train", count)

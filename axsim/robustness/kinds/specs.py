"""Settings that all kinds share: what experiment files may say of networks, variants and attacks.

dataset = "mnist"                                   # a name of axsim.datasets
network = "lenet5"                                  # a name of axsim.models, or a table:
network = { name = "cleverhans", width = 16 }       # with the network's own options,
network = { name = "lenet5", seed = 1, epochs = 3 } # with how it is trained (see trained),
network = { name = "lenet5_da", weights = "lenet5_da.npz" }  # or with weights from a file of your own
variant = "exact"                                   # the network itself
variant = "axfpm"                                   # its products through that multiplier, or a table:
variant = { name = "L40", layers = "conv", w_coding = "affine" }
variant = [{ name = "qusecnets", levels = 4 }, "axfpm"]      # a defence, and multipliers after it
variant = { name = "mean_of", of = ["L40", "17KS"] } # the mean of what these variants say
attack = { name = "cw_l2", steps = 100 }            # a name of axsim.robustness.attacks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from axsim import datasets, models, multipliers
from axsim.nn import Quantization
from axsim.nn.gradients import named as named_gradient
from axsim.robustness import attacks
from axsim.robustness.cells import Cell
from axsim.robustness.experiments import Setting, number, one_of
from axsim.robustness.kinds.trained import RECIPE, TABLE_11, build_untrained, weights_path
from axsim.robustness.names import near

CODING = tuple(f.name for f in fields(Quantization))
LAYERS = ("all", "conv")
DEFENCES: Mapping[str, Mapping[str, Any]] = {
    "bfloat16_operands": {},
    "dorefa": {"bits": 4, "activations": False},
    "qusecnets": {
        "levels": 2,
        "trainable": False,
        "reading": "paper",
        "hardness": None,
        "joint": False,
        "epochs": 3,
        "learning_rate": 2.0,
    },
    "bit_depth": {"bits": 1},
    "median_smoothing": {"size": 2},
    "first_of_batch": {"batch": 10},
}
"""What :mod:`axsim.defenses` has, by name, with the settings of each; and a fault that others' code has, of
:mod:`axsim.robustness.controls`."""

MEAN_OF = "mean_of"
"""A variant by itself: the mean of the logits of the variants ``of``."""

TRAINING = ("seed", "weights", *RECIPE)


def table(value: Any, what: str) -> dict[str, Any]:
    """A name, or a table with one, as a table."""
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise TypeError(
            f"{value!r} came, the name of {what} or a table with name = and its settings was expected"
        )
    return dict(value)


def _short(entry: Mapping[str, Any]) -> Any:
    """A table without settings is its name, so that both ways to write it are one cell."""
    return entry["name"] if len(entry) == 1 else dict(entry)


def _known(entry: Mapping[str, Any], known: Iterable[str]) -> None:
    known = tuple(known)
    for key in entry:
        if key != "name" and key not in known:
            raise ValueError(f"{entry['name']!r} has no setting {key!r}: {near(key, known)}")


def network(value: Any) -> Any:
    """A network's name or table, checked by building it without memory."""
    entry = table(value, "a network")
    one_of(lambda: (*models.list_models(), TABLE_11), "a network")(entry["name"])
    with torch.device("meta"):
        build_untrained({k: v for k, v in entry.items() if k not in TRAINING}, None)
    for key, least in (("seed", 0), ("epochs", 1), ("batch", 1), ("train_images", 1)):
        if key in entry:
            number(least, whole=True)(entry[key])
    if "weights" in entry and not isinstance(entry["weights"], str):
        raise TypeError(f"weights: {entry['weights']!r} came, the path of a file was expected")
    if "weights" in entry and (also := sorted(set(entry) & {"seed", *RECIPE})):
        raise ValueError(f"weights come from {entry['weights']}, so that {also[0]!r} has no meaning")
    return _short(entry)


def files(cell: Cell) -> Iterator[Path]:
    """The files of weights that a cell's networks name."""
    for value in cell.settings.values():
        if isinstance(value, dict) and "weights" in value:
            yield weights_path(value["weights"])


def variant(value: Any) -> Any:
    """A variant, or a list of what is done to the network one after the other."""
    if isinstance(value, list):
        if not value:
            raise ValueError("[] came, at least one variant was expected")
        made = [_variant(item) for item in value]
        if len(made) > 1 and any(table(item, "a variant")["name"] == MEAN_OF for item in made):
            raise ValueError(f"{MEAN_OF} is a variant by itself; what comes before it goes into each of its")
        return made[0] if len(made) == 1 else made
    return _variant(value)


def _variant(value: Any) -> Any:
    entry = table(value, "a multiplier or a defence")
    name = entry["name"]
    if name == "exact":
        _known(entry, ())
    elif name == MEAN_OF:
        _known(entry, ("of",))
        if not isinstance(entry.get("of"), list) or not entry["of"]:
            raise ValueError(f"of: {entry.get('of')!r} came, a list of variants was expected")
        entry["of"] = [variant(item) for item in entry["of"]]
    elif name in DEFENCES:
        _known(entry, DEFENCES[name])
        for key in entry.keys() & _OF_DEFENCES.keys():
            try:
                _OF_DEFENCES[key](entry[key])
            except (ValueError, TypeError) as problem:
                raise type(problem)(f"{key}: {problem}") from None
    else:
        _multiplier(entry)
    return _short(entry)


def _multiplier(entry: Mapping[str, Any]) -> None:
    try:
        found = multipliers.get(entry["name"])
    except ValueError as problem:
        raise ValueError(f"{problem} (defences are {', '.join(DEFENCES)}; see also {MEAN_OF})") from None
    coded = isinstance(found, multipliers.Multiplier)
    _known(entry, ("layers", *CODING) if coded else ("layers",))
    if (layers := entry.get("layers", "all")) not in LAYERS:
        raise ValueError(f"layers: {layers!r} came, one of {', '.join(LAYERS)} was expected")
    Quantization(**{k: v for k, v in entry.items() if k in CODING})


def attack(value: Any) -> Any:
    """An attack's name or table, checked by making it."""
    entry = table(value, "an attack")
    one_of(attacks.list_attacks, "an attack")(entry["name"])
    attacks.get(**entry)
    return _short(entry)


def gradient(value: Any) -> str:
    """The name of a gradient rule of :mod:`axsim.nn.gradients`."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} came, the name of a gradient rule was expected")
    return str(named_gradient(value).name)


def choice(*names: str) -> Callable[[Any], Any]:
    """One of a few words."""
    return one_of(lambda: names, "a choice here")


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What ``check`` takes, or None (the default of a setting that a file does not give)."""
    return lambda value: None if value is None else check(value)


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} came, true or false was expected")
    return value


_OF_DEFENCES: Mapping[str, Callable[[Any], Any]] = {
    "levels": number(2, whole=True),
    "bits": number(1, 31, whole=True),
    **dict.fromkeys(("size", "epochs", "batch"), number(1, whole=True)),
    **dict.fromkeys(("trainable", "joint", "activations"), flag),
    "hardness": number(1e-9),
    "learning_rate": number(0),
    "reading": choice("paper", "code"),
}

DATASET = Setting(one_of(datasets.list_datasets, "a data set"), "mnist")
NETWORK = Setting(network)
VARIANT = Setting(variant, "exact")
ATTACK = Setting(attack)
BUDGET = Setting(optional(number(0)), None)
IMAGES = Setting(number(1, whole=True), 100)
SEED = Setting(number(0, whole=True), 0)
PUSH = Setting(number(0), 1)
GRADIENT = Setting(gradient, "ste")


def needs_budget(spec: Any, budget: Any) -> None:
    """Raise where an attack has no budget and looks for none by itself."""
    made = attacks.get(**table(spec, "an attack"))
    if budget is None and not made.minimal:
        raise ValueError(f"{made.name} needs a budget (the greatest noise in {made.norm})")
    if budget is not None and made.norm == "l0" and budget % 1:
        raise ValueError(f"{made.name} counts pixels: a whole budget was expected, {budget} came")

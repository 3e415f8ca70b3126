"""Networks with their weights: those that come with axsim, a file's, or trained here once and kept.

A trained one is a function of its table in the experiment file, of the data set and of the seed alone (on
one machine, with one thread); it is kept in ``models/experiments`` in the user's cache folder, with the
record of how it was made.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from axsim import datasets, models
from axsim.defenses import quantization_network
from axsim.errors import WeightsError
from axsim.files import cache_directory
from axsim.results import versions
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.store import lock_file

TABLE_11 = "dorefa_network"
"""The network of :func:`axsim.defenses.quantization_network`, beside those of :mod:`axsim.models`."""

RECIPE = ("train_images", *(f.name for f in fields(models.Recipe) if f.name != "seed"))
"""Settings of a network's table that say how it is trained."""

Change = Callable[[nn.Module], nn.Module]


@functools.cache
def dataset(name: str) -> datasets.Dataset:
    """A data set, once a process."""
    return datasets.load(name)


def build_untrained(
    spec: Mapping[str, Any], data: datasets.Dataset | None, seed: int | None = None
) -> nn.Module:
    """The network of a table, for the images of a data set (default: as the network has it by itself)."""
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items() if k != "name"}
    shape: dict[str, int] = {} if data is None else data.options
    if spec["name"] != TABLE_11:
        return models.get(spec["name"], seed=seed, **{**shape, **options})
    renamed = {"in_channels": "channels", "size": "side", "classes": "classes"}
    sizes: dict[str, Any] = {**{renamed[k]: v for k, v in shape.items()}, **options}
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return quantization_network(**sizes)


def load(
    spec: Mapping[str, Any],
    data: datasets.Dataset,
    seed: int,
    changes: Any = (),
    change: Change | None = None,
) -> nn.Module:
    """A network with its weights, in evaluation mode.

    Args:
        spec: its table.
        data: what it is trained on.
        seed: of initial weights and order, where the table has none.
        changes: what names ``change``, as plain values.
        change: a defence that is trained with the network.

    Raises:
        WeightsError: weights of a file that cannot be read, or no folder to keep trained ones in.
    """
    built = {k: v for k, v in spec.items() if k not in ("seed", "weights", *RECIPE)}
    seed = int(spec.get("seed", seed))
    if "weights" in spec:
        network = change(build_untrained(built, data)) if change else build_untrained(built, data)
        return models.load_npz(network, _find(spec["weights"])).eval()
    given = {k: v for k, v in spec.items() if k in RECIPE}
    if (
        seed == 0
        and not given
        and change is None
        and len(built) == 1
        and _comes_along(spec["name"], data.name)
    ):
        return models.load(spec["name"], data.name, _shipped())
    return _trained(built, data, seed, {**recipe_of(spec["name"], data.name), **given}, changes, change)


def recipe_of(name: str, data: str) -> dict[str, Any]:
    """What ``recipes.toml`` says of a network.

    >>> recipe_of("lenet5_da", "mnist")["epochs"], recipe_of("alexnet_average", "cifar10")["optimizer"]
    (3, 'sgd')
    """
    text = files("axsim.robustness.kinds").joinpath("recipes.toml").read_text(encoding="utf-8")
    known = tomllib.loads(text)
    if data == "digits":
        return {"train_images": 0, **known["digits"]}
    found = max((n for n in known if n != "digits" and name.startswith(n)), key=len)
    return {"train_images": 0, **known[found]}


def digest(network: nn.Module) -> str:
    """What names a network's weights: the first 16 hexadecimal digits of their SHA-256."""
    total = hashlib.sha256()
    for name, value in network.state_dict().items():
        if isinstance(value, torch.Tensor):
            total.update(name.encode())
            total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]


def weights_path(name: str) -> Path:
    """A path as it is, or else in the folder of data sets; it need not be there."""
    path = Path(name).expanduser()
    if not path.is_absolute() and not path.exists() and (folder := os.environ.get("AXSIM_DATA")):
        path = Path(folder).expanduser() / path
    return path


def _find(name: str) -> Path:
    path = weights_path(name)
    if not path.exists():
        raise WeightsError(f"weights: there is no file {name}, neither here nor in the folder AXSIM_DATA")
    return path


def _shipped() -> Path:
    return Path(models.__file__).with_name("trained")


def _comes_along(name: str, data: str) -> bool:
    return (name, data) in models.list_trained(_shipped())


def _trained(
    built: Mapping[str, Any],
    data: datasets.Dataset,
    seed: int,
    recipe: Mapping[str, Any],
    changes: Any,
    change: Change | None,
) -> nn.Module:
    count = int(recipe["train_images"]) or len(data.train_images)
    images, labels = data.train_images[:count], data.train_labels[:count]
    how = models.Recipe(**{k: v for k, v in recipe.items() if k != "train_images"}, seed=seed)
    made = {
        "network": dict(built),
        "changes": changes,
        "recipe": asdict(how),
        "train_images": count,
        "dataset": data.name,
        "fingerprint": models.fingerprint(images, labels),
    }
    network = build_untrained(built, data, seed)
    network = change(network) if change else network
    cache = cache_directory()
    folder = Path(tempfile.gettempdir()) / "axsim" if cache is None else cache
    folder = folder / "models" / "experiments" / Cell(made).key("1")[:16]
    name = built["name"]
    with lock_file(folder / "lock"):
        path = folder / f"{name}-{data.name}.safetensors"
        if not path.exists():
            print(
                f"axsim: training {canonical(dict(built))} on {data.name}, seed {seed}",
                file=sys.stderr,
                flush=True,
            )
            with _one_thread():
                epochs = models.train(
                    network, images, labels, how, checkpoint=folder / "checkpoint", show=True
                )
            accuracy = models.accuracy(network, data.test_images, data.test_labels)
            record = {**made, "options": {}, "accuracy": accuracy, "epochs": [asdict(e) for e in epochs]}
            record["versions"] = {**versions(), "torch": torch.__version__}
            models.save(network, folder, name, data.name, record)
            (folder / "checkpoint").unlink(missing_ok=True)
        _fill(network, path)
    return network.eval()


def _fill(network: nn.Module, path: Path) -> None:
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(path))
    except Exception as problem:  # safetensors has errors of its own for damage
        raise WeightsError(
            f"{path} cannot be read: {problem}; delete {path.parent} to train anew"
        ) from problem


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch, so that the weights do not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

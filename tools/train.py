"""Train a network on a data set, and write its weights with a record of how they were made.

    python tools/train.py MODEL DATASET [--out DIR] [--epochs N] [--option hidden=64] ...

Writes MODEL-DATASET.safetensors and MODEL-DATASET.json, which `axsim.models.load(MODEL, DATASET)` finds in
the default folder. After each epoch a checkpoint is written: the same command goes on from there after an
interruption, and gives the same weights as if there had been none (on the same machine, with the same
threads and versions). Settings that are not given are those of RECIPES below. What axsim ships was made with
--out axsim/models/trained --threads 1, and on digits --option hidden=[64] for ffnn, --epochs 40 for resnet20,
on cifar10 --epochs 14 --half for resnet20.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from axsim import datasets, models
from axsim.cli.app import plain_errors
from axsim.engines.isa import cpu_name
from axsim.files import cache_directory, check_folder
from axsim.results import versions

RECIPES = {
    "alexnet": models.Recipe(
        epochs=60, batch=128, optimizer="sgd", learning_rate=0.01, weight_decay=5e-4, augment="crop-flip"
    ),
    "resnet": models.Recipe(
        epochs=60,
        batch=64,
        optimizer="sgd",
        learning_rate=0.05,
        warmup=0.1,
        weight_decay=5e-4,
        augment="crop-flip",
    ),
    "vit": models.Recipe(
        epochs=100, batch=128, learning_rate=1e-3, warmup=0.1, weight_decay=0.05, augment="crop-flip"
    ),
    "lenet": models.Recipe(epochs=15, batch=128, learning_rate=2e-3, augment="shift"),
    "": models.Recipe(epochs=15, batch=128, learning_rate=1e-3),
}
DIGITS = models.Recipe(epochs=60, batch=32, learning_rate=2e-3)


def recipe_of(model: str, dataset: str) -> models.Recipe:
    """The settings for a network: those of the longest name that it begins with."""
    if dataset == "digits":
        return DIGITS
    return RECIPES[max((name for name in RECIPES if model.startswith(name)), key=len)]


def option(text: str) -> tuple[str, Any]:
    """``name=value``, the value as JSON, or else a text: ``hidden=[64,32]``, ``pool=average``."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--option is {text!r}; NAME=VALUE was expected")
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = value
    return name, tuple(parsed) if isinstance(parsed, list) else parsed


def default_folder() -> Path:
    """Where ``axsim.models.load`` looks."""
    cache = cache_directory()
    if cache is None:
        raise ValueError("there is no cache folder to write to: give --out, or set AXSIM_CACHE_DIR")
    return cache / "models"


def rounded(epoch: models.Epoch) -> dict[str, Any]:
    """An epoch for the record, without the digits that nobody reads."""
    return {k: round(v, 2 if k == "seconds" else 6) if v is not None else v for k, v in asdict(epoch).items()}


@plain_errors
def main(
    model: Annotated[str, typer.Argument(help="Name of a network: axsim.models.list_models().")],
    dataset: Annotated[str, typer.Argument(help="Name of a data set: axsim.datasets.list_datasets().")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. Default: the user's cache.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the data set. Default: AXSIM_DATA.")] = None,
    download: Annotated[bool, typer.Option(help="Get the data set from its authors if need be.")] = False,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    batch: Annotated[int | None, typer.Option(help="Images of a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its greatest value.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of weights with two or more axes.")] = None,
    augment: Annotated[Literal["none", "shift", "crop-flip"] | None, typer.Option(help="Of images.")] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights, order, augmentation, dropout.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Threads of torch. Default: its own choice.")] = None,
    options: Annotated[
        list[str] | None, typer.Option("--option", help="NAME=VALUE for the network; may be repeated.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Write float16: half the file.")] = False,
    fresh: Annotated[bool, typer.Option(help="Begin anew, even where a checkpoint is.")] = False,
) -> None:
    """Train MODEL on DATASET."""
    folder = check_folder(out or default_folder(), "--out")
    if threads is not None:
        torch.set_num_threads(threads)
    images = datasets.load(dataset, data, download=download)
    chosen: dict[str, Any] = {**images.options, **dict(map(option, options or ()))}
    network = models.get(model, seed=seed, **chosen)
    if (
        chosen["in_channels"] > 1
    ):  # faster by a quarter on the CPU; with one channel both layouts are the same
        network.to(memory_format=torch.channels_last)
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "augment": augment,
    }
    recipe = replace(
        recipe_of(model, dataset), seed=seed, **{k: v for k, v in given.items() if v is not None}
    )
    checkpoint = folder / f"{model}-{dataset}.checkpoint"
    if fresh:
        checkpoint.unlink(missing_ok=True)
    if checkpoint.exists():
        print(f"going on from {checkpoint}", file=sys.stderr)
    test = images.test_images, images.test_labels
    history = models.train(
        network,
        images.train_images,
        images.train_labels,
        recipe,
        test=test,
        checkpoint=checkpoint,
        show=True,
    )
    parameters, products = models.cost(network, images.test_images.shape[1:])
    made = {
        "options": chosen,
        "parameters": parameters,
        "multiply_accumulates": products,
        "dataset": {
            "name": dataset,
            "source": Path(images.source).name,
            "note": images.note,
            "train_images": len(images.train_images),
            "test_images": len(images.test_images),
            "train_fingerprint": models.fingerprint(images.train_images, images.train_labels),
        },
        "recipe": asdict(recipe),
        "accuracy": history[-1].test_accuracy,
        "epochs": [rounded(epoch) for epoch in history],
        "versions": {**versions(), "torch": torch.__version__},
        "machine": {
            "processor": cpu_name(),
            "system": platform.system(),
            "threads": torch.get_num_threads(),
        },
    }
    if half:
        made |= {"weights": "float16", "accuracy": models.accuracy(models.halved(network), *test)}
    written = models.save(network, folder, model, dataset, made, half=half)
    checkpoint.unlink(missing_ok=True)
    print(f"test accuracy {100 * models.accuracy(network, *test):.2f} %: {written}")


if __name__ == "__main__":
    typer.run(main)

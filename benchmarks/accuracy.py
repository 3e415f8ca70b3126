"""What multipliers do to the accuracy of trained networks, as they are and after one epoch of retraining.

A cell is one network with one multiplier. Each is written to a file of its own when it is done, and is not
computed again: an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import axsim.nn
from axsim import datasets, models
from axsim.errors import DatasetError, WeightsError
from axsim.multipliers.evoapprox import evoapprox
from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table, write_json
from benchmarks.report import Row

MULTIPLIERS = (*evoapprox(), "axfpm", "axbf16", "bfloat16")
RETRAINING = models.Recipe(epochs=1, batch=64, learning_rate=3e-4, seed=0)
CALIBRATION = 256  # training images


@dataclass(frozen=True)
class Task:
    """A trained network, and on how many images it is measured and retrained.

    Attributes:
        title: for tables.
        model, dataset: names of ``axsim.models.load``.
        test, train: images, from the beginning of either part; None: all.
    """

    title: str
    model: str
    dataset: str
    test: int | None = None
    train: int | None = None


TASKS = (
    Task("LeNet-5, MNIST", "lenet5", "mnist", train=20000),
    Task("ResNet-20, digits", "resnet20", "digits"),
    Task("ResNet-20, CIFAR-10", "resnet20", "cifar10", test=2000, train=5000),
)


@dataclass(frozen=True)
class Loaded:
    """A task's network and images, as tensors."""

    network: Any
    weights: str
    test: tuple[Any, Any]
    train: tuple[Any, Any]
    note: str

    @property
    def calibration(self) -> list[Any]:
        """One batch of training images to find ranges with."""
        return [self.train[0][:CALIBRATION]]

    def accuracy(self, network: Any) -> float:
        """Of the test images, by a network."""
        return models.accuracy(network, *self.test)


@cache
def load(task: Task) -> Loaded:
    """A task's network and images.

    Raises:
        DatasetError, WeightsError: one of them is nowhere.
    """
    network = models.load(task.model, task.dataset)
    data = datasets.load(task.dataset)
    return Loaded(
        network,
        str(models.record(task.model, task.dataset)["sha256"]),
        data.tensors("test", task.test),
        data.tensors("train", task.train),
        data.note,
    )


def available(tasks: Iterable[Task]) -> list[Task]:
    """The tasks whose weights and images are there; the others are named, with what is missing."""
    found = []
    for task in tasks:
        try:
            load(task)
        except (DatasetError, WeightsError) as missing:
            print(f"{task.title} is left out: {str(missing).splitlines()[0]}")
        else:
            found.append(task)
    return found


def baseline(task: Task) -> Row:
    """Accuracy in float32, and quantised with exact products."""
    loaded = load(task)
    exact = axsim.nn.approximate(loaded.network, "exact8", calibrate=loaded.calibration)
    return {"float32": loaded.accuracy(loaded.network), "exact8": loaded.accuracy(exact)}


def measure(task: Task, mult: str) -> Row:
    """Accuracy with a multiplier, and after one epoch of training with it."""
    loaded, begin = load(task), time.perf_counter()
    network = axsim.nn.approximate(loaded.network, mult, calibrate=loaded.calibration)
    before, middle = loaded.accuracy(network), time.perf_counter()
    models.train(network, *loaded.train, RETRAINING)
    end = time.perf_counter()
    after = loaded.accuracy(network)
    layer = next(m for m in network.modules() if isinstance(m, axsim.nn.layers.Approximate))
    return {
        "approximate": before,
        "retrained": after,
        "arithmetic": layer.arithmetic.key,
        "seconds": {"test": middle - begin, "epoch": end - middle},
    }


def cell(folder: Path, task: Task, mult: str | None) -> Row:
    """A cell's result: from its file, or measured and written there. ``mult`` None: the baseline."""
    path = folder / f"{task.model}-{task.dataset}-{mult or 'baseline'}.json"
    settings = {
        **asdict(task),
        "multiplier": mult,
        "weights": load(task).weights,
        "calibration": CALIBRATION,
        "retraining": asdict(RETRAINING),
    }
    if path.exists():
        kept: Row = json.loads(path.read_text(encoding="utf-8"))
        if kept["settings"] == settings:
            return kept
    found = baseline(task) if mult is None else measure(task, mult)
    row = {"settings": settings, **found}
    write_json(path, row)
    return row


def run(folder: Path, tasks: Sequence[Task], mults: Sequence[str] = MULTIPLIERS) -> list[Row]:
    """All cells, as rows that name everything; those in ``folder`` are not computed again."""
    cells = [(task, mult) for task in available(tasks) for mult in (None, *mults)]
    rows, base = [], {}
    for task, mult in track(cells, "measuring accuracy", len(cells)):
        made = cell(folder, task, mult)
        if mult is None:
            base = {name: made[name] for name in ("float32", "exact8")}
            continue
        loaded = load(task)
        images = {"test": len(loaded.test[0]), "train": len(loaded.train[0])}
        facts = {"network": task.title, "multiplier": mult, "images": images, "note": loaded.note}
        rows.append({**facts, **base, **{k: v for k, v in made.items() if k != "settings"}})
    return rows


def print_rows(rows: Sequence[Row]) -> None:
    """A table for each network."""
    for title in dict.fromkeys(row["network"] for row in rows):
        mine = [row for row in rows if row["network"] == title]
        first = mine[0]
        print_table(
            f"{title}: accuracy (%) on {first['images']['test']:,} images, in float32 "
            f"{100 * first['float32']:.2f}, quantised with exact products {100 * first['exact8']:.2f}; "
            f"retrained: one epoch of {first['images']['train']:,} images, straight-through",
            ("multiplier", "approximate", "retrained", "coding"),
            [
                (
                    row["multiplier"],
                    f"{100 * row['approximate']:.2f}",
                    f"{100 * row['retrained']:.2f}",
                    _coding(row["arithmetic"]),
                )
                for row in mine
            ],
        )


def _coding(key: str) -> str:
    return " ".join(part for part in key.split("|") if part[:2] in ("a=", "w=")) or "floats"


def picture(rows: Sequence[Row]) -> Any:
    """Accuracy of every multiplier before and after retraining, a panel a network."""
    titles = list(dict.fromkeys(row["network"] for row in rows))
    figure = new_figure(11, 3.4 * len(titles))
    panels = figure.subplots(len(titles), 1, squeeze=False).ravel()
    for panel, title in zip(panels, titles, strict=True):
        mine = [row for row in rows if row["network"] == title]
        places = range(len(mine))
        panel.axhline(100 * mine[0]["float32"], color="#999999", linestyle="--", label="float32")
        panel.axhline(100 * mine[0]["exact8"], color="black", linewidth=0.8, label="quantised, exact")
        before, after = ([100 * row[what] for row in mine] for what in ("approximate", "retrained"))
        panel.vlines(places, before, after, color="#bbbbbb", linewidth=2)
        panel.scatter(places, before, color="#c0392b", label="approximate", zorder=3)
        panel.scatter(places, after, color="#34618f", label="retrained", zorder=3)
        names = [row["multiplier"].removeprefix("mul8u_") for row in mine]
        panel.set_xticks(places, names, rotation=45)
        panel.set(title=title, ylabel="accuracy (%)")
        panel.margins(x=0.02, y=0.1)
        panel.grid(alpha=0.3, axis="y")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return figure

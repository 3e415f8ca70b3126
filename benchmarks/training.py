"""What training through approximate multipliers costs, and what it wins back.

    python -m benchmarks.training [--quick] [--out DIR]
    python -m benchmarks.training accuracy [--out DIR]

Without a command: the time of one step (forward, loss, backward, Adam) of LeNet-5 on 32 images by each rule
for gradients, beside float32's. ``accuracy`` trains networks for one epoch by each rule, three times, and
says what they classify before and after: LeNet-5 on MNIST and ResNet-20, with the circuits JV3 and L40. Cells
that are done are kept in DIR and not computed again. Both write a JSON file and a picture.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import nn
from torch.nn import functional

import axsim.nn
from axsim import models
from axsim.cli.app import plain_errors
from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table, write_json
from axsim.threads import get_num_threads
from benchmarks.accuracy import CALIBRATION, RETRAINING, TASKS, Task, available, load
from benchmarks.operations import FLOAT32
from benchmarks.report import OUT, OutFolder, Row, hand_over, rows_of, spread
from benchmarks.timing import how, interleaved, threads_set_to

RULES = ("ste", "difference1d(16)", "difference2d(16)")
CIRCUITS = ("JV3", "L40")
SEEDS = (0, 1, 2)
BATCH = 32

app = typer.Typer(invoke_without_command=True, no_args_is_help=False, pretty_exceptions_enable=False)


def step(network: nn.Module, images: Any, labels: Any) -> Callable[[], None]:
    """One step of training as a call."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    network.train()

    def call() -> None:
        loss = functional.cross_entropy(network(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return call


def measure_steps(quick: bool) -> list[Row]:
    """A row for each number of threads and thing timed."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 1, 28, 28, generator=generator)
    labels = torch.randint(10, (BATCH,), generator=generator)
    rows = []
    for threads in sorted({1, get_num_threads()}):
        exact = models.get("lenet5", seed=0)
        calls = {FLOAT32: step(exact, images, labels)}
        for mult in CIRCUITS:
            for rule in RULES:
                made = axsim.nn.approximate(exact, mult, calibrate=[images], gradient=rule)
                calls[f"{mult}, {rule}"] = step(made, images, labels)
        with threads_set_to(threads):
            times = interleaved(calls, **how(quick))
        products = 3 * BATCH * models.cost(exact, (1, 28, 28))[1]
        rows += rows_of(times, products, FLOAT32, network="LeNet-5", batch=BATCH, threads=threads)
    return rows


def print_steps(rows: Sequence[Row]) -> None:
    """The table of steps."""
    print_table(
        f"A step of training, LeNet-5, {BATCH} images: forward, loss, backward, Adam; medians",
        ("what", "threads", "ms", "time / float32's", "quartiles"),
        [
            (
                r["what"],
                str(r["threads"]),
                f"{1e3 * r['seconds']['median']:.2f}",
                f"{1 / r['ratio_to_float32']:.2f}",
                spread(r),
            )
            for r in rows
        ],
    )


def picture_of_steps(rows: Sequence[Row]) -> Any:
    """How much longer than float32's a step takes, a bar a rule."""
    threads = sorted({r["threads"] for r in rows})
    figure = new_figure(9, 1 + 0.3 * len(rows))
    axis = figure.subplots()
    shown = [r for count in threads for r in rows if r["threads"] == count and r["what"] != FLOAT32]
    labels = [f"{r['what']}, {r['threads']} thread{'s' * (r['threads'] > 1)}" for r in shown]
    bars = axis.barh(labels, [1 / r["ratio_to_float32"] for r in shown], color="#34618f")
    axis.bar_label(bars, fmt="%.1f", padding=3)
    axis.axvline(1, color="#999999", linestyle="--")
    axis.invert_yaxis()
    axis.set(xlabel="time / time in float32", title=f"A step of training, LeNet-5, {BATCH} images")
    axis.margins(x=0.1)
    return figure


def cell(folder: Path, task: Task, mult: str, rule: str, seed: int) -> Row:
    """Accuracy before and after one epoch, from its file or measured."""
    path = folder / f"{task.model}-{task.dataset}-{mult}-{rule}-{seed}.json"
    loaded, recipe = load(task), replace(RETRAINING, seed=seed)
    settings = {
        **asdict(task),
        "multiplier": mult,
        "gradient": rule,
        "weights": loaded.weights,
        "calibration": CALIBRATION,
        "recipe": asdict(recipe),
    }
    if path.exists():
        kept: Row = json.loads(path.read_text(encoding="utf-8"))
        if kept["settings"] == settings:
            return kept
    network = axsim.nn.approximate(loaded.network, mult, calibrate=loaded.calibration, gradient=rule)
    before, begin = loaded.accuracy(network), time.perf_counter()
    epoch = models.train(network, *loaded.train, recipe)[0]
    seconds = time.perf_counter() - begin
    row = {
        "settings": settings,
        "network": task.title,
        "images": {"test": len(loaded.test[0]), "train": len(loaded.train[0])},
        "note": loaded.note,
        "float32": loaded.accuracy(loaded.network),
        "before": before,
        "after": loaded.accuracy(network),
        "loss": epoch.loss,
        "seconds": seconds,
    }
    write_json(path, row)
    return row


def measure_accuracy(folder: Path, tasks: Sequence[Task]) -> list[Row]:
    """All cells."""
    cells = [
        (task, mult, rule, seed)
        for task in available(tasks)
        for mult in CIRCUITS
        for rule in RULES
        for seed in SEEDS
    ]
    return [cell(folder, *what) for what in track(cells, "training", len(cells))]


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Rows by network, multiplier and rule: the seeds of each."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        settings = row["settings"]
        groups.setdefault((row["network"], settings["multiplier"], settings["gradient"]), []).append(row)
    return groups


def print_accuracy(rows: Sequence[Row]) -> None:
    """A table for each network: mean of the seeds, and the least and greatest."""
    for title in dict.fromkeys(row["network"] for row in rows):
        first = next(row for row in rows if row["network"] == title)
        mine = {key[1:]: group for key, group in grouped(rows).items() if key[0] == title}
        print_table(
            f"{title}: accuracy (%) on {first['images']['test']:,} images before and after one epoch of "
            f"{first['images']['train']:,} images; float32 {100 * first['float32']:.2f}; mean of "
            f"{len(SEEDS)} seeds, least and greatest",
            ("multiplier", "gradient", "before", "after", "least", "greatest"),
            [
                (
                    mult,
                    rule,
                    f"{100 * group[0]['before']:.2f}",
                    f"{100 * statistics.mean(r['after'] for r in group):.2f}",
                    f"{100 * min(r['after'] for r in group):.2f}",
                    f"{100 * max(r['after'] for r in group):.2f}",
                )
                for (mult, rule), group in mine.items()
            ],
        )


def picture_of_accuracy(rows: Sequence[Row]) -> Any:
    """Accuracy before and after by rule, a panel a network and multiplier."""
    groups = grouped(rows)
    panels_of = list(dict.fromkeys(key[:2] for key in groups))
    figure = new_figure(3.2 * len(panels_of), 3.6)
    panels = figure.subplots(1, len(panels_of), squeeze=False)[0]
    for panel, (title, mult) in zip(panels, panels_of, strict=True):
        mine = {key[2]: group for key, group in groups.items() if key[:2] == (title, mult)}
        first = next(iter(mine.values()))[0]
        panel.axhline(100 * first["float32"], color="#999999", linestyle="--", label="float32")
        panel.axhline(100 * first["before"], color="#c0392b", label="before")
        for k, group in enumerate(mine.values()):
            panel.scatter([k] * len(group), [100 * r["after"] for r in group], color="#34618f", zorder=3)
        panel.set_xticks(range(len(mine)), [rule.partition("(")[0] for rule in mine], rotation=30)
        panel.set(title=f"{title}\n{mult}", ylabel="accuracy (%)")
        panel.margins(x=0.3)
        panel.grid(alpha=0.3, axis="y")
        panel.legend(fontsize=8, frameon=False)
    return figure


@app.callback()
@plain_errors
def steps(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds.")] = False,
    out: OutFolder = OUT,
) -> None:
    """Time a step of training by each rule for gradients beside float32's; or what a command says."""
    if context.invoked_subcommand is not None:
        return
    rows = measure_steps(quick)
    print_steps(rows)
    hand_over(out, "training_steps", rows, picture_of_steps(rows))


@app.command()
@plain_errors
def accuracy(
    out: OutFolder = OUT,
    threads: Annotated[int, typer.Option(help="Threads of axsim and torch.")] = 1,
) -> None:
    """Train networks for one epoch by each rule, and measure them before and after."""
    with threads_set_to(threads):
        rows = measure_accuracy(out / "training_cells", TASKS)
    print_accuracy(rows)
    hand_over(out, "training_accuracy", rows, picture_of_accuracy(rows))


if __name__ == "__main__":
    app()

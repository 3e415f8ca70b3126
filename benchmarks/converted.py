"""What whole converted models cost beside torch's float32: forward passes, and steps of training.

    python -m benchmarks.converted [--quick] [--model NAME ...] [--out DIR]

Runs LeNet-5 and ResNet-18 (32 pixels) through ``axsim.nn.approximate``, rectifiers, pooling and normalisation
included, at batches of 1 and 32 on one thread and on all, all in turn; a step of training is a forward pass,
a backward pass and SGD. Prints the ratios to the exact model, and writes converted.json.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
import typer
from torch import nn

import axsim.models
import axsim.nn
from axsim.progress import track
from axsim.results import print_table, write_json
from axsim.threads import get_num_threads
from benchmarks.report import OUT, OutFolder, Row, rows_of, spread
from benchmarks.timing import how, interleaved, machine, threads_set_to

FLOAT32 = "torch float32"
MULTIPLIERS = ("mul8u_L40", "mul8u_1446", "axfpm")
# What a name of axsim.models takes, and whether steps of training are timed.
MODELS: dict[str, tuple[dict[str, Any], bool]] = {
    "lenet5": ({}, True),
    "resnet18": ({"size": 32}, False),
}
LARGEST = {"axfpm": ("lenet5",)}  # seconds a pass elsewhere


def cases(name: str, batch: int, training: bool) -> dict[str, Callable[[], object]]:
    """What is timed of a model: exact, and through every multiplier."""
    options, _ = MODELS[name]
    exact = axsim.models.get(name, seed=0, **options).eval()
    images, labels = inputs(exact, batch)
    models = {FLOAT32: exact}
    for mult in MULTIPLIERS:
        if name in LARGEST.get(mult, MODELS):
            models[mult] = axsim.nn.approximate(exact, mult, calibrate=[images])
    make = step if training else forward
    return {what: make(model, images, labels) for what, model in models.items()}


def inputs(model: nn.Module, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random images and labels."""
    generator = torch.Generator().manual_seed(0)
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    side = 28 if first.in_channels == 1 else 32
    images = torch.rand(batch, first.in_channels, side, side, generator=generator)
    return images, torch.randint(0, 10, (batch,), generator=generator)


def forward(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], object]:
    """A pass without gradients."""

    def call() -> object:
        with torch.no_grad():
            return model(images)

    return call


def step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], object]:
    """A step of training."""
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)

    def call() -> object:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model.train()(images), labels)
        loss.backward()
        optimiser.step()
        return loss

    return call


def measure(names: Sequence[str], quick: bool) -> list[Row]:
    """One row for each model, batch, number of threads, kind of pass and thing timed."""
    settings = [
        (name, batch, training)
        for name in names
        for batch in ((1,) if quick and name != "lenet5" else (1, 32))
        for training in ((False, True) if MODELS[name][1] and batch > 1 else (False,))
    ]
    rows = []
    for name, batch, training in track(settings, "timing", len(settings)):
        calls = cases(name, batch, training)
        for threads in sorted({1, get_num_threads()}):
            with threads_set_to(threads):
                times = interleaved(calls, **how(quick))
            facts = {
                "model": name,
                "batch": batch,
                "threads": threads,
                "pass": "step" if training else "forward",
            }
            rows.extend(rows_of(times, batch, FLOAT32, **facts))
    return rows


def print_rows(rows: Sequence[Row]) -> None:
    """The table of ratios."""
    headings = ("model", "pass", "batch", "threads", "what")
    print_table(
        "Whole models; medians; quartiles of the time in percent of its median",
        (*headings, "ms", "time / float32's", "quartiles"),
        [
            (
                *(str(row[heading]) for heading in headings),
                f"{1e3 * row['seconds']['median']:.3g}",
                f"{1 / row['ratio_to_float32']:.2f}",
                spread(row),
            )
            for row in rows
        ],
    )


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds and batches.")] = False,
    model: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(MODELS)}; default: all.")] = None,
    out: OutFolder = OUT,
) -> None:
    """Time whole converted models beside torch's float32."""
    names = model or list(MODELS)
    if strange := [name for name in names if name not in MODELS]:
        raise typer.BadParameter(f"--model is {strange[0]!r}, expected {', '.join(MODELS)}")
    rows = measure(names, quick)
    print_rows(rows)
    print(f"figures: {write_json(out / 'converted.json', {'machine': machine(), 'rows': rows})}")


if __name__ == "__main__":
    typer.run(main)

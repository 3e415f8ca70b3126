"""What whole networks cost through approximate multipliers, beside torch's float32; and what they classify.

    python -m benchmarks.networks [--quick] [--network NAME ...] [--batch N ...] [--out DIR]
    python -m benchmarks.networks layers [--quick] [--out DIR]
    python -m benchmarks.networks accuracy [--out DIR]

Without a command: converted networks as users have them (``axsim.models`` through ``axsim.nn.approximate``,
calibrated), rectifiers, pooling and normalisation included, at batches of 1 and 32 on one thread and on all,
all in turn with the same network in torch. Writes networks.json and networks.png. ``layers`` sums the times
of single layers (``benchmarks.network_layers``). ``accuracy`` measures trained networks with 19 multipliers,
as they are and after an epoch of retraining (``benchmarks.accuracy``); cells that are done are kept in DIR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import typer
from torch import nn

import axsim.nn
from axsim import models
from axsim.cli.app import plain_errors
from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table
from axsim.threads import get_num_threads
from benchmarks import accuracy as accuracies
from benchmarks import network_layers
from benchmarks.operations import FLOAT32
from benchmarks.report import COLORS, OUT, OutFolder, Row, hand_over, rows_of, spread
from benchmarks.timing import how, interleaved, threads_set_to

INTEGER = ("mul8u_1446", "mul8u_JQQ", "mul8u_L40")
FLOAT = ("axfpm",)
LARGE = 1e8  # products of an image: quick runs take one image, and no float multiplier
MOST_FLOAT = 2e9  # products of a batch through a float multiplier: some seconds

app = typer.Typer(invoke_without_command=True, no_args_is_help=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Case:
    """A network with initial weights.

    Attributes:
        make: makes it.
        shape: of one image.
        products: multiply-accumulates of one image.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    products: int


def resnet18_224() -> nn.Module:
    """ResNet-18 for large images: 7 x 7 with stride 2 and a max-pool in front (He et al. 2016, table 1)."""
    network: Any = models.get("resnet18", seed=0, classes=1000)
    network.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
    network.bn1 = nn.Sequential(
        network.bn1, nn.MaxPool2d(3, 2, padding=1)
    )  # ReLU follows: max goes before it
    return network  # type: ignore[no-any-return]


NETWORKS = {
    "LeNet-5": Case(lambda: models.get("lenet5", seed=0), (1, 28, 28), 406_800),
    "ResNet-20, 32 px": Case(lambda: models.get("resnet20", seed=0), (3, 32, 32), 40_551_040),
    "ResNet-18, 32 px": Case(lambda: models.get("resnet18", seed=0), (3, 32, 32), 555_422_720),
    "ResNet-18, 224 px": Case(resnet18_224, (3, 224, 224), 1_814_073_344),
    "ViT-tiny, 32 px": Case(lambda: models.get("vit", seed=0), (3, 32, 32), 365_107_584),
}


def batches(case: Case, quick: bool) -> tuple[int, ...]:
    """One image and 32; of large networks one only, if it is to be quick."""
    return (1,) if quick and case.products > LARGE else (1, 32)


def multipliers(case: Case, batch: int, quick: bool) -> tuple[str, ...]:
    """Integer ones, and float ones where a pass takes no more than some seconds."""
    most = LARGE if quick else MOST_FLOAT
    return (*INTEGER, *(FLOAT if batch * case.products <= most else ()))


def passes(case: Case, batch: int, mults: Sequence[str]) -> dict[str, Callable[[], object]]:
    """What is timed: a pass of the exact network, and through every multiplier."""
    exact = case.make().eval()
    images = torch.rand(batch, *case.shape, generator=torch.Generator().manual_seed(0))
    networks = {FLOAT32: exact}
    for mult in mults:
        made = networks[mult] = axsim.nn.approximate(exact, mult, calibrate=[images])
        if idle := axsim.nn.summary(made, images).idle:
            raise RuntimeError(f"{', '.join(idle)} did not multiply through {mult}")
    return {what: forward(network, images) for what, network in networks.items()}


def forward(network: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    """A pass without gradients as a call."""

    def call() -> object:
        with torch.no_grad():
            return network(images)

    return call


def measure(networks: Mapping[str, Case], quick: bool, sizes: Sequence[int] | None = None) -> list[Row]:
    """One row for each network, batch, number of threads and thing timed; ``sizes``: batches for all."""
    settings = [(name, batch) for name, case in networks.items() for batch in sizes or batches(case, quick)]
    rows = []
    for name, batch in track(settings, "timing", len(settings)):
        case = networks[name]
        calls = passes(case, batch, multipliers(case, batch, quick))
        for threads in sorted({1, get_num_threads()}):
            with threads_set_to(threads):
                times = interleaved(calls, **how(quick))
            facts = {"network": name, "batch": batch, "threads": threads}
            for row in rows_of(times, batch * case.products, FLOAT32, **facts):
                row["images_per_second"] = batch / row["seconds"]["median"]
                rows.append(row)
    return rows


def print_networks(rows: Sequence[Row]) -> None:
    """The table of ratios."""
    print_table(
        "Whole converted networks; medians; quartiles of the time in percent of its median",
        ("network", "batch", "threads", "what", "ms", "images/s", "time / float32's", "quartiles"),
        [
            (
                r["network"],
                str(r["batch"]),
                str(r["threads"]),
                r["what"],
                f"{1e3 * r['seconds']['median']:.3g}",
                f"{r['images_per_second']:,.1f}",
                f"{1 / r['ratio_to_float32']:.2f}",
                spread(r),
            )
            for r in rows
        ],
    )


def picture(rows: Sequence[Row]) -> Any:
    """How much longer than float32 networks take, a panel a number of threads, a group of bars a network."""
    counts = sorted({r["threads"] for r in rows})
    groups = list(dict.fromkeys((r["network"], r["batch"]) for r in rows))
    kinds = [what for what in dict.fromkeys(r["what"] for r in rows) if what != FLOAT32]
    figure = new_figure(max(7, 1 + 1.5 * len(groups)), 3.4 * len(counts))
    panels = figure.subplots(len(counts), 1, squeeze=False).ravel()
    for panel, threads in zip(panels, counts, strict=True):
        for k, what in enumerate(kinds):
            mine = [r for r in rows if r["threads"] == threads and r["what"] == what]
            places = [
                groups.index((r["network"], r["batch"])) + 0.2 * (k - (len(kinds) - 1) / 2) for r in mine
            ]
            heights = [1 / r["ratio_to_float32"] for r in mine]
            bars = panel.bar(places, heights, 0.2, color=COLORS.get(what, "#7d5ba6"), label=what)
            panel.bar_label(bars, fmt="%.1f", fontsize=7)
        panel.axhline(1, color="#999999", linestyle="--")
        names = [f"{name}\nbatch {batch}" for name, batch in groups]
        panel.set_xticks(range(len(groups)), names, fontsize=8)
        panel.set(
            title=f"{threads} thread{'s' * (threads > 1)}", ylabel="time / time in float32", yscale="log"
        )
        panel.margins(y=0.15)
    panels[0].legend(fontsize=8, frameon=False, ncols=4)
    return figure


@app.callback()
@plain_errors
def whole(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds and batches.")] = False,
    network: Annotated[
        list[str] | None, typer.Option(help=f"Of {'; '.join(NETWORKS)}. Default: all.")
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images of a pass. Default: 1, and 32 unless quick and large."),
    ] = None,
    out: OutFolder = OUT,
) -> None:
    """Time whole converted networks beside torch's float32; or what a command says."""
    if context.invoked_subcommand is not None:
        return
    names = network or list(NETWORKS)
    if strange := [name for name in names if name not in NETWORKS]:
        raise typer.BadParameter(f"--network is {strange[0]!r}, expected one of {'; '.join(NETWORKS)}")
    rows = measure({name: NETWORKS[name] for name in names}, quick, batch)
    print_networks(rows)
    hand_over(out, "networks", rows, picture(rows))


app.command("layers")(network_layers.main)


@app.command()
@plain_errors
def accuracy(
    out: OutFolder = OUT,
    threads: Annotated[int, typer.Option(help="Threads of axsim and torch.")] = 1,
) -> None:
    """Measure trained networks with every multiplier, as they are and retrained."""
    with threads_set_to(threads):
        rows = accuracies.run(out / "accuracy_cells", accuracies.TASKS)
    accuracies.print_rows(rows)
    hand_over(out, "accuracy", rows, accuracies.picture(rows))


if __name__ == "__main__":
    app()

"""What a whole network's layers cost through approximate multipliers, beside exact float32.

    python -m benchmarks.networks layers [--quick] [--out DIR]

Runs the layers of LeNet-5, AlexNet and ResNet-18 (32 and 224 pixels) one after the other, each with random
activations in float32 that axsim quantises and weights that are prepared, and sums their times; what lies
between the layers (rectifiers, pooling) is left out on both sides. Prints images a second on one thread and
on all, and writes network_layers.json and network_layers.png: how much longer than torch's float32 each
layer takes. Some
of the outputs of every layer are compared with the reference engine's first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from axsim.plots import new_figure
from axsim.progress import track
from axsim.results import print_table
from axsim.threads import get_num_threads
from benchmarks.layers import NETWORKS, Layer
from benchmarks.operations import FLOAT32, Operation
from benchmarks.report import (
    COLORS,
    EXACT_COLOR,
    OUT,
    OutFolder,
    Row,
    hand_over,
    plain_ticks,
    rows_of,
    spread,
)
from benchmarks.timing import how, interleaved, threads_set_to

MULTIPLIERS = ("mul8u_1446", "mul8u_JQQ", "mul8u_L40")


class Pass:
    """All layers one after the other, each one's time kept."""

    def __init__(self, calls: Sequence[Callable[[], object]]) -> None:
        self.calls = calls
        self.times: list[list[float]] = []

    def __call__(self) -> None:
        times = []
        for call in self.calls:
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        self.times.append(times)

    def medians(self) -> list[float]:
        """Seconds of every layer: the median over all passes but the first."""
        return [statistics.median(times) for times in zip(*self.times[1:], strict=True)]


def batches(network: Sequence[Layer], quick: bool) -> tuple[int, ...]:
    """One image and 32; of large networks one only, if it is to be quick."""
    return (1, 32) if not quick or sum(layer.products(1) for layer in network) < 1e7 else (1,)


def measure(networks: Mapping[str, Sequence[Layer]], quick: bool) -> list[Row]:
    """One row for each network, batch, number of threads and thing timed."""
    counts = sorted({1, get_num_threads()})
    settings = [(name, batch) for name, network in networks.items() for batch in batches(network, quick)]
    rows = []
    for name, batch in track(settings, "timing", len(settings)):
        operations = [Operation.random(layer, batch, floats=True) for layer in networks[name]]
        for operation in operations:
            for mult in MULTIPLIERS:
                operation.check(mult)
        products = sum(layer.products(batch) for layer in networks[name])
        for threads in counts:
            passes = {mult: Pass([o.through(mult) for o in operations]) for mult in MULTIPLIERS}
            exact = [o.exact() for o in operations]
            if all(exact):
                passes = {FLOAT32: Pass([calls[FLOAT32] for calls in exact]), **passes}
            with threads_set_to(threads):
                times = interleaved(passes, **how(quick))
            facts = {"network": name, "batch": batch, "threads": threads}
            for row in rows_of(times, products, FLOAT32, **facts):
                row["images_per_second"] = batch / row["seconds"]["median"]
                row["layers"] = [str(layer) for layer in networks[name]]
                row["layer_seconds"] = passes[row["what"]].medians()
                rows.append(row)
    return rows


def print_networks(rows: Sequence[Row]) -> None:
    """The table of images a second."""
    print_table(
        "Layers of whole networks; medians; quartiles of the time in percent of its median",
        ("network", "batch", "threads", "what", "images/s", "time / float32's", "quartiles"),
        [
            (
                r["network"],
                str(r["batch"]),
                str(r["threads"]),
                r["what"],
                _count(r["images_per_second"]),
                f"{1 / r['ratio_to_float32']:.2f}" if r["ratio_to_float32"] else "",
                spread(r),
            )
            for r in rows
        ],
    )


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def picture(rows: Sequence[Row]) -> Any:
    """Every layer's time, relative to torch's float32 where it is there; batch 1, a panel a network."""
    shown = [r for r in rows if r["batch"] == 1 and r["threads"] == max(r["threads"] for r in rows)]
    names = list(dict.fromkeys(r["network"] for r in shown))
    figure = new_figure(14, 8)
    panels = figure.subplots(2, -(-len(names) // 2), squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.axis("off")
    for panel, name in zip(panels, names, strict=False):
        mine = [r for r in shown if r["network"] == name]
        exact = next((r["layer_seconds"] for r in mine if r["what"] == FLOAT32), None)
        for r in mine:
            y = [s / e for s, e in zip(r["layer_seconds"], exact or [1.0] * len(r["layers"]), strict=True)]
            style = {"color": EXACT_COLOR, "linestyle": "--"} if r["what"] == FLOAT32 else {"marker": "o"}
            color = {"color": COLORS[r["what"]]} if r["what"] in COLORS else {}
            label = f"{r['what']}: {_count(r['images_per_second'])} images/s"
            panel.plot(range(len(y)), y, markersize=4, label=label, **style, **color)
        short = [label.split(":")[0] for label in mine[0]["layers"]]
        panel.set_xticks(range(len(short)), short, rotation=90, fontsize=8)
        panel.set(
            yscale="log",
            title=name,
            ylabel="time / time in float32" if exact else "seconds",
        )
        plain_ticks(panel.yaxis, *panel.get_ylim())
        panel.grid(alpha=0.3, axis="y")
        panel.legend(fontsize=8, frameon=False)
    threads = shown[0]["threads"]
    figure.suptitle(f"Layers of networks, batch 1, {threads} thread{'s' * (threads > 1)}, float32 in and out")
    return figure


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds and batches: under 40 seconds.")] = False,
    out: OutFolder = OUT,
) -> None:
    """Time the layers of whole networks through approximate multipliers beside exact float32."""
    rows = measure(NETWORKS, quick)
    print_networks(rows)
    hand_over(out, "network_layers", rows, picture(rows))

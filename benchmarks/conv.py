"""Speed of convolutions through approximate multipliers, beside exact ones of the same shape.

    python -m benchmarks.conv [--quick] [--out DIR]

Times ``axsim.conv2d`` with uint8 operands (int32 sums), and with float32 ones that it quantises, and torch's
exact float32 and int8 layers in turn, on one thread and on all: a 3x3 convolution of 64 to 64 channels, a
depthwise one, and the layers of ResNet-18, AlexNet and LeNet-5. Prints a table, and writes conv.json and
conv.png: how much longer than float32 each layer takes. Some of the outputs of every shape are compared with
the reference engine's first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from axsim.plots import new_figure
from axsim.progress import track
from axsim.threads import get_num_threads
from benchmarks.layers import ALEXNET, DEPTHWISE, HEADLINE, LENET, NETWORKS, Layer
from benchmarks.operations import FLOAT32, Operation
from benchmarks.report import COLORS, OUT, OutFolder, Row, hand_over, plain_ticks, print_rows, ratio, rows_of
from benchmarks.timing import how, interleaved, threads_set_to

MULTIPLIERS = ("mul8u_1446", "mul8u_JQQ", "mul8u_L40")
UINT8, QUANTISED = "uint8", "float32"


def layers() -> list[Layer]:
    """The layers to time, each shape once; ResNet-18's are those of 224 pixels."""
    found: dict[tuple[Any, ...], Layer] = {}
    networks = {"ResNet": NETWORKS["ResNet-18, 224 px"], "AlexNet": ALEXNET, "LeNet": LENET}
    for network, its_layers in networks.items():
        for layer in its_layers:
            if layer.kernel:
                named = Layer(**{**vars(layer), "name": f"{network} {layer.name}"})
                found.setdefault(tuple(vars(layer).values())[1:], named)
    return [HEADLINE, DEPTHWISE, *found.values()]


def settings(quick: bool) -> list[tuple[Layer, int]]:
    """Layers and batches."""
    if quick:
        return [(HEADLINE, 4), *((layer, 1) for layer in layers())]
    return [(HEADLINE, 4), *((layer, batch) for layer in layers() for batch in (1, 32))]


def measure(chosen: Sequence[tuple[Layer, int]], quick: bool) -> list[Row]:
    """One row for each layer, batch, number of threads, type of operands and thing timed."""
    counts = sorted({1, get_num_threads()})
    rows = []
    for layer, batch in track(chosen, "timing", len(chosen)):
        integers, floats = (Operation.random(layer, batch, floats=floats) for floats in (False, True))
        kinds = (
            {UINT8: integers}
            if quick and layer not in (HEADLINE, DEPTHWISE)
            else {
                UINT8: integers,
                QUANTISED: floats,
            }
        )
        for operation in kinds.values():
            for name in MULTIPLIERS:
                operation.check(name)
        calls: dict[tuple[str, str], Callable[[], Any]] = {(n, ""): c for n, c in integers.exact().items()}
        for kind, operation in kinds.items():
            calls |= {(name, kind): operation.through(name) for name in MULTIPLIERS}
        for threads in counts:
            with threads_set_to(threads):
                times = interleaved(calls, **how(quick))
            facts = {"layer": str(layer), "batch": batch, "threads": threads}
            for row in rows_of(times, layer.products(batch), (FLOAT32, ""), **facts):
                kind = row.pop("engine")
                rows.append({"operands": kind, **row, "engine": "auto" if kind else ""})
    return rows


def summary(rows: Sequence[Row]) -> list[str]:
    """What the headline layers show, in words."""
    lines = []
    for threads in sorted({r["threads"] for r in rows}):
        here = [r for r in rows if r["threads"] == threads]
        for r in here:
            if (r["layer"], r["batch"], r["operands"]) == (str(HEADLINE), 4, UINT8) and r["ratio_to_float32"]:
                speed = f"{r['ratio_to_float32']:.2f} times the speed of {FLOAT32}"
                lines.append(f"{threads} thread(s), {HEADLINE}, batch 4: {r['what']} {speed}")
        pairs = {
            kind: [r for r in here if r["operands"] == kind and r["layer"] == str(HEADLINE)]
            for kind in (UINT8, QUANTISED)
        }
        if slower := ratio(pairs[QUANTISED], pairs[UINT8]):
            longer = f"quantised float32 takes {slower:.2f} times as long as uint8"
            lines.append(f"{threads} thread(s), {HEADLINE}: {longer}")
    return lines


def picture(rows: Sequence[Row]) -> Any:
    """The time of every layer by multiplier, relative to torch's float32 layer where torch is installed."""
    counts = sorted({r["threads"] for r in rows})
    shown = [r for r in rows if r["operands"] == UINT8]
    labels = list(dict.fromkeys(f"{r['layer']}, batch {r['batch']}" for r in shown))
    figure = new_figure(14, 2 + 0.26 * len(labels))
    axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    relative = all(r["ratio_to_float32"] for r in shown)
    for axis, threads in zip(axes, counts, strict=True):
        for name in MULTIPLIERS:
            mine = [r for r in shown if r["threads"] == threads and r["what"] == name]
            x = [1 / r["ratio_to_float32"] if relative else 1e9 / r["products_per_second"] for r in mine]
            y = [labels.index(f"{r['layer']}, batch {r['batch']}") for r in mine]
            axis.plot(x, y, "o", color=COLORS[name], label=name, markersize=6, alpha=0.9)
        if relative:
            axis.axvline(1, color="gray", linestyle="--", label=FLOAT32)
        axis.set(
            xscale="log",
            xlabel="time / time of torch's float32 layer" if relative else "nanoseconds a product",
            title=f"{threads} thread{'s' * (threads > 1)}",
        )
        plain_ticks(axis.xaxis, *axis.get_xlim())
        axis.grid(alpha=0.3)
    axes[0].set_yticks(range(len(labels)), labels, fontsize=8)
    axes[0].invert_yaxis()
    axes[-1].legend(fontsize=8)
    figure.suptitle("Convolutions of uint8 operands, int32 sums: slowdown" if relative else "Convolutions")
    return figure


def main(
    quick: Annotated[bool, typer.Option("--quick", help="Batch 1, few rounds: under 40 seconds.")] = False,
    out: OutFolder = OUT,
) -> None:
    """Time convolutions through approximate multipliers beside exact ones."""
    rows = measure(settings(quick), quick)
    print_rows("Convolutions", ("layer", "batch", "threads", "operands"), rows)
    print("\n".join(lines := summary(rows)))
    hand_over(out, "conv", rows, picture(rows), summary=lines)


if __name__ == "__main__":
    typer.run(main)

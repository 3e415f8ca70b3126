"""Speed of matrix products through approximate multipliers, beside exact ones on the same shape.

    python -m benchmarks.gemm [--float] [--quick] [--out DIR]

Times ``axsim.matmul`` (uint8 operands and int32 sums; with --float, float32 operands) with every engine,
NumPy look-ups as users write them, and torch's exact float32 and int8 products in turn, on one thread and on
all. Prints a table, and writes gemm.json and gemm.png (gemm_float.*): throughput by multiplier, and cost
against size. Some of the sums of every shape are compared with the reference engine's first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from statistics import geometric_mean
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

import axsim
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.floating import float_names
from axsim.plots import new_figure
from axsim.progress import track
from axsim.threads import get_num_threads
from benchmarks.operations import FLOAT32, Operation, of_product
from benchmarks.report import (
    COLORS,
    EXACT_COLOR,
    OUT,
    OWN_COLOR,
    OutFolder,
    Row,
    hand_over,
    plain_ticks,
    print_rows,
    rows_of,
)
from benchmarks.timing import how, interleaved, threads_set_to

Shape = tuple[int, int, int]  # M, K, N
What = tuple[str, str]  # multiplier and engine; or something exact and ""

NUMPY = "numpy float32"
GATHER = "numpy gather"
SQUARES: tuple[Shape, ...] = tuple((n, n, n) for n in (64, 128, 256, 512, 1024, 2048, 4096))
QUICK_SQUARES = SQUARES[1:5:3]
CONVOLUTION: Shape = (4096, 576, 64)  # a 3x3 convolution, 64 to 64 channels, 32x32 pixels, batch 4
MAIN: Shape = (1024, 1024, 1024)
CIRCUITS = tuple(evoapprox())
SOME = ("exact8", "mul8u_JQQ", "mul8u_KEM", "mul8u_L40")  # 1, 4 and 16 exact products; none that are known
SEGMENTED = ("bfloat16[mul8u_L40]", "float32[mul8u_L40]")
SLOW_PRODUCTS = 1 << 24  # NumPy look-ups and the reference engine are timed up to here
EXACT_COLORS = {FLOAT32: "#222222", "torch int8": "#777777", NUMPY: "#bbbbbb"}
NEAR = 1.1  # a choice this near to the fastest is as good

# Products a second of the Python function that was published with Ax-FPM, on one core of a server CPU; and of
# the linear layer of AdaPT (D. Danopoulos et al., IEEE TCAD 2023) at 1024^3, one thread of an AVX-512 server
# CPU: the fastest CPU simulator that we found.
AUTHORS_FUNCTION = 5e4
ADAPT_LINEAR = 2.6e9


def gather(table: NDArray[Any], a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[Any]:
    """The sum of look-ups as NumPy users write it, a few rows at a time: the floor of every simulator."""
    return np.concatenate(
        [table[rows[:, :, None], b].sum(1) for rows in np.array_split(a, max(len(a) // 8, 1))]
    )


def calls(operation: Operation, axsims: Iterable[What]) -> dict[What, Callable[[], Any]]:
    """What is timed on one shape: exact products, NumPy's look-ups where they are not too slow, and axsim."""
    timed: dict[What, Callable[[], Any]] = {(name, ""): call for name, call in operation.exact().items()}
    inputs, b = itertools.cycle(operation.inputs), operation.weights
    if b.dtype == np.uint8 and operation.layer.products(len(operation.inputs[0])) <= SLOW_PRODUCTS:
        table = evoapprox()["mul8u_L40"].table.values.astype(np.int32)
        timed[GATHER, ""] = lambda: gather(table, next(inputs), b)
    timed |= {(name, engine): operation.through(name, engine) for name, engine in axsims}
    wide, floats = b.astype(np.float32), itertools.cycle([x.astype(np.float32) for x in operation.inputs])
    return timed | {(NUMPY, ""): lambda: next(floats) @ wide}  # last, for what is timed next


def axsims(shape: Shape, names: tuple[str, ...], floats: bool) -> list[What]:
    """All multipliers on the main shapes and some on the others, engine auto; some with every engine."""
    if floats:
        return [
            (name, "auto") for name in (names if shape in (MAIN, CONVOLUTION) else names[:1] + names[-1:])
        ]
    chosen = [(name, "auto") for name in (*names, *SOME) if name in SOME or shape in (MAIN, CONVOLUTION)]
    if math.prod(shape) <= math.prod(MAIN):
        engines = ["native", "factored"] + ["reference"] * (math.prod(shape) <= SLOW_PRODUCTS)
        chosen += [
            (name, engine) for name in SOME for engine in engines if (name, engine) != (SOME[-1], "factored")
        ]
    return list(dict.fromkeys(chosen))


def measure(shapes: list[Shape], names: tuple[str, ...], floats: bool, quick: bool) -> list[Row]:
    """One row for each shape, number of threads and thing timed."""
    counts = sorted({1, get_num_threads()})
    settings = [(shape, threads) for shape in shapes for threads in counts]
    rows = []
    for shape, threads in track(settings, "timing", len(settings)):
        operation = of_product(*shape, floats=floats)
        with threads_set_to(threads):
            todo = axsims(shape, names, floats)
            if threads == counts[-1]:
                for name, engine in todo:
                    operation.check(name, engine)
            timed = calls(operation, todo)
            baseline = (FLOAT32, "") if (FLOAT32, "") in timed else (NUMPY, "")
            times = interleaved(timed, **how(quick))
            choices = {what: choice(operation, *what) for what in timed}
        for row in rows_of(times, math.prod(shape), baseline, shape=shape, threads=threads):
            rows.append(row | {"choice": choices[row["what"], row["engine"]]})
    return rows


def choice(operation: Operation, name: str, engine: str) -> str:
    """What engine auto takes: "native", or "factored" in whatever type; empty where nothing is chosen."""
    if engine != "auto" or operation.weights.dtype != np.uint8:
        return ""
    return axsim.explain(operation.inputs[0], operation.weights, name).choice.split()[0]


def summary(rows: list[Row]) -> dict[str, Any]:
    """The geometric mean over the circuits at 1024^3, and how near to the fastest engine auto comes."""
    found: dict[str, Any] = {}
    for threads in sorted({r["threads"] for r in rows}):
        here = [r for r in rows if r["threads"] == threads]
        mains = [r for r in here if r["shape"] == MAIN]
        circuits = [r for r in mains if r["what"] in CIRCUITS and r["engine"] == "auto"]
        exact = next(
            r for r in reversed(mains) if r["what"] in (FLOAT32, NUMPY) and r["ratio_to_float32"] == 1
        )
        seconds = {(r["shape"], r["what"], r["engine"]): r["seconds"]["median"] for r in here}
        good = []
        for r in here:
            timed = {e: seconds.get((r["shape"], r["what"], e)) for e in ("native", "factored")}
            known = {engine: taken for engine, taken in timed.items() if taken is not None}
            if r["choice"] and len(known) == 2:
                good.append(known[r["choice"]] <= NEAR * min(known.values()))
        found[str(threads)] = {
            "circuits": len(circuits),
            "beside": exact["what"],
            "geometric_mean_ratio": geometric_mean(r["ratio_to_float32"] for r in circuits),
            "choices": len(good),
            "choices_near_best": sum(good),
        }
    return found


def print_summary(found: dict[str, Any]) -> None:
    """Print it, a line for each thing said."""
    for threads, facts in found.items():
        print(
            f"{threads} thread(s): geometric mean over {facts['circuits']} circuits at {MAIN[0]}^3, engine "
            f"auto: {facts['geometric_mean_ratio']:.3f} times the speed of {facts['beside']}"
        )
        print(
            f"{threads} thread(s): the engine that auto takes is within {100 * (NEAR - 1):.0f} % of the "
            f"fastest in {facts['choices_near_best']} of {facts['choices']} cases"
        )


def picture(rows: list[Row], floats: bool) -> Any:
    """Throughput by multiplier at 1024^3, and time against size; both on one thread."""
    one = [r for r in rows if r["threads"] == 1 and r["engine"] in ("", "auto")]
    main = sorted((r for r in one if r["shape"] == MAIN), key=lambda r: r["products_per_second"])
    figure = new_figure(13, max(5, 1 + 0.24 * len(main)))
    bars, lines = figure.subplots(1, 2)
    colors = [OWN_COLOR if r["engine"] else EXACT_COLOR for r in main]
    drawn = bars.barh([r["what"] for r in main], [r["products_per_second"] / 1e9 for r in main], color=colors)
    bars.bar_label(drawn, [f"{r['ratio_to_float32']:.2f}" for r in main], padding=3, fontsize=8)
    bars.set(
        xlabel="10⁹ products a second (label: ratio to exact float32)",
        title=f"{' x '.join(map(str, MAIN))}, one thread",
    )
    bars.tick_params(axis="y", labelsize=8)
    bars.margins(x=0.15, y=0.01)
    if not floats:
        label = "AdaPT's linear layer, on another CPU (AVX-512)"
        bars.axvline(ADAPT_LINEAR / 1e9, color="black", linestyle=":", label=label)
        bars.legend(frameon=True, fontsize=8, loc="lower right")
    by_name: dict[str, list[tuple[int, float]]] = {}
    for r in one:
        if len(set(r["shape"])) == 1:
            by_name.setdefault(r["what"], []).append((r["shape"][0], 1e9 / r["products_per_second"]))
    for name, points in by_name.items():
        if len(points) > 1:
            style = "--" if name.startswith(("torch", "numpy")) else "-"
            color = COLORS.get(name) or EXACT_COLORS.get(name)
            x, y = zip(*sorted(points), strict=True)
            lines.plot(x, y, style, color=color, marker="o", markersize=4, label=name)
    sizes = sorted({n for points in by_name.values() if len(points) > 1 for n, _ in points})
    lines.set(
        xscale="log",
        yscale="log",
        xlabel="n of an n x n x n product",
        ylabel="nanoseconds a product",
        title="Cost against size, one thread",
    )
    lines.set_xticks(sizes, [str(n) for n in sizes])
    lines.minorticks_off()
    plain_ticks(lines.yaxis, *lines.get_ylim())
    lines.grid(alpha=0.3)
    lines.legend(fontsize=8)
    figure.suptitle("Float multipliers" if floats else "Integer multipliers: uint8 operands, int32 sums")
    return figure


def main(
    floats: Annotated[
        bool, typer.Option("--float", help="Float multipliers instead of integer ones.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few shapes and rounds: under 40 seconds.")] = False,
    out: OutFolder = OUT,
) -> None:
    """Time matrix products through approximate multipliers beside exact ones."""
    if floats:
        names = (*float_names(), *SEGMENTED)
        shapes = [*(QUICK_SQUARES if quick else SQUARES[:5]), CONVOLUTION]
    else:
        names = ("exact8", *CIRCUITS)
        shapes = [*(QUICK_SQUARES if quick else SQUARES), CONVOLUTION]
    rows = measure(shapes, names, floats, quick)
    print_rows("Matrix products", ("shape", "threads"), rows)
    stem = "gemm_float" if floats else "gemm"
    if floats:
        for r in rows:
            if r["what"] == "axfpm" and r["shape"] == MAIN:
                times = r["products_per_second"] / AUTHORS_FUNCTION
                print(f"axfpm, {r['threads']} thread(s): {times:,.0f} times its authors' Python function")
        hand_over(out, stem, rows, picture(rows, floats))
    else:
        print_summary(found := summary(rows))
        hand_over(out, stem, rows, picture(rows, floats), summary=found)


if __name__ == "__main__":
    typer.run(main)

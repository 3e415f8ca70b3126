"""Speed of matrix products through approximate multipliers, beside exact ones on the same shape.

    python -m benchmarks.gemm [--float] [--quick] [--out DIR]

Times ``axsim.matmul`` (uint8 operands and int32 sums; with --float, float32 operands) and torch's exact
float32 and int8 products in turn, on one thread and on all. Prints a table, and writes gemm.json and gemm.png
(gemm_float.*): throughput by multiplier, and cost against size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

import axsim
from axsim.multipliers.evoapprox import evoapprox
from axsim.multipliers.floating import float_names
from axsim.plots import new_figure, save_figure
from axsim.progress import track
from axsim.results import print_table, write_json
from axsim.threads import get_num_threads
from benchmarks.timing import Timing, interleaved, machine

Shape = tuple[int, int, int]  # M, K, N
Row = dict[str, Any]

FLOAT32 = "torch float32"
EXACT = (FLOAT32, "torch int8")
GATHER = "numpy gather"
SQUARES: tuple[Shape, ...] = tuple((n, n, n) for n in (64, 128, 256, 512, 1024, 2048, 4096))
QUICK_SQUARES = SQUARES[1:5:3]
CONVOLUTION: Shape = (4096, 576, 64)  # a 3x3 convolution, 64 to 64 channels, 32x32 pixels, batch 4
MAIN: Shape = (1024, 1024, 1024)
QUICK_INTEGER = ("exact8", "mul8u_KEM", "mul8u_JQQ", "mul8u_L40")
SEGMENTED = ("bfloat16[mul8u_L40]", "float32[mul8u_L40]")

# Products a second of the Python function that was published with Ax-FPM, on one core of a server CPU.
AUTHORS_FUNCTION = 5e4


def gather(table: NDArray[Any], a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[Any]:
    """The sum of look-ups as NumPy users write it, a few rows at a time: the floor of every simulator."""
    return np.concatenate(
        [table[rows[:, :, None], b].sum(1) for rows in np.array_split(a, max(len(a) // 8, 1))]
    )


def calls(shape: Shape, names: tuple[str, ...], floats: bool) -> dict[str, Callable[[], object]]:
    """What is timed on one shape, by name; operands are random."""
    m, k, n = shape
    random = np.random.default_rng(0)
    left, right = torch.rand(m, k), torch.rand(k, n)
    timed: dict[str, Callable[[], object]] = {FLOAT32: lambda: left @ right}
    if floats:
        a, b = left.numpy(), right.numpy()
    else:
        a = random.integers(0, 256, (m, k), np.uint8)
        b = random.integers(0, 256, (k, n), np.uint8)
        a8, b8 = torch.from_numpy(a.view(np.int8)), torch.from_numpy(b.view(np.int8))
        timed["torch int8"] = lambda: torch._int_mm(a8, b8)
        if m * k * n <= 1 << 24:
            wide = evoapprox()["mul8u_L40"].table.values.astype(np.int32)
            timed[GATHER] = lambda: gather(wide, a, b)
    for name in names:
        timed[name] = lambda name=name: axsim.matmul(a, b, name)  # type: ignore[misc]
    return timed


def measure(shapes: list[Shape], names: tuple[str, ...], floats: bool, quick: bool) -> list[Row]:
    """One row for each shape, number of threads and thing timed."""
    all_threads = get_num_threads()
    settings = [(shape, threads) for shape in shapes for threads in sorted({1, all_threads})]
    rows = []
    for shape, threads in track(settings, "timing", len(settings)):
        axsim.set_num_threads(threads)
        torch.set_num_threads(threads)
        timed = calls(shape, names if shape in (MAIN, CONVOLUTION) else names[:1] + names[-1:], floats)
        times = interleaved(timed, rounds=5 if quick else 15, seconds=4 if quick else 40)
        rows += [row(shape, threads, name, time, times[FLOAT32]) for name, time in times.items()]
    axsim.set_num_threads(None)
    torch.set_num_threads(all_threads)
    return rows


def row(shape: Shape, threads: int, name: str, time: Timing, exact: Timing) -> Row:
    products = math.prod(shape)
    return {
        "shape": shape,
        "threads": threads,
        "name": name,
        "products_per_second": products / time.median,
        "ratio_to_float32": exact.median / time.median,
        "seconds": asdict(time),
    }


def picture(rows: list[Row], floats: bool) -> Any:
    """Throughput by multiplier at 1024^3, and time against size; both on one thread."""
    figure = new_figure(13, 5)
    bars, lines = figure.subplots(1, 2)
    main = [r for r in rows if r["shape"] == MAIN and r["threads"] == 1]
    main.sort(key=lambda r: r["products_per_second"])
    colors = ["#999999" if r["name"].startswith("torch") else "#34618f" for r in main]
    drawn = bars.barh([r["name"] for r in main], [r["products_per_second"] / 1e9 for r in main], color=colors)
    bars.bar_label(drawn, [f"{r['ratio_to_float32']:.2f}" for r in main], padding=3, fontsize=8)
    bars.set(
        xscale="log",
        xlabel="10⁹ products a second (label: ratio to torch float32)",
        title="1024 x 1024 x 1024, one thread",
    )
    bars.margins(x=0.15)
    by_name: dict[str, list[tuple[int, float]]] = {}
    for r in rows:
        if r["threads"] == 1 and len(set(r["shape"])) == 1:
            by_name.setdefault(r["name"], []).append((r["shape"][0], r["seconds"]["median"]))
    for name, points in by_name.items():
        if len(points) > 1:
            style = "--" if name.startswith(("torch", "numpy")) else "-"
            lines.plot(*zip(*sorted(points), strict=True), style, marker="o", markersize=4, label=name)
    lines.set(
        xscale="log",
        yscale="log",
        xlabel="n of an n x n x n product",
        ylabel="seconds",
        title="Cost against size",
    )
    lines.grid(alpha=0.3)
    lines.legend(frameon=False, fontsize=8)
    figure.suptitle("Float multipliers" if floats else "Integer multipliers: uint8 operands, int32 sums")
    return figure


def main(
    floats: Annotated[
        bool, typer.Option("--float", help="Float multipliers instead of integer ones.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few shapes and rounds: under two minutes.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the JSON file and the picture.")] = Path(
        "out/benchmarks"
    ),
) -> None:
    """Time matrix products through approximate multipliers beside torch's exact ones."""
    if floats:
        names = (*float_names(), *SEGMENTED)
        shapes = [*(QUICK_SQUARES if quick else SQUARES[:5]), CONVOLUTION]
    else:
        names = QUICK_INTEGER if quick else ("exact8", *evoapprox())
        shapes = [*(QUICK_SQUARES if quick else SQUARES), CONVOLUTION]
    rows = measure(shapes, names, floats, quick)
    print_table(
        "Medians; G/s: 10^9 products a second; quartiles of the time in percent of its median",
        ("M x K x N", "threads", "what", "G/s", "ratio to float32", "quartiles"),
        [
            (
                " x ".join(map(str, r["shape"])),
                str(r["threads"]),
                r["name"],
                f"{r['products_per_second'] / 1e9:.3f}",
                f"{r['ratio_to_float32']:.3f}",
                "{:+.0f} {:+.0f} %".format(
                    *(100 * (r["seconds"][q] / r["seconds"]["median"] - 1) for q in ("lower", "upper"))
                ),
            )
            for r in rows
        ],
    )
    if floats:
        for r in rows:
            if r["name"] == "axfpm" and r["shape"] == MAIN:
                times = r["products_per_second"] / AUTHORS_FUNCTION
                print(f"axfpm, {r['threads']} thread(s): {times:,.0f} times its authors' Python function")
    stem = "gemm_float" if floats else "gemm"
    print(f"figures: {write_json(out / f'{stem}.json', {'machine': machine(), 'rows': rows})}")
    print(f"picture: {save_figure(picture(rows, floats), out / f'{stem}.png')}")


if __name__ == "__main__":
    typer.run(main)

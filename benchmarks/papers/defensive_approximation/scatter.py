"""What Figures 3, 13 and 15 have in common: the error of a multiplier against the exact product."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from axsim.plots import new_figure, save_figure
from axsim.results import print_table, versions, write_json
from benchmarks.papers.defensive_approximation.common import QUICK_PRODUCTS, float_multiplier
from benchmarks.papers.defensive_approximation.streaming import Statistics, stream

Out = Annotated[Path, typer.Option(help="Folder for the JSON file and the picture.")]
Products = Annotated[int, typer.Option(min=1, help="How many products.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the operands.")]
Threads = Annotated[int | None, typer.Option(min=1, help="All cores by default.")]
Quick = Annotated[bool, typer.Option("--quick", help=f"At most {QUICK_PRODUCTS:,} products.")]


@dataclass(frozen=True)
class Settings:
    """What one figure shows."""

    figure: str
    multiplier: str
    low: float
    high: float
    products: int
    seed: int


def command(
    figure: str, multiplier: str, low: float, high: float, published_higher: float | None = None
) -> None:
    """Run the command line of one figure. ``published_higher``: the paper's share of higher products."""

    def main(
        out: Out = Path("out"),
        products: Products = 10**8,
        seed: Seed = 1,
        threads: Threads = None,
        quick: Quick = False,
    ) -> None:
        settings = Settings(
            figure, multiplier, low, high, min(products, QUICK_PRODUCTS) if quick else products, seed
        )
        run(settings, out, threads, published_higher)

    main.__doc__ = f"Error scatter of {multiplier}, operands uniform on [{low:g}, {high:g}]."
    typer.run(main)


def run(
    settings: Settings, out: Path, threads: int | None = None, published_higher: float | None = None
) -> Statistics:
    """Measure, print, and write ``<figure>.json`` and ``<figure>.png`` into ``out``."""
    multiplier = float_multiplier(settings.multiplier)
    start = time.perf_counter()
    statistics = stream(
        multiplier, settings.low, settings.high, settings.products, settings.seed, threads=threads
    )
    seconds = time.perf_counter() - start

    rows = [
        ("higher than exact in magnitude (share)", f"{statistics.higher:.4f}", f"{published_higher or ''}"),
        ("MRED", f"{statistics.mred:.4f}", ""),
        ("NMED", f"{statistics.nmed:.4f}", ""),
        ("mean |error| / mean |exact|", f"{statistics.mean_ratio:.4f}", ""),
        ("mean signed relative error", f"{statistics.mean_signed_relative:+.4f}", ""),
    ]
    title = f"{settings.multiplier}, operands uniform on [{settings.low:g}, {settings.high:g}]"
    print_table(f"{title}: {settings.products:,} products", ("", "measured", "published"), rows)
    content = {
        "settings": asdict(settings),
        "versions": versions(),
        "seconds": round(seconds, 2),
        "figures": statistics.figures(),
        "published": {"higher": published_higher},
    }
    typer.echo(f"{settings.products / seconds / 1e6:.1f} million products/s, {seconds:.1f} s")
    typer.echo(f"figures: {write_json(out / f'{settings.figure}.json', content)}")
    typer.echo(f"picture: {save_figure(picture(statistics, title), out / f'{settings.figure}.png')}")
    return statistics


def picture(statistics: Statistics, title: str) -> Any:
    """A sample of the products on the left, the histogram of all of them on the right."""
    from matplotlib.colors import LogNorm

    scatter = statistics.scatter
    figure = new_figure(12, 5.5)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True, width_ratios=(1, 1.15))
    halves = ((True, "#c0392b", statistics.higher), (False, "#34618f", 1 - statistics.higher))
    for higher, color, share in halves:
        chosen = scatter.higher == higher
        label = f"{'higher' if higher else 'not higher'} than exact in magnitude: {100 * share:.1f} % of all"
        left.scatter(scatter.exact[chosen], scatter.error[chosen], s=2, color=color, linewidths=0, alpha=0.5)
        left.plot([], [], "o", color=color, markersize=5, label=label)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    left.set(title=f"{len(scatter.exact):,} products", xlabel="exact product", ylabel="approximate − exact")

    counts = np.ma.masked_equal(scatter.counts.T, 0)
    mesh = right.pcolormesh(scatter.exact_edges, scatter.error_edges, counts, norm=LogNorm(), rasterized=True)
    figure.colorbar(mesh, ax=right, label="products in a cell")
    beyond = f", {scatter.beyond:,} of them beyond the edges" if scatter.beyond else ""
    right.set(title=f"{statistics.products:,} products{beyond}", xlabel="exact product")
    for axis in (left, right):
        axis.axhline(0, color="black", linewidth=0.5)
        axis.grid(alpha=0.2)
    figure.suptitle(f"Error of {title}")
    return figure

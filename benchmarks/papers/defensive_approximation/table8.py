"""Table 8: MRED and NMED of Ax-FPM and HEAP, under each definition of them that axsim has.

Three multipliers could be called Ax-FPM: what its authors' code computes (``axfpm``), the same with a
normaliser that is right for 49-bit products (``axfpm_normalized``), and one 24x24 array of AMA5 cells instead
of 36 tiles (``axfpm_mono``). HEAP's adders are not published; ``heap_like`` is axsim's stand-in, found by
``tools/explore_heap.py``. ``bfloat16`` is what the paper compares with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from axsim.plots import new_figure, save_figure
from axsim.results import print_table, versions, write_json
from benchmarks.papers.defensive_approximation.common import PUBLISHED, QUICK_PRODUCTS, float_multiplier
from benchmarks.papers.defensive_approximation.streaming import stream

STANDS_FOR = {
    "axfpm": "Ax-FPM",
    "axfpm_normalized": "Ax-FPM",
    "axfpm_mono": "Ax-FPM",
    "heap_like": "HEAP",
    "bfloat16": None,
}
RANGES = ((0, 1), (-1, 1))

NOTES = """\
Ax-FPM: the published pair is that of one monolithic array (axfpm_mono), with "MRED" taken as mean |error| /
  mean |exact|. Such an array multiplies a by 2 instead of by b's significand m, so that for uniform operands
  this ratio is 1/3, NMED 1/12 = 0.083, and MRED proper 2 ln 2 - 1 = 0.386. The tiled array of the authors'
  code (axfpm) errs more. Its normaliser halves the products of 49 bits, which are the largest
  (axfpm_normalized does not): that is why 96 % of its products are higher and not all.
HEAP: its adders are not published. heap_like was chosen because it comes near all three of its figures.
[0, 1] and [-1, 1] agree because error figures do not see signs."""


def measure(products: int, seed: int, threads: int | None = None) -> list[dict[str, Any]]:
    """One record for each multiplier and range of operands."""
    records = []
    for name, published in STANDS_FOR.items():
        multiplier = float_multiplier(name)
        for low, high in RANGES:
            statistics = stream(
                multiplier, low, high, products, seed, threads=threads, description=f"{name} [{low}, {high}]"
            )
            records.append(
                {"multiplier": name, "low": low, "high": high, "published_as": published}
                | statistics.figures()
            )
    return records


def rows(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table's cells, the published figures beside ours."""
    table: list[tuple[str, ...]] = []
    for record in records:
        published = record["published_as"]
        printed = [
            f"{PUBLISHED[key][published]:g}" if published else "" for key in ("mred", "nmed", "higher")
        ]
        table.append(
            (
                record["multiplier"],
                f"[{record['low']}, {record['high']}]",
                f"{record['mred']:.4f}",
                f"{record['mean_ratio']:.4f}",
                printed[0],
                f"{record['nmed']:.4f}",
                printed[1],
                f"{record['higher']:.4f}",
                printed[2],
                published or "",
            )
        )
    return table


def picture(records: Sequence[Mapping[str, Any]]) -> Any:
    """Bars of MRED, mean |error| / mean |exact| and NMED on [0, 1]; the published figures as lines."""
    chosen = [record for record in records if record["low"] == 0]
    figure = new_figure(10, 4.6)
    axis = figure.subplots()
    position = np.arange(len(chosen))
    figures = (
        ("mred", "MRED", "#34618f", "mred"),
        ("mean_ratio", "mean |error| / mean |exact|", "#7fa7cc", "mred"),
        ("nmed", "NMED", "#e08e0b", "nmed"),
    )
    for k, (key, label, color, printed) in enumerate(figures):
        x = position + 0.27 * (k - 1)
        axis.bar(x, [record[key] for record in chosen], 0.25, color=color, label=label)
        for center, record in zip(x, chosen, strict=True):
            height = record[key]
            if record["published_as"]:
                value = PUBLISHED[printed][record["published_as"]]
                axis.plot([center - 0.13, center + 0.13], [value, value], color="#c0392b", linewidth=2)
                height = max(height, value)
            axis.text(center, height + 0.005, f"{record[key]:.3f}", ha="center", fontsize=8)
    axis.plot([], [], color="#c0392b", linewidth=2, label="published MRED, NMED")
    axis.set_xticks(
        position, [f"{r['multiplier']}\n({r['published_as'] or 'exact product'})" for r in chosen]
    )
    axis.set(
        ylabel="error figure, operands uniform on [0, 1]",
        title="Table 8 of Defensive Approximation, by definition",
    )
    axis.legend(fontsize=9)
    axis.grid(axis="y", alpha=0.25)
    return figure


def main(
    out: Annotated[Path, typer.Option(help="Folder for table8.json and table8.png.")] = Path("out"),
    products: Annotated[int, typer.Option(min=1, help="Products a multiplier and range.")] = 10**7,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the operands.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="All cores by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"At most {QUICK_PRODUCTS:,} products.")] = False,
) -> None:
    """MRED and NMED of Ax-FPM, HEAP's stand-in and bfloat16 beside the published figures."""
    products = min(products, QUICK_PRODUCTS) if quick else products
    records = measure(products, seed, threads)
    headings = ("multiplier", "operands", "MRED", "mean|e|/mean", "published", "NMED", "published", "higher",
                "published", "as")  # fmt: skip
    print_table(f"Table 8: {products:,} products each", headings, rows(records))
    typer.echo(NOTES)
    content = {
        "settings": {"products": products, "seed": seed},
        "versions": versions(),
        "published": PUBLISHED,
        "measured": records,
    }
    typer.echo(f"figures: {write_json(out / 'table8.json', content)}")
    typer.echo(f"picture: {save_figure(picture(records), out / 'table8.png')}")


if __name__ == "__main__":
    typer.run(main)

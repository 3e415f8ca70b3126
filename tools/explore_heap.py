"""Search the cell assignments that could be HEAP, the milder multiplier of "Defensive Approximation".

    python tools/explore_heap.py [--out DIR] [--cost transistors|area] [--quick]

Enumerated: every assignment of {exact, AMA1 .. AMA5} to the cells of a 4x4 array multiplier per weight (6**6)
and per row (6**3), in both wirings, 93,744 together; the 24x24 significand product is tiled from the block.
All are measured over the same random significands; then the Pareto front of error and cost, the assignments
nearest to HEAP's published figures, and the two that axsim names are measured again, over more. Prints these
lists, and writes explore_heap.json and explore_heap.png. What exactly is computed, and where the costs of the
cells come from: axsim/circuits/heap_search.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from axsim.circuits import array_multiplier
from axsim.plots import new_figure, save_figure
from axsim.results import print_table, versions, write_json
from axsim.search import heap as search

NAMED = {"heap_like": search.HEAP_LIKE, "axfpm_normalized": search.AX_FPM}
QUICK_CELLS = ("exact", "ama2", "ama5")


class Cost(StrEnum):
    """What the Pareto front weighs the error against."""

    TRANSISTORS = "transistors"
    AREA = "area"


PER_CELL = {Cost.TRANSISTORS: search.TRANSISTORS, Cost.AREA: search.AREA_UM2}
COST_LABEL = {
    Cost.TRANSISTORS: "transistors of the 12 cells of a 4x4 block",
    Cost.AREA: "area of the 12 cells of a 4x4 block (µm², 90 nm)",
}


@dataclass(frozen=True)
class Settings:
    """What a run is made of, as the JSON file records it."""

    cells: tuple[str, ...]
    cost: Cost
    pairs: int
    refined_pairs: int
    nearest: int
    seed: int


@dataclass(frozen=True)
class Row:
    """One assignment of a list. ``twins``: how many of the enumerated assignments compute the same as it."""

    name: str
    assignment: search.Assignment
    transistors: float
    area: float
    gates: int
    twins: int
    mred: float
    nmed: float
    higher: float
    distance: float


@dataclass(frozen=True)
class Found:
    """Cost and MRED of every distinct candidate, and the lists measured again."""

    enumerated: int
    cost: NDArray[np.float64]
    mred: NDArray[np.float64]
    front: list[Row]
    nearest: list[Row]
    named: list[Row]


def find(settings: Settings) -> Found:
    """Run the whole search."""
    candidates = search.assignments(settings.cells)
    tables = search.block_tables(candidates)
    cost = np.array([candidate.cost(PER_CELL[settings.cost]) for candidate in candidates])
    kept, twins = search.cheapest_of_equals(tables, cost)
    candidates, tables, cost = [candidates[k] for k in kept], tables[kept], cost[kept]
    errors = search.measure(tables, settings.pairs, settings.seed, f"measuring {len(kept)} blocks")

    named = [_index_of(search.block_tables([assignment])[0], tables) for assignment in NAMED.values()]
    by_distance = np.argsort(errors.distance(search.PUBLISHED), kind="stable")
    # Twice as many as asked for: the second, longer measurement may put them in another order.
    shortlist = np.unique(
        [*search.pareto_front(cost, errors.mred), *by_distance[: 2 * settings.nearest], *named]
    )
    refined = search.measure(
        tables[shortlist], settings.refined_pairs, settings.seed + 1, "refining the lists"
    )
    distance = refined.distance(search.PUBLISHED)

    def row(k: int, name: str = "") -> Row:
        """The row of the k-th block of the short list, under the named assignment if there is a name."""
        assignment = NAMED[name] if name else candidates[shortlist[k]]
        return Row(
            name=name,
            assignment=assignment,
            transistors=assignment.cost(search.TRANSISTORS),
            area=round(assignment.cost(search.AREA_UM2), 2),
            gates=gates(assignment),
            twins=int(twins[shortlist[k]]),
            mred=float(refined.mred[k]),
            nmed=float(refined.nmed[k]),
            higher=float(refined.higher[k]),
            distance=float(distance[k]),
        )

    return Found(
        enumerated=int(twins.sum()),
        cost=cost,
        mred=errors.mred,
        front=[row(k) for k in search.pareto_front(cost[shortlist], refined.mred).tolist()],
        nearest=[row(k) for k in np.argsort(distance, kind="stable")[: settings.nearest].tolist()],
        named=[
            row(k, name) for k, name in zip(np.searchsorted(shortlist, named).tolist(), NAMED, strict=True)
        ],
    )


def _index_of(table: NDArray[np.uint8], tables: NDArray[np.uint8]) -> int:
    return int(np.flatnonzero((tables == table).all(axis=1))[0])


def gates(assignment: search.Assignment) -> int:
    """Two-input gates of the block's netlist, partial products included."""
    grid = [[], *assignment.grid()]  # row 0 has no cells
    return array_multiplier(4, cell=lambda r, c: grid[r][c], wiring=assignment.wiring).n_gates


def picture(found: Found, cost: Cost) -> Any:
    """MRED against cost: every candidate, the front, the nearest to the published figures, the named ones."""
    figure = new_figure(9, 5.6)
    axis = figure.subplots()

    def points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
        return [getattr(row, cost.value) for row in rows], [row.mred for row in rows]

    axis.scatter(found.cost, found.mred, s=4, color="#c9d3dd", linewidths=0, rasterized=True)
    axis.plot([], [], "o", color="#c9d3dd", label=f"{len(found.cost):,} distinct blocks")
    axis.step(*points(found.front), where="post", color="#34618f", linewidth=1)
    axis.plot(*points(found.front), "o", color="#34618f", markersize=4, label="Pareto front")
    axis.plot(
        *points(found.nearest), "D", color="#e08e0b", markersize=4, label="nearest to HEAP's three figures"
    )
    on_white = {"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
    published = search.PUBLISHED["mred"]
    axis.axhline(published, color="black", linewidth=0.7, linestyle="--", zorder=1)
    axis.annotate(
        f"HEAP, published MRED {published}",
        (1, published),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        bbox=on_white,
    )
    for row, label in zip(found.named, ("heap_like", "Ax-FPM block\n(AMA5 everywhere)"), strict=True):
        x, y = points([row])
        axis.plot(x, y, "*", color="#c0392b", markersize=13, zorder=4)
        axis.annotate(
            label,
            (x[0], y[0]),
            xytext=(8, 8),
            textcoords="offset points",
            color="#c0392b",
            fontsize=9,
            bbox=on_white,
        )
    axis.set(
        xlabel=COST_LABEL[cost],
        ylabel="MRED (uniform operands)",
        yscale="log",
        ylim=(1e-3, 2),
        title="Float32 multipliers tiled from 4x4 arrays of approximate mirror adders",
    )
    axis.grid(alpha=0.25)
    axis.legend(loc="lower left", fontsize=9)
    return figure


def show(title: str, rows: Sequence[Row]) -> None:
    """Print one list below HEAP's published figures."""
    headings = ("", "wiring", "per", "cells", "transistors", "area (µm²)", "gates", "equals", "MRED", "NMED",
                "higher (%)", "distance")  # fmt: skip
    published = ("HEAP, published", *[""] * 7, *_figures(search.PUBLISHED), "")
    cells = [
        (
            row.name,
            row.assignment.wiring,
            row.assignment.grouping,
            row.assignment.code(),
            f"{row.transistors:g}",
            f"{row.area:.2f}",
            str(row.gates),
            str(row.twins),
            *_figures(asdict(row)),
            f"{row.distance:.3f}",
        )
        for row in rows
    ]
    print_table(title, headings, [published, *cells])


def _figures(figures: Mapping[str, float]) -> tuple[str, str, str]:
    return f"{figures['mred']:.4f}", f"{figures['nmed']:.4f}", f"{100 * figures['higher']:.1f}"


def main(
    out: Annotated[Path, typer.Option(help="Folder for explore_heap.json and .png.")] = Path("out"),
    cost: Annotated[Cost, typer.Option(help="What the front weighs MRED against.")] = Cost.TRANSISTORS,
    pairs: Annotated[
        int, typer.Option(min=1, help="Operand pairs that every block is measured over.")
    ] = 16384,
    refined_pairs: Annotated[int, typer.Option(min=1, help="Operand pairs for the lists.")] = 1 << 20,
    nearest: Annotated[int, typer.Option(min=1, help="How many of the nearest to list.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the operands.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only exact, AMA2, AMA5; at most 32,768 pairs.")
    ] = False,
) -> None:
    """Search cell assignments of 4x4 arrays for those that err like HEAP of "Defensive Approximation"."""
    settings = Settings(
        cells=QUICK_CELLS if quick else search.CELL_NAMES,
        cost=cost,
        pairs=min(pairs, 4096) if quick else pairs,
        refined_pairs=min(refined_pairs, 32768) if quick else refined_pairs,
        nearest=nearest,
        seed=seed,
    )
    found = find(settings)
    counts = f"{found.enumerated} assignments, {len(found.cost)} distinct"
    show(f"Pareto front of MRED and {cost.value} ({counts})", found.front)
    show("Nearest to HEAP's published figures", found.nearest)
    show("What axsim names", found.named)
    typer.echo(
        "cells: one character a weight (1 to 6) or a row (1 to 3): E exact, 1..5 AMA1..AMA5\n"
        "equals: how many assignments compute the same products; the cheapest is listed\n"
        "distance: root of the summed squared relative deviations from the three published figures"
    )
    content = {
        "settings": asdict(settings),
        "versions": versions(),
        "published": dict(search.PUBLISHED),
        "enumerated": found.enumerated,
        "distinct": len(found.cost),
        **{name: [asdict(row) for row in getattr(found, name)] for name in ("front", "nearest", "named")},
    }
    typer.echo(f"figures: {write_json(out / 'explore_heap.json', content)}")
    typer.echo(f"picture: {save_figure(picture(found, cost), out / 'explore_heap.png')}")


if __name__ == "__main__":
    typer.run(main)

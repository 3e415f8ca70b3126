"""What all speed benchmarks do with their times: rows, a table, a JSON file and a picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from axsim.files import check_folder
from axsim.plots import save_figure
from axsim.results import print_table, write_json
from benchmarks.timing import Timing, machine

Row = dict[str, Any]

OUT = Path("out/benchmarks")


def _made(folder: Path) -> Path:
    try:
        return check_folder(folder, "--out")
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from problem


# For command lines: a folder that exists and can be written before anything is timed.
OutFolder = Annotated[Path, typer.Option(help="Folder for the JSON file and the picture.", callback=_made)]
COLORS = {
    "exact8": "#34618f",
    "mul8u_1446": "#2a9d8f",
    "mul8u_JQQ": "#e9a23b",
    "mul8u_L40": "#c0392b",
    "mul8u_KEM": "#7d5ba6",
}
EXACT_COLOR, OWN_COLOR = "#999999", "#34618f"
WIDE, MANY = 1.5, 0.1  # an upper quartile so many times the median, in more than this share of rows


def rows_of(times: Mapping[Any, Timing], products: int, baseline: Any, **facts: Any) -> list[Row]:
    """A row for each thing timed; its key gives ``what``, or (``what``, ``engine``).

    ``baseline`` is the key of what others are compared with; without it the ratios are None.
    """
    exact = times.get(baseline)
    rows = []
    for key, time in times.items():
        what, engine = key if isinstance(key, tuple) else (key, "")
        rows.append(
            {
                **facts,
                "what": what,
                "engine": engine,
                "products_per_second": products / time.median,
                "ratio_to_float32": exact.median / time.median if exact else None,
                "seconds": asdict(time),
            }
        )
    return rows


def print_rows(title: str, headings: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows; ``headings`` are the facts to show, before the columns that all benchmarks have."""
    print_table(
        f"{title}; medians; G/s: 10^9 products a second; speed beside torch's float32: 2 is twice as fast; "
        "quartiles of the time in percent of its median",
        (*headings, "what", "engine", "G/s", "speed / float32's", "quartiles"),
        [
            (
                *(str(r[h]) for h in headings),
                r["what"],
                r["engine"],
                f"{r['products_per_second'] / 1e9:.3f}",
                "" if r["ratio_to_float32"] is None else f"{r['ratio_to_float32']:.3f}",
                spread(r),
            )
            for r in rows
        ],
    )
    if warning := unsteady(rows):
        print(warning)


def unsteady(rows: Sequence[Row]) -> str:
    """A warning where many times scatter widely; empty where they do not."""
    wide = sum(r["seconds"]["upper"] > WIDE * r["seconds"]["median"] for r in rows)
    if wide <= MANY * len(rows):
        return ""
    return (
        f"WARNING: {wide} of {len(rows)} times scatter by more than {WIDE - 1:.0%}: other programs kept the "
        "processors busy, and these figures mean little"
    )


def spread(row: Row) -> str:
    """Quartiles of the time, in percent of its median."""
    seconds = row["seconds"]
    if seconds["rounds"] == 1:
        return "timed once"
    percent = [100 * (seconds[q] / seconds["median"] - 1) for q in ("lower", "upper")]
    return "{:+.0f} {:+.0f} %".format(*percent)


def ratio(numerator: Sequence[Row], denominator: Sequence[Row]) -> float | None:
    """Geometric mean of the quotients of two equally long lists' times; None where a list is empty."""
    if not numerator or not denominator:
        return None
    pairs = zip(numerator, denominator, strict=True)
    return statistics.geometric_mean(n["seconds"]["median"] / d["seconds"]["median"] for n, d in pairs)


def plain_ticks(axis: Any, low: float, high: float) -> None:
    """Ticks at powers of ten, and 2 and 5 times them where there is room, written out, on a log axis.

    ``low`` and ``high``, the ends of the axis, are positive.
    """
    steps = (1, 2, 5) if high / low < 1e3 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**d for d in decades for m in steps if low <= m * 10.0**d <= high]
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def hand_over(out: Path, stem: str, rows: Sequence[Row], figure: Any, **more: Any) -> None:
    """Write ``stem``.json and ``stem``.png into the folder ``out`` and say where they are."""
    content = {"machine": machine(), **more, "rows": list(rows)}
    print(f"figures: {write_json(out / f'{stem}.json', content)}")
    print(f"picture: {save_figure(figure, out / f'{stem}.png')}")

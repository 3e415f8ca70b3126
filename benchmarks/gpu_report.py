"""What is made of times measured on a GPU: rows, targets, tables, a picture."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from axsim.multipliers.evoapprox import evoapprox
from axsim.plots import new_figure
from axsim.results import print_table
from benchmarks.gpu_cases import FLOAT16, FLOAT32, TF32, Case, Target, Work
from benchmarks.gpu_clock import GpuTiming
from benchmarks.report import EXACT_COLOR, OWN_COLOR, plain_ticks, spread
from benchmarks.timing import Timing

Row = dict[str, Any]

FACTORING = 20e12  # products/s that the geometric mean over the circuits that factor should reach
MOST_RATIO = 10
_SECONDS = tuple(field.name for field in fields(Timing))
_EXACT = (FLOAT32, TF32, FLOAT16)
_NOT_APART = "; *: the GPU's time holds the host's"
_VERDICTS = {True: "reached", False: "MISSED", None: "no float32"}


def rows_of(case: Case, work: Work, times: Mapping[str, GpuTiming], targets: bool) -> list[Row]:
    """A row for each call: the GPU's time, the host's, rate, share of the limit, ratio to torch, target."""
    float32 = times.get(FLOAT32)
    rows = []
    for what, time in times.items():
        rate, limit = work.products / time.median, work.limits.get(what)
        row: Row = {
            "case": case.name,
            "group": case.group,
            "what": what,
            "seconds": {name: value for name, value in asdict(time).items() if name in _SECONDS},
            "host_seconds": asdict(time.host),
            "host_apart": time.queued,
            "products": work.products,
            "products_per_second": rate,
            "limit": asdict(limit) if limit else None,
            "share_of_limit": rate / limit.products_per_second if limit else None,
            "times_as_long_as_float32": time.median / float32.median if float32 else None,
        }
        target = case.targets.get(what) if targets else None
        rows.append(row | ({"target": judged(row, target)} if target else {}))
    return rows


def judged(row: Row, target: Target) -> dict[str, Any]:
    """What is aimed at, in words, and whether it is reached; None where there is nothing to compare with."""
    if target.least_rate is not None:
        return {
            "aim": f">= {target.least_rate / 1e12:g}e12 /s",
            "reached": row["products_per_second"] >= target.least_rate,
        }
    ratio = row["times_as_long_as_float32"]
    return {
        "aim": f"< {target.most_ratio:g} x float32",
        "reached": None if ratio is None else ratio < target.most_ratio,
    }


def summary(rows: Sequence[Row], full: bool) -> dict[str, Any]:
    """Figures over several rows, each with its target; and how many targets were reached."""
    circuits = set(evoapprox())
    factored = [
        r["products_per_second"]
        for r in rows
        if r["what"] == "factored" and r["case"].split(",")[0] in circuits
    ]
    found: dict[str, Any] = {"circuits_that_factor": len(factored)}
    if factored:
        mean = statistics.geometric_mean(factored)
        found["geometric_mean_factored"] = {"products_per_second": mean}
        if full:
            aim = {"aim": f">= {FACTORING / 1e12:g}e12 /s", "reached": mean >= FACTORING}
            found["geometric_mean_factored"]["target"] = aim
    ratios = [
        r["times_as_long_as_float32"]
        for r in rows
        if r["group"] == "convolutions" and r["what"] == "mul8u_L40 gather" and r["times_as_long_as_float32"]
    ]
    if ratios:
        found["convolutions_L40"] = {
            "layers": len(ratios),
            "geometric_mean_ratio": statistics.geometric_mean(ratios),
            "largest_ratio": max(ratios),
        }
    aimed = [r for r in rows if "target" in r]
    found["targets"] = {
        "reached": sum(r["target"]["reached"] is True for r in aimed),
        "missed": [_missed(r) for r in aimed if r["target"]["reached"] is False],
        "nothing_to_compare_with": sum(r["target"]["reached"] is None for r in aimed),
    }
    return found


def _missed(row: Row) -> str:
    rate, ratio = row["products_per_second"], row["times_as_long_as_float32"]
    found = f"{ratio:.2f} x float32" if "float32" in row["target"]["aim"] else f"{rate / 1e12:.4g}e12 /s"
    return f"{row['case']}, {row['what']}: {found}, target {row['target']['aim']}"


def print_rows(rows: Sequence[Row]) -> None:
    """Tables: products with their limits; convolutions and small products, a line for each case."""
    products = [r for r in rows if r["group"] in ("products", "float products") and r["what"] not in _EXACT]
    if products:
        print_table(
            "Products; medians; e12/s: 10^12 products a second; x float32: times as long as torch's",
            ("case", "what", "ms", "quartiles", "e12/s", "limit e12/s", "share", "x float32", "target"),
            [_cells(r) for r in products],
        )
    for group, title in (
        ("convolutions", "Convolutions; medians in ms; ratio: L40 / torch float32 without TF32"),
        ("latency", f"Small products; medians in microseconds: the GPU / the host to ask for it{_NOT_APART}"),
    ):
        _print_cases(title, [r for r in rows if r["group"] == group])


def _print_cases(title: str, rows: Sequence[Row]) -> None:
    """A line for each case, a column for each thing timed."""
    whats = list(dict.fromkeys(r["what"] for r in rows))
    if not rows:
        return
    layers = rows[0]["group"] == "convolutions"
    lines = []
    for case in dict.fromkeys(r["case"] for r in rows):
        of_case = {r["what"]: r for r in rows if r["case"] == case}
        cells = [case, *(_time(of_case.get(what), layers) for what in whats)]
        if layers:
            first = of_case[whats[0]]
            ratio = first["times_as_long_as_float32"]
            cells += [
                "" if ratio is None else f"{ratio:.2f}",
                f"{first['share_of_limit']:.1%}",
                _verdict(first),
            ]
        lines.append(cells)
    print_table(title, ("case", *whats, *(("ratio", "share", "target") if layers else ())), lines)


def _time(row: Row | None, layers: bool) -> str:
    """Milliseconds of a layer; microseconds of a small product, the GPU's and the host's."""
    if row is None:
        return ""
    device, host = (row[of]["median"] for of in ("seconds", "host_seconds"))
    if layers:
        return f"{1e3 * device:.4g}"
    return f"{1e6 * device:.4g} / {1e6 * host:.4g}{'' if row['host_apart'] else ' *'}"


def _cells(row: Row) -> tuple[str, ...]:
    limit, ratio = row["limit"], row["times_as_long_as_float32"]
    return (
        row["case"],
        row["what"],
        f"{1e3 * row['seconds']['median']:.4g}",
        spread(row),
        f"{row['products_per_second'] / 1e12:.4g}",
        f"{limit['products_per_second'] / 1e12:.4g}" if limit else "",
        f"{row['share_of_limit']:.1%}" if limit else "",
        "" if ratio is None else f"{ratio:.2f}",
        _verdict(row),
    )


def _verdict(row: Row) -> str:
    target = row.get("target")
    return f"{target['aim']}: {_VERDICTS[target['reached']]}" if target else ""


def print_limits(rows: Sequence[Row]) -> None:
    """The arithmetic behind each share, once."""
    lines = {f"  {r['limit']['name']}: {r['limit']['arithmetic']}" for r in rows if r["limit"]}
    if lines:
        print("Limits, and how they come about:", *sorted(lines), sep="\n")


def print_summary(found: dict[str, Any]) -> None:
    """A line for each thing said."""
    if mean := found.get("geometric_mean_factored"):
        target = mean.get("target")
        verdict = (
            f" (target {target['aim']}: {'reached' if target['reached'] else 'MISSED'})" if target else ""
        )
        print(
            f"Geometric mean over the {found['circuits_that_factor']} circuits that factor: "
            f"{mean['products_per_second'] / 1e12:.4g}e12 products/s{verdict}"
        )
    if layers := found.get("convolutions_L40"):
        print(
            f"{layers['layers']} convolutions through mul8u_L40: {layers['geometric_mean_ratio']:.2f} times "
            f"as long as torch's float32 without TF32 (geometric mean), at most {layers['largest_ratio']:.2f}"
        )
    targets = found["targets"]
    if targets["reached"] or targets["missed"]:
        print(f"Targets: {targets['reached']} reached, {len(targets['missed'])} missed")
        print(
            *(f"  MISSED {missed}" for missed in targets["missed"]),
            sep="\n",
            end="\n" if targets["missed"] else "",
        )


def picture(rows: Sequence[Row], title: str) -> Any:
    """Rates beside their limits, and how long convolutions take beside torch's."""
    rated = [r for r in rows if r["group"] in ("products", "float products") and r["what"] not in _EXACT]
    layers = list(dict.fromkeys(r["case"] for r in rows if r["group"] == "convolutions"))
    figure = new_figure(16, max(5, 1.5 + 0.2 * max(len(rated), 1.6 * len(layers))))
    left, right = figure.subplots(1, 2)
    if rated:
        _draw_rates(left, sorted(rated, key=lambda r: r["products_per_second"]))
    if layers:
        _draw_layers(right, rows, layers)
    figure.suptitle(title)
    return figure


def _draw_rates(axes: Any, rows: list[Row]) -> None:
    places = range(len(rows))
    rates = [r["products_per_second"] / 1e12 for r in rows]
    axes.barh(places, rates, color=OWN_COLOR, label="measured")
    limited = [(i, r["limit"]["products_per_second"] / 1e12) for i, r in enumerate(rows) if r["limit"]]
    if limited:
        axes.plot(
            [x for _, x in limited],
            [i for i, _ in limited],
            "|",
            color="black",
            markersize=9,
            label="its limit",
        )
    aims = [(i, _aim(r)) for i, r in enumerate(rows) if _aim(r)]
    if aims:
        axes.plot(
            [x for _, x in aims], [i for i, _ in aims], "d", color="#c0392b", markersize=4, label="target"
        )
    shares = [f" ({r['share_of_limit']:.0%})" if r["limit"] else "" for r in rows]
    names = [f"{r['case']}: {r['what']}{share}" for r, share in zip(rows, shares, strict=True)]
    axes.set_yticks(places, names, fontsize=7)
    axes.set(xscale="log", xlabel="10¹² products a second", title="Products (share of the limit)")
    axes.margins(x=0.05, y=0.01)
    low, high = axes.get_xlim()
    if high < 1e5 * low:
        plain_ticks(axes.xaxis, low, high)
    axes.legend(frameon=True, fontsize=8, loc="lower right")


def _aim(row: Row) -> float | None:
    aim = row.get("target", {}).get("aim", "")
    return float(aim.split()[1].removesuffix("e12")) if aim.startswith(">=") else None


def _draw_layers(axes: Any, rows: Sequence[Row], layers: list[str]) -> None:
    marks = {"mul8u_L40 gather": ("o", "#c0392b"), "mul8u_JQQ auto": ("s", "#e9a23b")}
    marks |= {TF32: ("x", EXACT_COLOR), FLOAT16: ("+", EXACT_COLOR)}
    places = {name: len(layers) - i for i, name in enumerate(layers)}
    for what, (mark, color) in marks.items():
        found = [r for r in rows if r["what"] == what and r["case"] in places]
        points = [
            (r["times_as_long_as_float32"], places[r["case"]]) for r in found if r["times_as_long_as_float32"]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), mark, color=color, label=what, markersize=6)
    axes.axvline(1, color=EXACT_COLOR, linewidth=1, label=FLOAT32)
    axes.axvline(MOST_RATIO, color="black", linestyle=":", linewidth=1, label=f"{MOST_RATIO} times as long")
    axes.set_yticks(list(places.values()), list(places), fontsize=7)
    axes.set(xscale="log", xlabel="times as long as torch float32 without TF32", title="Convolutions")
    low, high = axes.get_xlim()
    plain_ticks(axes.xaxis, low, max(high, low * math.e))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.06))

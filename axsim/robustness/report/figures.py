"""From kept results to the numbers that a report shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from axsim.robustness.cells import canonical
from axsim.robustness.intervals import wilson
from axsim.robustness.names import near
from axsim.robustness.report.layout import CurveSpec, Published, TableSpec, matches
from axsim.robustness.store import Measured


@dataclass(frozen=True)
class Entry:
    """A number of a table or a curve.

    Attributes:
        settings: those that tell it from the others.
        value: the mean over the cells that differ in the seed alone; None where none of them is measured.
        interval: of a share, the Wilson interval at 95 %; of the images of one cell, since all seeds have the
            same images. Of a mean over images, the normal interval that its cell has; of several cells, with
            ends that are the means of theirs.
        spread: the least and the largest of several cells' values.
        cells: how many values there are.
        published: the published number, or None.
    """

    settings: Mapping[str, Any]
    value: float | None
    interval: tuple[float, float] | None = None
    spread: tuple[float, float] | None = None
    cells: int = 0
    published: Published | None = None


def entries(
    spec: TableSpec | CurveSpec, wanted: Iterable[Mapping[str, Any]], measured: Sequence[Measured]
) -> list[Entry]:
    """The entries of a table or a curve, in the order of the settings ``wanted`` of all declared cells.

    Shares are as ``unit`` "%" has them. Published numbers without a cell come
    last, where ``where`` asks for them.

    Raises:
        ValueError: results without this value, or with one that is no number; near names.
    """
    name = spec.value if isinstance(spec, TableSpec) else spec.y
    by_entry: dict[str, list[Measured]] = {}
    shown: dict[str, Mapping[str, Any]] = {}
    for settings in wanted:
        if matches(settings, spec.where):
            shown.setdefault(canonical([settings[n] for n in spec.names]), settings)
    for one in measured:
        settings = one.cell.settings
        if one.results is not None and matches(settings, spec.where):
            by_entry.setdefault(canonical([settings[n] for n in spec.names]), []).append(one)
    scale = 100.0 if spec.unit == "%" else 1.0
    found = []
    used: list[Published] = []
    for key, settings in shown.items():
        published = next((p for p in spec.published if matches(settings, p.settings)), None)
        if published is not None:
            used.append(published)
        cells = by_entry.get(key, ())
        values = [_number(look_up(m.results or {}, name, spec.title)) for m in cells]
        told = {n: settings[n] for n in spec.names}
        entry = _entry(told, [v for v in values if v is not None], scale, published)
        if is_mean(name) and entry.cells:
            entry = replace(entry, interval=_of_means([_ends(m.results or {}, name) for m in cells], scale))
        found.append(entry)
    for published in spec.published:
        named = all(n in published.settings for n in spec.names)
        if published not in used and named and _asked_for(published, spec.where):
            found.append(Entry(published.settings, None, published=published))
    return found


def _entry(
    settings: Mapping[str, Any],
    values: Sequence[tuple[float, int | None]],
    scale: float,
    published: Published | None,
) -> Entry:
    if not values:
        return Entry(settings, None, published=published)
    numbers = [value for value, _ in values]
    mean = math.fsum(numbers) / len(numbers)
    images = [of for _, of in values if of is not None]
    interval = None
    if len(images) == len(values):
        count = round(mean * min(images), 6)  # between two whole ones, it may be: both their intervals
        ends = wilson(math.floor(count), min(images)).low, wilson(math.ceil(count), min(images)).high
        interval = (scale * ends[0], scale * ends[1])
    spread = (scale * min(numbers), scale * max(numbers)) if len(values) > 1 else None
    return Entry(settings, scale * mean, interval, spread, len(values), published)


def _asked_for(published: Published, where: Mapping[str, Any]) -> bool:
    """Whether a published number is among what a table or a curve looks at, as far as it says."""

    def alike(name: str, value: Any) -> bool:
        told = published.settings[name]
        values = value if isinstance(value, list) else [value]
        return matches(published.settings, {name: value}) or any(
            matches({name: one}, {name: told}) for one in values
        )

    return all(alike(name, value) for name, value in where.items() if name in published.settings)


def is_mean(name: str) -> bool:
    """Whether a dotted name is that of a mean over images, which has an interval beside it."""
    return name.endswith(".mean")


def _ends(results: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """The interval beside a mean."""
    value: Any = results
    for part in name.split(".")[:-1]:
        value = value[part]
    low, high = value.get("low"), value.get("high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return None
    return low, high


def _of_means(ends: Sequence[tuple[float, float] | None], scale: float) -> tuple[float, float] | None:
    known = [both for both in ends if both is not None]
    if len(known) < len(ends):
        return None
    low, high = (scale * math.fsum(side) / len(known) for side in zip(*known, strict=True))
    return low, high


def look_up(results: Mapping[str, Any], name: str, title: str) -> Any:
    """The value of results that a dotted name leads to; ValueError with near names where there is none."""
    value: Any = results
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            known = sorted(number_names(results))
            raise ValueError(f"{title}: {name!r} is not in the results: {near(name, known)}")
        value = value[part]
    if value is not None and _number(value) is None and not _missing(value):
        raise ValueError(f"{title}: {name!r} is {type(value).__name__} in the results, and no number")
    return value


def number_names(results: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Dotted names of all numbers and shares in kept results."""
    for name, value in results.items():
        if _number(value) is not None:
            yield f"{before}{name}"
        elif isinstance(value, Mapping):
            yield from number_names(value, f"{before}{name}.")


def _missing(value: Any) -> bool:
    """A share of no images at all."""
    return isinstance(value, Mapping) and value.keys() >= {"count", "of"} and value["of"] == 0


def _number(value: Any) -> tuple[float, int | None] | None:
    """A number and, of a share, how many images it is of."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), None
    if isinstance(value, Mapping) and value.keys() >= {"count", "of"} and value["of"]:
        return value["count"] / value["of"], value["of"]
    return None

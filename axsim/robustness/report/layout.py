"""What a report shows: tables and curves, declared as data in an experiment file, and published figures.

    [report]
    published = "published.json"        # beside the file; that name is taken if it is there

    [[report.tables]]
    title = "Table 2"
    rows = ["attack"]                   # settings: a row for each of their combinations
    columns = ["variant"]
    value = "success"                   # of the results; "l2.mean" is a value in a mapping
    unit = "%"                          # shares are shown as percent
    where = { network = "lenet5" }      # only these cells
    published = "table2"                # figures in published.json

    [[report.curves]]
    title = "Figure 4"
    x = "budget"
    y = "robust_accuracy"
    lines = ["variant"]
    panels = ["attack"]                 # a picture for each
    unit = "%"
    published = "figure4"

`published.json` has the source, and figures in the unit of the table:

    {"source": "A. Author, ...", "figures": {"table2": {"caption": "Table 2, transfer", "values": [
        {"settings": {"attack": "fgsm", "variant": "axfpm"}, "value": 12, "text": "12 %"}]}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axsim.files import read_regular
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.names import PlaceError, near, only, take

MOST_BYTES = 1 << 24
"""Of an experiment file, and of its published numbers."""

SEED = "seed"  # cells that differ in it alone are one entry: their mean is shown


@dataclass(frozen=True)
class Published:
    """A published number, and the settings that it is for."""

    settings: Mapping[str, Any]
    value: float
    text: str


@dataclass(frozen=True)
class TableSpec:
    """A table: an entry for each combination of the settings ``rows`` and ``columns``."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    value: str
    unit: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    caption: str = ""
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that tell entries apart."""
        return (*self.rows, *self.columns)


@dataclass(frozen=True)
class CurveSpec:
    """Curves over the setting ``x``: a line for each of ``lines``, a picture for each of ``panels``."""

    title: str
    x: str
    y: str
    lines: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()
    unit: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    caption: str = ""
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that tell points apart."""
        return (*self.panels, *self.lines, self.x)


@dataclass(frozen=True)
class Layout:
    """All that a report shows beyond what every report does.

    ``labels`` has names for readers: setting, value, name.
    """

    tables: tuple[TableSpec, ...] = ()
    curves: tuple[CurveSpec, ...] = ()
    source: str = ""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def label(self, name: str, value: Any) -> str:
        """A setting's value for readers.

        >>> Layout(labels={"multiplier": {"mul8u_L40": "M8"}}).label("multiplier", "mul8u_L40")
        'M8'
        >>> Layout().label("attack", {"name": "cw", "steps": 100})
        'cw (steps 100)'
        """
        named = self.labels.get(name, {})
        text = value if isinstance(value, str) else canonical(value)
        if text in named:
            return named[text]
        if isinstance(value, Mapping) and isinstance(short := value.get("name"), str):
            rest = ", ".join(f"{k} {self.label('', v)}" for k, v in value.items() if k != "name")
            short = named.get(short, short)
            return f"{short} ({rest})" if rest else short
        return {"null": "none", "true": "yes", "false": "no"}.get(text, text)


def matches(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether settings are as wanted: each value itself, one of a list, or the name of one with parameters.

    >>> matches({"attack": {"name": "cw", "steps": 9}, "seed": 0}, {"attack": "cw", "seed": [0, 1]})
    True
    """

    def one(found: Any, value: Any) -> bool:
        if isinstance(found, Mapping) and isinstance(value, str):
            return bool(found.get("name") == value)
        return canonical(found) == canonical(value)

    return all(
        one(settings[name], value) or (isinstance(value, list) and any(one(settings[name], v) for v in value))
        for name, value in wanted.items()
    )


def read_layout(
    content: Any,
    folder: Path,
    settings: Sequence[str],
    labels: Mapping[str, Mapping[str, str]],
    everywhere: Sequence[str] = (),
    results: Sequence[str] = (),
) -> Layout:
    """The layout that the table ``[report]`` of a file in ``folder`` declares.

    ``settings`` are those of its kind; ``everywhere`` those of any kind, as a ``published.json`` beside files
    of several kinds may have them in figures that this file does not show. ``results`` are the numbers that
    the kind's results have; without any, names of values are not looked at.

    Raises ``PlaceError`` for what it does not know, with near names.
    """
    only(content, ("published", "tables", "curves"), "report")
    path = folder / take(content, "published", "published.json", str, "report")
    source = ""
    figures: dict[str, tuple[str, tuple[Published, ...]]] = {}
    if path.is_file():
        source, figures = read_published(path, (*settings, *everywhere))
    elif "published" in content:
        raise PlaceError("report.published", f"there is no file {path}")

    def names(table: Mapping[str, Any], key: str, place: str, least: int) -> tuple[str, ...]:
        value = table.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) < least or not all(isinstance(n, str) for n in found):
            raise PlaceError(f"{place}.{key}", f"{value!r} came, a list of settings was expected")
        for name in found:
            _known(name, settings, f"{place}.{key}")
        return tuple(found)

    def result(table: Mapping[str, Any], key: str, place: str) -> str:
        name: str = take(table, key, ..., str, place)
        if results:
            _known(name, results, f"{place}.{key}")
        return name

    def common(table: Mapping[str, Any], place: str) -> dict[str, Any]:
        where = only(table.get("where", {}), settings, f"{place}.where")
        published: tuple[Published, ...] = ()
        caption = ""
        if "published" in table:
            key = take(table, "published", ..., str, place)
            _known(key, figures, f"{place}.published")
            caption, published = figures[key]
            for number in published:
                only(number.settings, settings, f"{place}.published: {key}")
        return {
            "title": take(table, "title", ..., str, place),
            "unit": take(table, "unit", "", str, place),
            "note": take(table, "note", "", str, place),
            "where": dict(where),
            "published": published,
            "caption": caption,
        }

    shared = ("title", "unit", "note", "where", "published")
    tables, curves = [], []
    for place, table in _listed(content, "tables", (*shared, "rows", "columns", "value")):
        rows, columns = names(table, "rows", place, 1), names(table, "columns", place, 0)
        value = result(table, "value", place)
        tables.append(TableSpec(rows=rows, columns=columns, value=value, **common(table, place)))
    for place, table in _listed(content, "curves", (*shared, "x", "y", "lines", "panels")):
        (x,) = names(table, "x", place, 1)
        lines, panels = names(table, "lines", place, 0), names(table, "panels", place, 0)
        y = result(table, "y", place)
        curves.append(CurveSpec(x=x, y=y, lines=lines, panels=panels, **common(table, place)))
    return Layout(tuple(tables), tuple(curves), source, labels)


def check_layout(layout: Layout, cells: Sequence[Cell]) -> None:
    """``PlaceError`` where a table or a curve would show no cell, or take unlike ones for one entry."""
    every = [cell.settings for cell in cells]
    kinds: tuple[tuple[str, tuple[TableSpec | CurveSpec, ...]], ...] = (
        ("tables", layout.tables),
        ("curves", layout.curves),
    )
    for kind, specs in kinds:
        for i, spec in enumerate(specs):
            place = f"report.{kind}[{i}]"
            shown = [settings for settings in every if matches(settings, spec.where)]
            if not shown:
                raise PlaceError(f"{place}.where", "no cell of the file is so")
            first: dict[str, Mapping[str, Any]] = {}
            for settings in shown:
                entry = canonical([settings[name] for name in spec.names])
                other = first.setdefault(entry, settings)
                unlike = [n for n in settings if n != SEED and settings[n] != other[n]]
                if unlike:
                    raise PlaceError(
                        place,
                        f"cells of one entry differ in {unlike[0]}; name it in {place}.where, or show it",
                    )
                if isinstance(spec, CurveSpec) and not _is_number(settings[spec.x]):
                    raise PlaceError(
                        f"{place}.x", f"{spec.x} is {settings[spec.x]!r} in a cell, and no number"
                    )
            for published in spec.published:
                if sum(matches(settings, published.settings) for settings in first.values()) > 1:
                    told = canonical(published.settings)
                    raise PlaceError(f"{place}.published", f"{told} is said of more than one entry")


def read_published(
    path: Path, settings: Sequence[str]
) -> tuple[str, dict[str, tuple[str, tuple[Published, ...]]]]:
    """The source, and each figure's caption and numbers, of a ``published.json``.

    Raises ``PlaceError`` that names the place in it.
    """
    try:
        content = json.loads(read_regular(path, MOST_BYTES))
        only(content, ("source", "figures"), path.name)
        source = take(content, "source", ..., str, path.name)
        found = {}
        for key, figure in take(content, "figures", ..., dict, path.name).items():
            place = f"{path.name}: figures.{key}"
            only(figure, ("caption", "values"), place)
            numbers = []
            for i, entry in enumerate(take(figure, "values", ..., list, place)):
                at = f"{place}.values[{i}]"
                only(entry, ("settings", "value", "text"), at)
                value = entry.get("value")
                if not _is_number(value):
                    raise PlaceError(f"{at}.value", f"{value!r} came, a number was expected")
                which = only(take(entry, "settings", ..., dict, at), settings, f"{at}.settings")
                numbers.append(Published(which, float(value), take(entry, "text", f"{value:g}", str, at)))
            found[key] = (take(figure, "caption", "", str, place), tuple(numbers))
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        raise PlaceError(str(path), f"no JSON: {problem}") from None
    return source, found


def _listed(
    content: Mapping[str, Any], key: str, known: Iterable[str]
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    tables = take(content, key, [], list, "report")
    return [(f"report.{key}[{i}]", only(t, known, f"report.{key}[{i}]")) for i, t in enumerate(tables)]


def _known(name: str, known: Iterable[str], place: str) -> None:
    known = tuple(known)
    if name not in known:
        raise PlaceError(place, f"{name!r} is not known here: {near(name, known)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

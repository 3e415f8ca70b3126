"""From kept results and a layout to a report's document. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from axsim.progress import spell
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.checks import Verdict
from axsim.robustness.report import draw
from axsim.robustness.report.document import Document, Picture, Pictures, Section, Table, Text
from axsim.robustness.report.figures import Entry, entries, is_mean
from axsim.robustness.report.layout import CurveSpec, Layout, TableSpec
from axsim.robustness.store import Measured

_MOST_EXAMPLES = 24  # images with their noise: more make a page that no telephone shows
_NONE = "–"


@dataclass(frozen=True)
class Reported:
    """What a report is made from: an experiment's declaration, and what is kept of its cells.

    ``checks`` are those of all cells together.
    """

    title: str
    note: str
    cells: Sequence[Cell]
    measured: Sequence[Measured]
    layout: Layout
    checks: Sequence[Verdict] = ()


def build(reported: Reported) -> Document:
    """The report's document: tables, curves, checks, examples, failures, settings, machines.

    Raises:
        ValueError: results without a value that the layout asks for; the message has near names.
    """
    good = [m for m in reported.measured if m.results is not None]
    failed = [m for m in reported.measured if m.results is None]
    missing = len(reported.cells) - len(reported.measured)
    wanted = [cell.settings for cell in reported.cells]
    lead = [part.strip() for part in reported.note.split("\n\n") if part.strip()]
    state = f"{len(good)} of {len(reported.cells)} cells are measured"
    if failed or missing:
        state += f"; {len(failed)} failed, {missing} are not measured yet"
    lead.append(f"{state}. Published figures: {reported.layout.source or 'none'}.")
    sections = []
    if reported.layout.tables:
        tables = [_table(t, reported.layout, entries(t, wanted, good)) for t in reported.layout.tables]
        sections.append(Section("Tables", tables))
    for curve in reported.layout.curves:
        sections.append(Section(curve.title, [_curves(curve, reported.layout, entries(curve, wanted, good))]))
    brief = _brief(wanted, reported.layout)
    sections += _checks(reported.checks, good, brief)
    sections += _examples(good, brief)
    if failed:
        blocks = [Text(f"{brief(m.cell)}\n\n{m.error.strip()}", plain=True) for m in failed]
        sections.append(Section("Cells that failed", blocks))
    sections += _circumstances(wanted, good, reported.layout)
    return Document(reported.title, lead, sections)


def _text(value: float | None, unit: str) -> str:
    if value is None:
        return _NONE
    return f"{value:.1f}" if unit == "%" or 10 <= abs(value) < 1e5 else f"{value:.3g}"


def _table(spec: TableSpec, layout: Layout, found: Sequence[Entry]) -> Table:
    """A line for each entry where there are published numbers to compare with, else a matrix."""
    unit = f" ({spec.unit})" if spec.unit else ""
    caption = f"{spec.title}: {spec.value}{unit}"
    note = spec.note
    if any(e.cells > 1 for e in found):
        most = max(e.cells for e in found)
        note = (
            f"{note} Means of up to {most} seeds, with the least and the largest value in brackets.".strip()
        )
    if not any(e.published for e in found):
        return _matrix(spec, layout, found, caption, note)
    if spec.caption:
        caption += f", beside {spec.caption}"
    rows = []
    for entry in found:
        names = [layout.label(n, entry.settings[n]) for n in spec.names]
        published = entry.published
        compared = entry.value is not None and published is not None
        rows.append(
            [
                *names,
                _ours(entry, spec.unit),
                _interval(entry, spec.unit),
                published.text if published else _NONE,
                f"{entry.value - published.value:+.1f}"
                if compared and entry.value is not None and published
                else _NONE,
                _verdict(entry),
            ]
        )
    headings = [*spec.names, "ours", "95 % interval", "published", "difference", "in interval"]
    return Table(caption, headings, rows, len(spec.names), note)


def _ours(entry: Entry, unit: str) -> str:
    value = _text(entry.value, unit)
    low, high = (_text(end, unit) for end in entry.spread or (entry.value, entry.value))
    return value if low == high else f"{value} [{low}, {high}]"


def _interval(entry: Entry, unit: str) -> str:
    return " to ".join(_text(end, unit) for end in entry.interval) if entry.interval else _NONE


def _verdict(entry: Entry) -> str:
    if entry.published is None:
        return ""
    if entry.value is None:
        return "not measured"
    if entry.interval is None:
        return ""
    return "yes" if entry.interval[0] <= entry.published.value <= entry.interval[1] else "no"


def _matrix(spec: TableSpec, layout: Layout, found: Sequence[Entry], caption: str, note: str) -> Table:
    cells: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for entry in found:
        row = " / ".join(layout.label(n, entry.settings[n]) for n in spec.rows)
        column = " / ".join(layout.label(n, entry.settings[n]) for n in spec.columns) or spec.value
        columns.setdefault(column)
        interval = f" ({_interval(entry, spec.unit)})" if entry.interval else ""
        cells.setdefault(row, {})[column] = f"{_ours(entry, spec.unit)}{interval}"
    if any(e.interval for e in found):
        note = f"{note} In parentheses: {_which(spec.value)}.".strip()
    rows = [[row, *(line.get(column, _NONE) for column in columns)] for row, line in cells.items()]
    return Table(caption, [" / ".join(spec.rows), *columns], rows, 1, note)


def _which(value: str) -> str:
    """Which interval it is."""
    return "the normal interval of the mean at 95 %" if is_mean(value) else "the Wilson interval at 95 %"


def _curves(spec: CurveSpec, layout: Layout, found: Sequence[Entry]) -> Pictures:
    panels: dict[str, list[Entry]] = {}
    for entry in found:
        panels.setdefault(canonical([entry.settings[n] for n in spec.panels]), []).append(entry)
    pictures = []
    for points in panels.values():
        title = ", ".join(layout.label(n, points[0].settings[n]) for n in spec.panels)
        data = draw.curves(spec, layout, points, title)
        alt = f"{spec.title}: {spec.y} over {spec.x}" + (f", {title}" if title else "")
        pictures.append(Picture(data, "svg", alt))
    note = spec.note
    if any(e.interval for e in found):
        note = f"{note} Shaded: {_which(spec.y)}.".strip()
    if any(e.published for e in found):
        note = f"{note} Rings: {spec.caption or 'published'}.".strip()
    return Pictures("", pictures, note=note)


def _brief(wanted: Sequence[Mapping[str, Any]], layout: Layout) -> Callable[[Cell], str]:
    """What names a cell for readers: the settings in which the cells differ."""
    differ = [n for n in (wanted[0] if wanted else ()) if len(_distinct(canonical(s[n]) for s in wanted)) > 1]

    def brief(cell: Cell) -> str:
        settings = cell.settings
        return ", ".join(f"{n} {layout.label(n, settings[n])}" for n in differ) or "the only cell"

    return brief


def _checks(
    together: Sequence[Verdict], good: Sequence[Measured], brief: Callable[[Cell], str]
) -> list[Section]:
    rows = [[check.said, check.check, "all", check.why] for check in together]
    for one in good:
        for check in (one.results or {}).get("checks", ()):
            rows.append([check["said"], check["check"], brief(one.cell), check["why"]])
    if not rows:
        return []
    held = sum(row[0] == "held" for row in rows)
    caption = f"{held} of {len(rows)} checks held"
    return [Section("Checks", [Table(caption, ["verdict", "check", "cells", "reason"], rows, 4)])]


def _examples(good: Sequence[Measured], brief: Callable[[Cell], str]) -> list[Section]:
    blocks: list[Pictures] = []
    drawn = 0
    there = sum(len((one.results or {}).get("examples", ())) for one in good)
    for one in good:
        pictures = []
        for example in (one.results or {}).get("examples", ()):
            if drawn == _MOST_EXAMPLES:
                break
            drawn += 1
            caption = str(example.get("caption", ""))
            noise, largest = draw.noise(example["image"], example["adversarial"])
            pictures += [
                Picture(draw.image(example["image"]), "png", f"image, {caption}", caption),
                Picture(draw.image(example["adversarial"]), "png", f"adversarial, {caption}", "adversarial"),
                Picture(noise, "png", f"noise, {caption}", f"noise, up to {largest:.3g}"),
            ]
        if pictures:
            blocks.append(Pictures(brief(one.cell), pictures, small=True))
    if not blocks:
        return []
    left = f" {there - drawn} more are kept with the results." if there > drawn else ""
    text = Text(f"Each image, what the attack made of it, and the difference (0 in grey, enlarged).{left}")
    return [Section("Examples", [text, *blocks])]


def _circumstances(
    wanted: Sequence[Mapping[str, Any]], good: Sequence[Measured], layout: Layout
) -> list[Section]:
    rows = []
    for name in wanted[0] if wanted else ():
        values = _distinct(layout.label(name, settings[name]) for settings in wanted)
        rows.append([name, ", ".join(values)])
    sections = [Section("Settings", [Table("", ["setting", "values"], rows, 2)])]
    if good:
        machines = _distinct("\n".join(f"{k}: {v}" for k, v in m.machine.items()) for m in good)
        took = f"Measured in {spell(sum(m.seconds for m in good))} of one process's time, all cells together."
        table = Table("", ["", *(f"machine {i + 1}" for i in range(len(machines)))], _machines(good), 1)
        sections.append(Section("Machines", [Text(took), table]))
    return sections


def _machines(good: Sequence[Measured]) -> list[list[str]]:
    found = list({canonical({k: str(v) for k, v in m.machine.items()}): m.machine for m in good}.values())
    facts = _distinct(fact for one in found for fact in one)
    return [[fact, *(str(one.get(fact, _NONE)) for one in found)] for fact in facts]


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))

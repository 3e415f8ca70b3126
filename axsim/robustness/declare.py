"""Experiment files: TOML that declares axes and fixed settings, and becomes a list of cells.

kind = "transfer"                   # which experiment; it knows the settings below
title = "Transfer of examples to Ax-FPM"
note = "Table 2 of ..."

[settings]                          # of every cell
network = "lenet5"
images = 500

[axes]                              # a cell for each combination
variant = ["axfpm", "mul8u_L40"]
attack = ["fgsm", { name = "cw_l2", steps = 100 }]
seed = [0, 1]

[[exclude]]                         # but for those: all that it names must be so
variant = "mul8u_L40"
attack = "cw_l2"

[[block]]                           # several blocks: each with settings, axes and exclude of its own,
axes.budget = [0.1, 0.2]            # which go before those above
[[block]]
settings.budget = 0.3

[labels.variant]                 # for readers
mul8u_L40 = "M8"

[[report.tables]]                   # see axsim.robustness.report.layout
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axsim.files import read_regular
from axsim.robustness.cells import Cell, canonical
from axsim.robustness.experiments import REQUIRED, Experiment, get, list_kinds
from axsim.robustness.names import PlaceError, only, take
from axsim.robustness.report.layout import MOST_BYTES, Layout, check_layout, matches, read_layout

_TOP = ("kind", "title", "note", "settings", "axes", "exclude", "block", "labels", "report")
_BLOCK = ("settings", "axes", "exclude")
_MOST = 1_000_000  # cells: beyond it is a slip


class DeclarationError(ValueError):
    """An experiment file that cannot be read; the message starts with the file and the key."""


@dataclass(frozen=True)
class Declaration:
    """What an experiment file declares.

    Attributes:
        path: the file.
        experiment: the kind, found by its name.
        title, note: for readers.
        cells: all of them, each once, in the file's order: the last axis runs fastest.
        layout: of the report.
    """

    path: Path
    experiment: Experiment
    title: str
    note: str
    cells: tuple[Cell, ...]
    layout: Layout


def read_declaration(path: str | Path, images: int | None = None) -> Declaration:
    """Read an experiment file.

    Args:
        path: the TOML file.
        images: in place of what the file says of the setting ``images``.

    Raises:
        DeclarationError: what is wrong, with the file, the key, and near names.
        OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        content = tomllib.loads(read_regular(path, MOST_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise DeclarationError(f"{path}: no TOML: {problem}") from None
    try:
        return _declaration(path, content, images)
    except PlaceError as problem:
        raise DeclarationError(f"{path}: {problem}") from None


def _declaration(path: Path, content: Mapping[str, Any], images: int | None) -> Declaration:
    only(content, _TOP, "")
    kind = take(content, "kind", ..., str, "")
    try:
        experiment = get(kind)
    except ValueError as problem:
        raise PlaceError("kind", problem) from None
    blocks = content.get("block", [{}])
    if not isinstance(blocks, list) or not blocks:
        raise PlaceError("block", "expected [[block]] tables")
    if images is not None and "images" not in experiment.settings:
        raise PlaceError("kind", f"{experiment.kind!r} has no setting 'images' that --images could set")
    top = _Block(experiment, content, "")
    cells: dict[Cell, None] = {}
    rules, used = [where for where, _ in top.exclude], set[str]()
    for i, block in enumerate(blocks):
        place = f"block[{i}]." if "block" in content else ""
        inner = _Block(experiment, only(block, _BLOCK, place[:-1]), place) if "block" in content else None
        rules += [where for where, _ in inner.exclude] if inner is not None else []
        cells.update(dict.fromkeys(_cells(experiment, top, inner, images, place, used)))
    if idle := [where for where in rules if where not in used]:
        raise PlaceError(idle[0], "it excludes no cell")
    if not cells:
        raise PlaceError("exclude", "no cell is left")
    labels = _labels(experiment, content.get("labels", {}), cells)
    everywhere = tuple({name for kind in list_kinds() for name in get(kind).settings})
    layout = read_layout(
        content.get("report", {}),
        path.parent,
        tuple(experiment.settings),
        labels,
        everywhere,
        experiment.results,
    )
    check_layout(layout, tuple(cells))
    return Declaration(
        path,
        experiment,
        take(content, "title", path.stem, str, ""),
        take(content, "note", "", str, ""),
        tuple(cells),
        layout,
    )


class _Block:
    """Settings, axes and exclusions of one place in the file, each value checked."""

    def __init__(self, experiment: Experiment, content: Mapping[str, Any], place: str) -> None:
        known = experiment.settings
        self.settings = {
            name: _checked(experiment, name, value, f"{place}settings.{name}")
            for name, value in only(content.get("settings", {}), known, f"{place}settings").items()
        }
        self.axes = {
            name: _axis(experiment, name, values, f"{place}axes.{name}")
            for name, values in only(content.get("axes", {}), known, f"{place}axes").items()
        }
        if both := sorted(self.settings.keys() & self.axes):
            raise PlaceError(f"{place}axes.{both[0]}", f"it is in {place}settings too")
        self.exclude = []
        rules = content.get("exclude", [])
        if not isinstance(rules, list):
            raise PlaceError(f"{place}exclude", "expected [[exclude]] tables")
        for i, rule in enumerate(rules):
            where = f"{place}exclude[{i}]"
            if not only(rule, known, where):
                raise PlaceError(where, "it names no setting")
            self.exclude.append((where, rule))


def _cells(
    experiment: Experiment,
    top: _Block,
    inner: _Block | None,
    images: int | None,
    place: str,
    used: set[str],
) -> Iterator[Cell]:
    settings, axes, exclude = dict(top.settings), dict(top.axes), list(top.exclude)
    if inner is not None:
        for name in (*inner.settings, *inner.axes):
            settings.pop(name, None)
            axes.pop(name, None)
        settings.update(inner.settings)
        axes.update(inner.axes)
        exclude += inner.exclude
    if images is not None:
        axes.pop("images", None)
        settings["images"] = _checked(experiment, "images", images, "--images")
    for name, setting in experiment.settings.items():
        if name not in settings and name not in axes:
            if setting.default is REQUIRED:
                raise PlaceError(
                    f"{place}settings.{name}", f"{experiment.kind!r} needs it, and it is not there"
                )
            settings[name] = setting.default
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > _MOST:
        raise PlaceError(f"{place}axes", f"they make {count} cells, more than {_MOST}")
    for combination in itertools.product(*axes.values()):
        cell = Cell({**settings, **dict(zip(axes, combination, strict=True))})
        chosen = cell.settings
        out = [where for where, rule in exclude if matches(chosen, rule)]
        used.update(out)
        if out:
            continue
        try:
            experiment.check(cell)
        except (ValueError, TypeError) as problem:
            raise PlaceError(f"{place}axes" if axes else f"{place}settings", f"{cell}: {problem}") from None
        yield cell


def _axis(experiment: Experiment, name: str, values: Any, place: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise PlaceError(
            place, f"{values!r} came, a list of values was expected; a single one goes into settings"
        )
    checked = [_checked(experiment, name, value, f"{place}[{i}]") for i, value in enumerate(values)]
    texts = [canonical(value) for value in checked]
    for i, text in enumerate(texts):
        if text in texts[:i]:
            raise PlaceError(f"{place}[{i}]", f"{values[i]!r} is there already")
    return checked


def _checked(experiment: Experiment, name: str, value: Any, place: str) -> Any:
    try:
        checked = experiment.settings[name].check(value)
        canonical(checked)
    except (ValueError, TypeError) as problem:
        raise PlaceError(place, problem) from None
    return checked


def _labels(experiment: Experiment, labels: Any, cells: Iterable[Cell]) -> dict[str, dict[str, str]]:
    every = [cell.settings for cell in cells]
    for name, table in only(labels, experiment.settings, "labels").items():
        values = {v if isinstance(v, str) else canonical(v) for v in (s[name] for s in every)}
        values |= {s[name]["name"] for s in every if isinstance(s[name], dict) and "name" in s[name]}
        for value, label in only(table, values, f"labels.{name}").items():
            if not isinstance(label, str):
                raise PlaceError(f"labels.{name}.{value}", f"{label!r} came, a text was expected")
    return {name: dict(table) for name, table in labels.items()}

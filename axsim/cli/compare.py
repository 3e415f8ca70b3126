"""``axsim compare``, ``pareto`` and ``report``: multipliers seen side by side, and one of them whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axsim.cli.app import Name, Operands, Signed, Top, Widths, app, find, plain_errors, written

if TYPE_CHECKING:
    from axsim.multipliers.integer import Multiplier

Picture = Annotated[Path | None, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")]
Page = Annotated[Path | None, typer.Option("--html", help="Page to write, with all in it.")]


@app.command()
@plain_errors
def compare(
    names: Annotated[list[str], typer.Argument(help="Integer multipliers, or files of circuits or tables.")],
    output: Picture = None,
    html: Page = None,
) -> None:
    """Show multipliers side by side: error figures, cost, and, in a picture or page, where the errors lie."""
    from axsim.files import replace_file
    from axsim.plots import check_ending, comparison_picture, save_figure
    from axsim.plots.errors import check_count
    from axsim.plots.reports import COSTS_TITLE, ERRORS_TITLE, PUBLISHED_TITLE, comparison_page
    from axsim.plots.tables import (
        UNIT_GATE_NOTES,
        compared_costs,
        compared_errors,
        compared_published,
        cost_notes,
        widths_note,
    )
    from axsim.results import print_table

    if output is not None:
        check_ending(output)
    multipliers = _told_apart(names, [integer(name) for name in names])
    check_count(len(multipliers))
    headings = ("figure", *(multiplier.name for multiplier in multipliers))
    print_table(ERRORS_TITLE, headings, compared_errors(multipliers))
    print_table(COSTS_TITLE, headings, compared_costs(multipliers))
    print("\n".join((*UNIT_GATE_NOTES, *cost_notes(multipliers))))
    if note := widths_note(multipliers):
        print(note)
    if printed := compared_published(multipliers):
        print_table(PUBLISHED_TITLE, headings, printed)
    if output is not None:
        written("picture", output, lambda: save_figure(comparison_picture(multipliers), output))
    if html is not None:
        written("page", html, lambda: replace_file(html, comparison_page(multipliers).encode("utf-8")))


@app.command()
@plain_errors
def pareto(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Libraries (.h5), multipliers, or files; all that have names if none is given."),
    ] = None,
    x: Annotated[str, typer.Option(help="Figure across, such as energy, area, published_power.")] = "energy",
    y: Annotated[str, typer.Option(help="Figure upwards, such as mre, mae, wce, ep.")] = "mre",
    output: Picture = None,
) -> None:
    """List the multipliers that no other one beats in both of two figures: the Pareto front.

    Figures: mae, wce, mre, wcre, ep, mse, bias, nmed (computed); energy (what is switched), area, delay,
    gates, transistors (estimated by axsim); published_power, published_area, published_delay. Less is better
    in all of them. Multipliers of which a figure is not known are left out, and named.
    """
    from axsim.multipliers.figures import figure_kind, front
    from axsim.plots import check_ending, pareto_picture, save_figure
    from axsim.plots.tables import widths_note
    from axsim.results import print_table

    kinds = figure_kind(x), figure_kind(y)
    if output is not None:
        check_ending(output)
    known: list[tuple[str, float, float]] = []
    compared: list[Multiplier] = []
    unknown: dict[str, list[str]] = {}
    for multiplier in _several(names):
        values = [kind.of(multiplier) for kind in kinds]
        missing = [kind.name for kind, value in zip(kinds, values, strict=True) if value is None]
        if missing:
            unknown.setdefault(" and ".join(missing), []).append(multiplier.name)
        else:
            compared.append(multiplier)
            known.append((multiplier.name, float(values[0] or 0), float(values[1] or 0)))
    if not known:
        raise ValueError(f"both {x} and {y} are known of none of these multipliers")
    labels, xs, ys = zip(*known, strict=True)
    best = front(xs, ys)
    rows = sorted((p for p, kept in zip(known, best, strict=True) if kept), key=lambda p: (p[1], p[2], p[0]))
    print_table(
        f"Pareto front: {len(rows)} of {len(known)}",
        ("multiplier", kinds[0].heading, kinds[1].heading),
        [(name, f"{a:.6g}", f"{b:.6g}") for name, a, b in rows],
    )
    if note := widths_note(compared):
        print(note)
    for missing_kind, left_out in unknown.items():
        print(f"left out, no {missing_kind} is known: {', '.join(left_out)}")
    if output is not None:
        written("picture", output, lambda: save_figure(pareto_picture(labels, xs, ys, best, kinds), output))


@app.command()
@plain_errors
def report(
    name: Name,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Page to write; NAME.html if not given.")
    ] = None,
    signed: Signed = None,
    operands: Operands = None,
    widths: Widths = None,
    top: Top = None,
    library: Annotated[
        Path | None, typer.Option(help="Cells to map to by ABC, where that is installed: genlib or Liberty.")
    ] = None,
) -> None:
    """Write one page about a multiplier: operands, fingerprint, errors, pictures, cost, published figures."""
    from axsim.files import replace_file
    from axsim.multipliers.circuit_files import clean_name
    from axsim.plots.reports import report_page

    multiplier = integer(name, signed, operands, widths, top)
    content = report_page(multiplier, library).encode("utf-8")
    path = output or Path(f"{clean_name(multiplier.name)}.html")
    written("page", path, lambda: replace_file(path, content))


def integer(
    name: str,
    signed: bool | None = None,
    operands: str | None = None,
    widths: str | None = None,
    top: str | None = None,
) -> Multiplier:
    """The integer multiplier of that name or file; ValueError for a float multiplier."""
    from axsim.multipliers import FloatMultiplier

    found = find(name, signed, operands, widths, top)
    if isinstance(found, FloatMultiplier):
        raise ValueError(f"{found.name} is a float multiplier, expected an integer one, such as L40")
    return found


def _told_apart(typed: list[str], multipliers: list[Multiplier]) -> list[Multiplier]:
    """The multipliers; those that share a name, as mine.v and mine.blif do, are called as they were typed."""
    count = Counter(multiplier.name for multiplier in multipliers)
    return [
        multiplier if count[multiplier.name] == 1 else replace(multiplier, name=name)
        for name, multiplier in zip(typed, multipliers, strict=True)
    ]


def _several(names: list[str] | None) -> list[Multiplier]:
    import axsim
    from axsim.multipliers import FloatMultiplier
    from axsim.multipliers.libraries import library_multipliers
    from axsim.tables import list_tables

    found: list[Multiplier] = []
    for name in names or axsim.list_multipliers():
        path = Path(name)
        if path.suffix.lower() in (".h5", ".hdf5") and path.is_file() and list_tables(path):
            found += library_multipliers(path)
        elif names is not None or not isinstance(axsim.get(name), FloatMultiplier):
            found.append(integer(name))
    return found

"""Pages about one multiplier, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axsim.circuits.cost import exact_like
from axsim.circuits.mapping import SCRIPT, map_cells
from axsim.errors import ToolUnavailableError
from axsim.multipliers.costs import estimate
from axsim.multipliers.integer import Multiplier
from axsim.multipliers.known import table_facts
from axsim.plots import pages
from axsim.plots.errors import ErrorScale, check_count, error_grid, error_panel, error_pictures
from axsim.plots.pages import Html
from axsim.plots.tables import (
    UNIT_GATE_NOTES,
    buses_of,
    compared_costs,
    compared_errors,
    compared_published,
    cost_notes,
    cost_rows,
    error_rows,
    published_rows,
    shape_of,
    widths_note,
)

ERRORS_TITLE = "Error figures"
COSTS_TITLE = "Estimated by axsim, uniform operands (fraction of exact)"
PUBLISHED_TITLE = "Published by their authors, for 45 nm"
FRACTIONS = "In brackets: the fraction of the exact array multiplier of the same widths and sign."
CONVENTIONS = (
    "MAE, WCE and bias are in units of the product; MRE is over operand pairs whose product is not 0; EP is "
    "the share of operand pairs with an error. Conventions are EvoApproxLib's."
)


def comparison_page(multipliers: Sequence[Multiplier]) -> str:
    """Several multipliers side by side: figures, and pictures of their errors in one scale.

    ValueError for none or more than ``axsim.plots.errors.MOST_COMPARED``.
    """
    check_count(len(multipliers))
    names = [multiplier.name for multiplier in multipliers]
    grids = [error_grid(multiplier) for multiplier in multipliers]
    scale = ErrorScale.of(grids)
    headings = ("figure", *names)
    drawn = (
        pages.picture(error_panel(m, grid, scale), f"Errors of {m.name}: a heat map and its distribution")
        for m, grid in zip(multipliers, grids, strict=True)
    )
    printed = compared_published(multipliers)
    return pages.page(
        " · ".join(names),
        pages.facts((m.name, f"{shape_of(m)}; {m.source or 'registered'}") for m in multipliers),
        pages.heading(ERRORS_TITLE),
        pages.table("Over all operand pairs", headings, compared_errors(multipliers)),
        pages.paragraph(CONVENTIONS),
        pages.heading("Errors"),
        pages.paragraph(
            "All pictures have one scale. Blue: the product comes out too small; red: too large. The axis of "
            "errors is logarithmic to both sides of 0."
        ),
        pages.pictures(*drawn),
        pages.heading("Cost"),
        pages.table(COSTS_TITLE, headings, compared_costs(multipliers)),
        *(pages.paragraph(text) for text in (FRACTIONS, *UNIT_GATE_NOTES, *cost_notes(multipliers))),
        pages.paragraph(note) if (note := widths_note(multipliers)) else Html(""),
        pages.table(PUBLISHED_TITLE, headings, printed) if printed else Html(""),
    )


def report_page(multiplier: Multiplier, library: Path | None = None) -> str:
    """All that is known about one multiplier.

    Args:
        multiplier: an integer multiplier.
        library: cells to map it to, a genlib or Liberty file; left out with a reason where ABC is not there.

    Raises:
        NetlistFileError, OSError: the library cannot be read or mapped to.
    """
    headings, rows = error_rows(multiplier)
    heat, histogram = error_pictures(multiplier)
    return pages.page(
        multiplier.name,
        pages.heading("What it is"),
        pages.facts(_facts(multiplier)),
        *_reading(multiplier),
        pages.heading(ERRORS_TITLE),
        pages.table("", headings, rows),
        pages.paragraph(CONVENTIONS),
        pages.heading("Where the errors lie"),
        pages.pictures(
            pages.picture(heat, f"Errors of {multiplier.name} over both operands: a heat map"),
            pages.picture(histogram, f"How often each error of {multiplier.name} occurs: a histogram"),
        ),
        pages.heading("Cost"),
        *_costs(multiplier),
        *_mapped(multiplier, library),
        _published(multiplier),
    )


def _published(multiplier: Multiplier) -> Html:
    rows = published_rows(multiplier)
    if not rows:
        return pages.paragraph("No published cost figures are known.")
    return pages.table("Published by its authors, for 45 nm", ("figure", "published"), rows)


def _facts(multiplier: Multiplier) -> list[tuple[str, str]]:
    found = [
        ("operands", shape_of(multiplier)),
        ("also called", ", ".join(multiplier.aliases)),
        ("source", multiplier.source),
        ("citation", multiplier.citation),
        ("operand order", "a is the left operand (activations), b the right one (weights)."),
    ]
    netlist = multiplier.netlist
    if netlist is not None:
        found.append(("buses", buses_of(netlist)))
    if not multiplier.is_wide:
        known: dict[str, Any] = table_facts(multiplier.table)
        if multiplier.reading is None:  # which says it, too
            found += [
                ("symmetric", "yes" if known["symmetric"] else "no: a and b cannot be exchanged"),
                ("fingerprint", f"{known['sha256']} (SHA-256 of the table)"),
                ("the table of", known["known"]),
                ("with operands exchanged", known["known_exchanged"] if not known["symmetric"] else ""),
            ]
    return found


def _reading(multiplier: Multiplier) -> list[Html]:
    if multiplier.reading is not None:
        return [pages.bullets(multiplier.reading.sentences())]
    return [pages.paragraph(sentence) for sentence in multiplier.operand_order.splitlines()]


def _costs(multiplier: Multiplier) -> list[Html]:
    found = estimate(multiplier)
    if found is None:
        return [pages.paragraph("No estimates: there are no gates to count, only a table or a function.")]
    caption = "Estimated by axsim, for uniform operands"
    headings = ("estimate", multiplier.name, found.exact_name, "fraction")
    return [
        pages.table(caption, headings, cost_rows(found)),
        *(pages.paragraph(text) for text in (*UNIT_GATE_NOTES, found.note)),
    ]


def _mapped(multiplier: Multiplier, library: Path | None) -> list[Html]:
    netlist = multiplier.netlist
    if library is None or netlist is None:
        return []
    try:
        own, exact = map_cells(netlist, library), map_cells(exact_like(netlist), library)
    except ToolUnavailableError as why:
        return [pages.paragraph(f"Mapping to cells was skipped: {why}.")]
    caption = f"Mapped by {own.program} ({SCRIPT}) to {own.library}, in its units, without wires"
    rows = [
        (what, f"{mine:g}", f"{of_exact:g}", f"{mine / of_exact:.3f}" if of_exact else "")
        for what, mine, of_exact in (("area", own.area, exact.area), ("delay", own.delay, exact.delay))
    ]
    return [pages.table(caption, ("figure", multiplier.name, exact_like(netlist).name, "fraction"), rows)]

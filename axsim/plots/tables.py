"""Figures of multipliers as rows of text, for terminals and pages alike."""

from __future__ import annotations

from collections.abc import Sequence

from axsim.circuits import Netlist
from axsim.multipliers.costs import PUBLISHED, Estimate, estimate, published_costs_of
from axsim.multipliers.figures import error_figures
from axsim.multipliers.integer import Multiplier
from axsim.tables.metrics import PUBLISHED_LABELS, Metrics, compare

Rows = list[tuple[str, ...]]

COST_LABELS = (
    "gates",
    "area (unit gates)",
    "delay (unit gates)",
    "depth (gates)",
    "transistors",
    "toggles",
    "switched (unit gates)",
)
"""What the figures of ``Cost.relative_to`` are called, in its order."""

UNIT_GATE_NOTES = (
    "Unit gates: AND, OR, NAND, NOR count 1, XOR, XNOR 2, inverters 0, in area and delay (Tyagi 1993).",
    "Toggles: outputs that change in an operation, without glitches; switched: weighted by unit area.",
)

_ERRORS = (
    *PUBLISHED_LABELS.items(),
    ("bias", "bias"),
    ("error variance", "error_variance"),
    ("NMED", "nmed"),
    ("MRED", "mred"),
)
_COMPARED = ("MAE", "WCE", "MRE%", "EP%", "MSE", "bias", "NMED")


def shape_of(multiplier: Multiplier) -> str:
    """Widths and sign: "8x8 bits, unsigned"."""
    return f"{multiplier.a_bits}x{multiplier.b_bits} bits, {'signed' if multiplier.signed else 'unsigned'}"


def widths_note(multipliers: Sequence[Multiplier]) -> str:
    """A sentence for multipliers of different widths; "" for those of one."""
    names: dict[str, list[str]] = {}
    for multiplier in multipliers:
        names.setdefault(f"{multiplier.a_bits}x{multiplier.b_bits}", []).append(multiplier.name)
    if len(names) < 2:
        return ""
    listed = "; ".join(f"{widths} bits: {', '.join(named)}" for widths, named in names.items())
    return f"Widths differ, and a narrow multiplier costs and errs less because it is narrow. {listed}."


def buses_of(netlist: Netlist) -> str:
    """What a circuit's file calls the operands: "a is B[8], b is A[8], the product is O[16]"."""
    left, right = netlist.operands
    product = f"{netlist.product}[{netlist.out_bits}]"
    return f"a is {left}[{netlist.a_bits}], b is {right}[{netlist.b_bits}], the product is {product}"


def error_rows(multiplier: Multiplier) -> tuple[tuple[str, ...], Rows]:
    """Headings and rows: computed error figures, beside published ones where there are any.

    Of a circuit of more than 24 input bits they are estimates, with their intervals.
    """
    figures = error_figures(multiplier)
    if not isinstance(figures, Metrics):
        names = ("mae", "mre_percent", "ep_percent", "mse", "bias")
        labels = ("MAE", "MRE%", "EP%", "MSE", "bias")
        rows: Rows = [(label, str(getattr(figures, name))) for label, name in zip(labels, names, strict=True)]
        rows.append(("largest error seen", str(figures.wce_seen)))
        return ("figure", f"estimated on {figures.samples} random operand pairs, 95 % interval"), rows
    printed = {c.label: c for c in compare(figures, multiplier.published)} if multiplier.published else {}
    rows = []
    for label, attribute in _ERRORS:
        row = [label, f"{getattr(figures, attribute):.6g}"]
        if printed:
            found = printed.get(label)
            row += [found.published["text"], "yes" if found.agrees else "NO"] if found else ["", ""]
        rows.append(tuple(row))
    return ("figure", "computed", "published", "agrees")[: 4 if printed else 2], rows


def cost_rows(found: Estimate) -> Rows:
    """Estimates beside the exact multiplier's."""
    return [
        (what, f"{getattr(found.own, key):.6g}", f"{getattr(found.exact, key):.6g}", f"{ratio:.3f}")
        for (key, ratio), what in zip(found.relative.items(), COST_LABELS, strict=True)
    ]


def published_rows(multiplier: Multiplier) -> Rows:
    """Cost figures that the circuit's authors printed."""
    return [
        (f"{PUBLISHED[key][1]} ({PUBLISHED[key][2]})", text)
        for key, text in published_costs_of(multiplier).items()
    ]


def compared_errors(multipliers: Sequence[Multiplier]) -> Rows:
    """A row for each error figure, a column for each multiplier."""
    found = [error_figures(multiplier) for multiplier in multipliers]
    attributes = dict(_ERRORS)
    rows: Rows = []
    for label in _COMPARED:
        attribute = attributes[label]
        cells = []
        for figures in found:
            if isinstance(figures, Metrics):
                cells.append(f"{getattr(figures, attribute):.6g}")
            elif label == "WCE":
                cells.append(f"at least {figures.wce_seen}")
            else:
                estimated = getattr(figures, attribute, None)
                cells.append("" if estimated is None else str(estimated))
        rows.append((label, *cells))
    return rows


def compared_costs(multipliers: Sequence[Multiplier]) -> Rows:
    """Estimates as fractions of each one's exact multiplier; "no gates" where there are none to count."""
    found = [estimate(multiplier) for multiplier in multipliers]
    shown = [0, 1, 2, 4, 6]
    rows: Rows = []
    for i in shown:
        cells = []
        for one in found:
            if one is None:
                cells.append("no gates")
                continue
            key, ratio = list(one.relative.items())[i]
            cells.append(f"{getattr(one.own, key):.6g} ({ratio:.3f})")
        rows.append((COST_LABELS[i], *cells))
    return rows


def cost_notes(multipliers: Sequence[Multiplier]) -> tuple[str, ...]:
    """What must be said of the estimates, each sentence once."""
    found = (estimate(multiplier) for multiplier in multipliers)
    return tuple(dict.fromkeys(one.note for one in found if one is not None and one.note))


def compared_published(multipliers: Sequence[Multiplier]) -> Rows:
    """Published cost figures; none where nobody printed any."""
    found = [published_costs_of(multiplier) for multiplier in multipliers]
    return [
        (f"{what} ({unit})", *(one.get(key, "") for one in found))
        for key, (_, what, unit) in PUBLISHED.items()
        if any(key in one for one in found)
    ]

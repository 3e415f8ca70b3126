"""``axsim list``, ``info`` and ``plot``: what multipliers there are, and what is known about each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from axsim.cli.app import Name, Operands, Signed, Top, Widths, app, find, plain_errors, written

if TYPE_CHECKING:
    from axsim.tables.metrics import Figure


@app.command("list")
@plain_errors
def list_command() -> None:
    """List the multipliers that have a name, with their error, published power and area."""
    import axsim
    from axsim.multipliers import FloatMultiplier
    from axsim.results import print_table

    multipliers = [axsim.get(name) for name in axsim.list_multipliers()]
    rows = []
    for m in multipliers:
        if isinstance(m, FloatMultiplier):
            continue
        figures = m.metrics()
        power, area = (_published(m.published, label) for label in ("PDK45_PWR", "PDK45_AREA"))
        rows.append(
            (
                m.name,
                f"{m.a_bits}x{m.b_bits} {'signed' if m.signed else 'unsigned'}",
                f"{figures.mae:.2f}",
                f"{figures.wce}",
                f"{figures.ep_percent:.2f}",
                f"{figures.mre_percent:.2f}",
                power,
                area,
            )
        )
    headings = ("name", "operands", "MAE", "WCE", "EP (%)", "MRE (%)", "power (mW)", "area (µm²)")
    print_table("Integer multipliers", headings, rows)
    floats = [m for m in multipliers if isinstance(m, FloatMultiplier)]
    print_table(
        "Float multipliers",
        ("name", "format", "significand", "rounding"),
        [(m.name, m.format.name, f"{m.bits} bits", m.rounding) for m in floats],
    )
    print(
        "Names with parameters need no registering: exact8, exact8s, exact8x4, trunc8_3, bam8_h2_v4,\n"
        "drum8_4, mitchell8, kulkarni8 (other widths likewise), float32[L40], float16[drum8_4].\n"
        "MAE, WCE: in units of the product. EP: operand pairs with an error. MRE: mean relative error."
    )


@app.command()
@plain_errors
def info(
    name: Name, signed: Signed = None, operands: Operands = None, widths: Widths = None, top: Top = None
) -> None:
    """Show what is known about a multiplier: error figures beside the published ones, cost, operand order."""
    from axsim.multipliers import FloatMultiplier
    from axsim.multipliers.float_costs import published_costs
    from axsim.plots.tables import buses_of, error_rows
    from axsim.results import print_table

    m = find(name, signed, operands, widths, top)
    if isinstance(m, FloatMultiplier):
        print(m.describe())
        for cost in published_costs(m.name):
            print(f"  published     {cost}")
        return
    print(f"{m.name}: {m.a_bits}x{m.b_bits} bits, {'signed' if m.signed else 'unsigned'}")
    if m.aliases:
        print(f"  also called   {', '.join(m.aliases)}")
    print("  operand order a is the left operand (activations), b the right one (weights): table[a, b]")
    if m.reading is not None:
        print("\n".join(f"  {sentence}" for sentence in m.reading.sentences()))
    elif m.operand_order:
        print(f"                {m.operand_order}")
    if m.reading is None and not m.is_wide:
        print(f"  fingerprint   {m.table.sha256} (SHA-256 of the table)")
        print(f"  symmetric     {'yes' if m.symmetric else 'no: a and b cannot be exchanged'}")
    if m.block is not None:
        print(f"  tiles         of {m.block.name}, added exactly")
    if m.netlist is not None:
        print(f"  buses         {buses_of(m.netlist)}")
        kinds = ", ".join(f"{count} {kind}" for kind, count in m.netlist.gate_counts().items())
        print(f"  netlist       {m.netlist.n_gates} gates ({kinds}), depth {m.netlist.depth}")
    if m.published:
        power, area, delay = (_published(m.published, f"PDK45_{x}") for x in ("PWR", "AREA", "DELAY"))
        print(f"  published     {power} mW, {area} µm², {delay} ns (45 nm)")
    headings, rows = error_rows(m)
    print_table("", headings, rows)
    if m.source:
        print(f"source: {m.source}")
    if m.citation:
        print(f"cite:   {m.citation}")


@app.command()
@plain_errors
def plot(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write, .png, .svg or .pdf.")],
    signed: Signed = None,
    operands: Operands = None,
    widths: Widths = None,
    top: Top = None,
) -> None:
    """Draw an integer multiplier's error: a heat map over both operands, and a histogram."""
    from axsim.multipliers import FloatMultiplier
    from axsim.plots import check_ending, error_picture, save_figure

    check_ending(output)
    m = find(name, signed, operands, widths, top)
    if isinstance(m, FloatMultiplier):
        raise ValueError(f"{m.name} is a float multiplier, which has no product table to draw: try L40")
    written("picture", output, lambda: save_figure(error_picture(m), output))


def _published(figures: Mapping[str, Figure] | None, label: str) -> str:
    return figures[label]["text"] if figures and label in figures else ""

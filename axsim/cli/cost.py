"""``axsim cost``: what a circuit costs, every number with what it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axsim.cli.app import Name, Operands, Signed, Top, Widths, app, find, plain_errors
from axsim.files import read_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from axsim.circuits.activity import Statistics
    from axsim.multipliers.costs import Estimate
    from axsim.multipliers.integer import Multiplier

_MOST_BYTES = 1 << 30


@app.command("cost")
@plain_errors
def cost_command(
    name: Name,
    signed: Signed = None,
    operands: Operands = None,
    widths: Widths = None,
    top: Top = None,
    samples: Annotated[
        Path | None, typer.Option(help="Operand pairs for the switching: .npy of integers (N, 2).")
    ] = None,
    histogram_a: Annotated[
        Path | None, typer.Option(help="How often each left operand occurs: .npy (2**a_bits,).")
    ] = None,
    histogram_b: Annotated[Path | None, typer.Option(help="The same of the right operand.")] = None,
    library: Annotated[
        Path | None, typer.Option(help="Cells to map to by ABC, where that is installed: genlib or Liberty.")
    ] = None,
) -> None:
    """Show what a circuit costs: estimates beside the exact multiplier's, cells, published figures.

    Estimates are counts of unit gates and how often they switch, for uniform operands unless others are
    given. Published figures are those of the circuit's authors.
    """
    from axsim.multipliers import FloatMultiplier
    from axsim.multipliers.costs import estimate
    from axsim.multipliers.float_costs import published_costs

    m = find(name, signed, operands, widths, top)
    if isinstance(m, FloatMultiplier):
        printed = published_costs(m.name)
        print(f"{m.name}: a float multiplier; axsim counts no gates of those")
        print("\n".join(f"published: {cost}" for cost in printed) or "no published figures are known")
        return
    statistics = _statistics(samples, histogram_a, histogram_b)
    print(f"{m.name}: {m.a_bits}x{m.b_bits} bits, {'signed' if m.signed else 'unsigned'}")
    found = estimate(m, statistics)
    if found is None:
        print("estimates: none, there are no gates to count: only a table or a function is known of it")
    else:
        print_estimate(m.name, found, statistics)
    if library is not None:
        _print_mapped(m, library)
    print_published(m)


def print_estimate(name: str, found: Estimate, statistics: Statistics) -> None:
    """A table of estimates, and what they mean."""
    from axsim.plots.tables import UNIT_GATE_NOTES, cost_rows
    from axsim.results import print_table

    headings = ("estimate", name, found.exact_name, "fraction")
    print_table(f"Estimated by axsim, for {statistics}", headings, cost_rows(found))
    print("\n".join(UNIT_GATE_NOTES))
    if found.own.samples:
        print(f"Toggles were estimated on {found.own.samples} operand pairs.")
    if found.note:
        print(found.note)


def print_published(multiplier: Multiplier) -> None:
    """The cost figures that the circuit's authors printed."""
    from axsim.multipliers.costs import PUBLISHED, published_costs_of

    printed = published_costs_of(multiplier)
    if not printed:
        print("published: no figures are known")
        return
    listed = ", ".join(f"{PUBLISHED[key][1]} {text} {PUBLISHED[key][2]}" for key, text in printed.items())
    print(f"published by its authors, for 45 nm: {listed}")


def _print_mapped(multiplier: Multiplier, library: Path) -> None:
    from axsim.circuits.cost import exact_like
    from axsim.circuits.mapping import SCRIPT, map_cells
    from axsim.errors import ToolUnavailableError

    netlist = multiplier.netlist
    if netlist is None:
        print("mapped: not, there are no gates")
        return
    try:
        own, exact = map_cells(netlist, library), map_cells(exact_like(netlist), library)
    except ToolUnavailableError as why:
        print(f"mapped: skipped, {why}")
        return
    print(f"mapped by {own.program} ({SCRIPT}) to {own.library}, in the library's units, without wires:")
    for what, mine, of_exact in (("area", own.area, exact.area), ("delay", own.delay, exact.delay)):
        fraction = f", {mine / of_exact:.3f} of the exact one's {of_exact:g}" if of_exact else ""
        print(f"  {what:<6} {mine:g}{fraction}")
    print("  cells  " + ", ".join(f"{count} {cell}" for cell, count in own.cells.items()))


def _statistics(samples: Path | None, a: Path | None, b: Path | None) -> Statistics:

    from axsim.circuits import Histograms, Samples, Uniform

    if samples is not None:
        if a is not None or b is not None:
            raise ValueError("--samples and a histogram are given: operands have one kind of statistics")
        pairs = _array(samples)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ValueError(f"{samples} has shape {pairs.shape}, expected (N, 2): operand pairs")
        return Samples(pairs[:, 0], pairs[:, 1])
    if a is None and b is None:
        return Uniform()
    if a is None or b is None:
        raise ValueError("--histogram-a and --histogram-b belong together; np.ones(2**bits) is a uniform one")
    return Histograms(_array(a), _array(b))


def _array(path: Path) -> NDArray[Any]:
    import numpy as np

    found: NDArray[Any] = np.load(io.BytesIO(read_regular(path, _MOST_BYTES)), allow_pickle=False)
    return found

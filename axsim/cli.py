"""The command line: ``axsim list``, ``info``, ``plot``, ``build``, ``doctor`` and ``demo``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from axsim.multipliers import FloatMultiplier, Multiplier
    from axsim.tables.metrics import Figure

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    help="Approximate multipliers inside real neural networks, exact to the bit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[
    str,
    typer.Argument(
        help="A multiplier, such as L40 or drum8_4 (see `axsim list`), or a circuit's .blif file."
    ),
]


def _plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print what is wrong with the input as one message instead of a traceback, and exit with status 2."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
            raise typer.Exit(1) from None
        except (ValueError, TypeError, OSError, ImportError) as error:
            print(f"axsim: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    return wrapped


@app.command("list")
@_plain_errors
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
@_plain_errors
def info(name: Name) -> None:
    """Show what is known about a multiplier: error figures beside the published ones, cost, operand order."""
    from axsim.multipliers import FloatMultiplier
    from axsim.results import print_table
    from axsim.tables.metrics import PUBLISHED_LABELS, compare

    m = _find(name)
    if isinstance(m, FloatMultiplier):
        print(m.describe())
        return
    print(f"{m.name}: {m.a_bits}x{m.b_bits} bits, {'signed' if m.signed else 'unsigned'}")
    if m.aliases:
        print(f"  also called   {', '.join(m.aliases)}")
    print("  operand order a is the left operand (activations), b the right one (weights): table[a, b]")
    print(f"  symmetric     {'yes' if m.symmetric else 'no: a and b cannot be exchanged'}")
    if m.netlist is not None:
        kinds = ", ".join(f"{count} {kind}" for kind, count in m.netlist.gate_counts().items())
        print(f"  our netlist   {m.netlist.n_gates} gates ({kinds}), depth {m.netlist.depth}")
    if m.published:
        power, area, delay = (_published(m.published, f"PDK45_{x}") for x in ("PWR", "AREA", "DELAY"))
        print(f"  published     {power} mW, {area} µm², {delay} ns (45 nm)")
    figures = m.metrics()
    printed = {c.label: c for c in compare(figures, m.published)} if m.published else {}
    rows = []
    for label, attribute in (
        *PUBLISHED_LABELS.items(),
        ("bias", "bias"),
        ("error variance", "error_variance"),
        ("NMED", "nmed"),
        ("MRED", "mred"),
    ):
        row = [label, f"{getattr(figures, attribute):.6g}"]
        if label in printed:
            row += [printed[label].published["text"], "yes" if printed[label].agrees else "NO"]
        rows.append(tuple(row) if printed else tuple(row[:2]))
    print_table("", ("figure", "computed", "published", "agrees")[: 4 if printed else 2], rows)
    if m.source:
        print(f"source: {m.source}")
    if m.citation:
        print(f"cite:   {m.citation}")


@app.command()
@_plain_errors
def plot(
    name: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write, .png, .svg or .pdf.")],
) -> None:
    """Draw an integer multiplier's error: a heat map over both operands, and a histogram."""
    from axsim.multipliers import FloatMultiplier
    from axsim.plots import check_ending, error_picture, save_figure

    check_ending(output)
    m = _find(name)
    if isinstance(m, FloatMultiplier):
        raise ValueError(f"{m.name} is a float multiplier, which has no product table to draw: try L40")
    print(f"picture: {save_figure(error_picture(m), output)}")


@app.command()
@_plain_errors
def build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Multipliers; all of them if none is given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("tables"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with what is there; write nothing.")
    ] = False,
) -> None:
    """Make tables afresh from their circuits and write the HDF5 files, or check those that are there.

    With NAMES, the other tables of an existing file are left as they are. --check exits with status 1 where
    anything differs.
    """
    from axsim.files import check_folder
    from axsim.multipliers.catalogue import plan
    from axsim.tables.build import build_tables, check_tables

    chosen = plan(names or ())
    if not check:
        check_folder(out, "--out")
    count = sum(map(len, chosen.values()))
    if not check:
        paths = build_tables(chosen, out, jobs=jobs, keep_others=bool(names))
        print(f"{count} tables written to " + ", ".join(map(str, paths)))
    elif differences := check_tables(chosen, out, jobs=jobs, allow_others=bool(names)):
        print("\n".join(differences))
        raise typer.Exit(1)
    else:
        print(f"{count} tables in {out} are as their circuits make them")


@app.command()
@_plain_errors
def doctor(
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure how fast each engine is here, and keep the figures."),
    ] = False,
) -> None:
    """Show what axsim found on this machine: kernels, threads, versions, BLAS, cache, engine costs, GPU.

    --calibrate takes a few seconds. From then on, engine="auto" chooses by the figures measured here. Without
    it they are measured in the first process that has a second's work; AXSIM_CALIBRATE=0 prevents that.
    """
    from axsim.doctor import measure, report

    if calibrate:
        print("\n".join(measure()))
    for subject, finding in report():
        print(f"{subject:<14} {finding}")


@app.command()
@_plain_errors
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures; made if need be.")] = Path("out/demo"),
) -> None:
    """Filter a photograph and classify digits with approximate multipliers; tables and two pictures."""
    from axsim.demo import run

    run(out)


def _find(name: str) -> Multiplier | FloatMultiplier:
    """The multiplier called ``name``, or the one whose circuit stands in the BLIF file ``name``."""
    import axsim
    from axsim.circuits import read_blif

    path = Path(name)
    if path.suffix.lower() == ".blif":
        return axsim.register(path.stem, read_blif(path), overwrite=True)
    return axsim.get(name)


def _published(figures: Mapping[str, Figure] | None, label: str) -> str:
    return figures[label]["text"] if figures else ""


if __name__ == "__main__":
    app()

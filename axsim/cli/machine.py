"""``axsim doctor`` and ``axsim demo``: this machine, and what axsim does on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axsim.cli.app import app, plain_errors


@app.command()
@plain_errors
def doctor() -> None:
    """Show what axsim found on this machine: kernels, threads, versions, BLAS, cache, GPU."""
    from axsim.cli.doctor import report

    for subject, finding in report():
        print(f"{subject:<14} {finding}")


@app.command()
@plain_errors
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures; made if need be.")] = Path("out/demo"),
) -> None:
    """Filter a photograph and classify digits with approximate multipliers; tables and two pictures."""
    from axsim.cli.demo import run

    run(out)

"""What the commands have in common."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

if TYPE_CHECKING:
    from axsim.multipliers import FloatMultiplier, Multiplier

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


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
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


def find(name: str) -> Multiplier | FloatMultiplier:
    """The multiplier called ``name``, or the one whose circuit stands in the BLIF file ``name``."""
    import axsim
    from axsim.circuits import read_blif

    path = Path(name)
    if path.suffix.lower() == ".blif":
        return axsim.register(path.stem, read_blif(path), overwrite=True)
    return axsim.get(name)

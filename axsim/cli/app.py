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

_ENDINGS = (
    ".blif",
    ".v",
    ".sv",
    ".c",
    ".h",
    ".cgp",
    ".chr",
    ".aag",
    ".aig",
    ".npy",
    ".npz",
    ".h5",
    ".bin",
    ".csv",
)

Name = Annotated[
    str,
    typer.Argument(
        help="A multiplier, such as L40 or drum8_4 (see `axsim list`), or a file of a circuit or a table."
    ),
]


Signed = Annotated[
    bool | None, typer.Option("--signed/--unsigned", help="Operands are two's complement, or not.")
]
Operands = Annotated[
    str | None, typer.Option(help="Names of the left and the right operand, with a comma: A,B.")
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


def find(name: str, signed: bool | None = None, operands: str | None = None) -> Multiplier | FloatMultiplier:
    """The multiplier called ``name``, or the one that the file ``name`` describes.

    ``signed`` and ``operands`` (names with a comma between) say how such a file is to be read.
    """
    import axsim
    from axsim.errors import UnknownMultiplierError

    path = Path(name)
    if not path.is_file():
        if path.suffix and ("/" in name or path.suffix.lower() in _ENDINGS):
            path.stat()  # OSError: there is no such file
        if signed is not None or operands is not None:
            raise ValueError(f"--signed and --operands are for files, and {name!r} is none")
        return axsim.get(name)
    try:
        return axsim.get(name) if signed is None and operands is None else _read(path, signed, operands)
    except UnknownMultiplierError:
        return _read(path, signed, operands)


def _read(path: Path, signed: bool | None, operands: str | None) -> Multiplier:
    import warnings

    import axsim
    from axsim.multipliers import ReadingWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingWarning)  # commands print what the reading says
        return axsim.read(path, signed=signed, operands=pair("--operands", operands))


def pair(option: str, text: str | None) -> tuple[str, str] | None:
    """The two words of an option such as ``A,B``; ValueError if there are not two."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):
        raise ValueError(f"{option} is {text!r}, expected two words with a comma between, such as A,B")
    return words[0], words[1]

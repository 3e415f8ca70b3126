"""What the commands have in common."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from difflib import get_close_matches
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
    ".txt",
    ".hdf5",
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


Widths = Annotated[
    str | None, typer.Option(help="Bits of the operands, where a file does not say them: 8,8.")
]
Top = Annotated[str | None, typer.Option(help="The module, function or array of a file that is meant.")]


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print what is wrong with the input as one message instead of a traceback, and exit with status 2."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
            raise typer.Exit(1) from None
        except FileNotFoundError as missing:
            named = (
                missing.strerror and missing.filename is not None
            )  # by the system: "[Errno 2] No such ..."
            print(
                f"axsim: {_no_file(Path(os.fsdecode(missing.filename))) if named else missing}",
                file=sys.stderr,
            )
            raise typer.Exit(2) from None
        except (ValueError, TypeError, OSError, ImportError) as error:
            print(f"axsim: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    return wrapped


def made_folder(path: Path) -> str:
    """What to say of a file's folder that is not there and will be made; "" for one that is."""
    return "" if path.parent.exists() else f" (the folder {path.parent} is new)"


def written(what: str, path: Path, write: Callable[[], object]) -> None:
    """Write a file and say where it is."""
    where = f"{path}{made_folder(path)}"
    write()
    print(f"{what}: {where}")


def find(
    name: str,
    signed: bool | None = None,
    operands: str | None = None,
    widths: str | None = None,
    top: str | None = None,
) -> Multiplier | FloatMultiplier:
    """The multiplier called ``name``, or the one that the file ``name`` describes.

    ``signed``, ``operands``, ``widths`` (two words with a comma between) and ``top`` say how such a file is
    to be read.

    Raises:
        ValueError: neither a multiplier nor a file has that name, or the file cannot be read as one.
        OSError: the file cannot be read.
    """
    import axsim
    from axsim.errors import UnknownMultiplierError

    path, options = Path(name), (signed, operands, widths, top)
    told = any(option is not None for option in options)
    if not path.is_file():
        if path.is_dir():
            raise ValueError(
                f"{name} is a folder; `axsim import {shlex.quote(name)}` reads all that is in it"
            )
        if path.suffix and ("/" in name or path.suffix.lower() in _ENDINGS):
            raise ValueError(_no_file(path))
        if told:
            raise ValueError(f"--signed, --operands, --widths, --top are for files, and {name!r} is none")
        try:
            return axsim.get(name)
        except UnknownMultiplierError as unknown:
            hint = f"; {_no_file(path)}" if path.suffix else ""
            raise ValueError(f"{unknown}{hint}") from None
    if told:
        return _read(path, *options)
    try:
        found = axsim.get(name)
    except UnknownMultiplierError:
        return _read(path, *options)
    print(f"axsim: {name} is a multiplier's name; the file is ./{name}", file=sys.stderr)
    return found


def _no_file(path: Path) -> str:
    """That there is none, and which may be meant."""
    try:
        beside = [file.name for file in path.parent.iterdir() if file.is_file()]
    except OSError:
        return f"there is no folder {str(path.parent)!r}, and so no file {str(path)!r}"
    near = get_close_matches(path.name, beside, 1, 0.75)
    hint = f"; did you mean {str(path.with_name(near[0]))!r}?" if near else ""
    return f"there is no file {str(path)!r} in {Path.cwd()}{hint}"


def _read(
    path: Path, signed: bool | None, operands: str | None, widths: str | None, top: str | None
) -> Multiplier:
    import warnings

    import axsim
    from axsim.multipliers import ReadingWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingWarning)  # commands print what the reading says
        return axsim.read(
            path, signed=signed, operands=pair("--operands", operands), widths=two_widths(widths), top=top
        )


def two_widths(text: str | None) -> tuple[int, int] | None:
    """The numbers of an option such as ``8,8``; ValueError if there are not two."""
    words = pair("--widths", text)
    if words is None:
        return None
    if not all(word.isdecimal() for word in words):
        raise ValueError(f"--widths is {text!r}, expected two numbers with a comma between, such as 8,8")
    return int(words[0]), int(words[1])


def pair(option: str, text: str | None) -> tuple[str, str] | None:
    """The two words of an option such as ``A,B``; ValueError if there are not two."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):
        raise ValueError(f"{option} is {text!r}, expected two words with a comma between, such as A,B")
    return words[0], words[1]

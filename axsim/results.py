"""What tools and benchmarks hand back: a table for the reader, a JSON file for the next program."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from axsim.files import replace_file

_PLAIN_WIDTH = 200


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to standard output: framed on a terminal, Markdown with unbroken lines elsewhere.

    The first column is flush left, the others flush right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    table = Table(title=title, title_justify="left", box=box.ROUNDED if console.is_terminal else box.MARKDOWN)
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="right" if k else "left", no_wrap=not console.is_terminal)
    for row in rows:
        table.add_row(*map(Text, row))  # as it stands: "float32[L40]" is no markup
    console.print(table)


def versions() -> dict[str, str]:
    """Versions of what the numbers of a result can depend on."""
    return {"axsim": version("axsim"), "numpy": np.__version__, "python": platform.python_version()}


def write_json(path: str | Path, content: Mapping[str, Any]) -> Path:
    """Write ``content`` to ``path``, making its folder. The file is whole or not there.

    ValueError for NaN and infinity, which JSON does not know.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    return replace_file(path, text.encode("utf-8"))

"""Figures and their files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from axsim.files import replace_file


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of ``width`` x ``height`` inches that belongs to no window."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("drawing needs matplotlib: pip install 'axsim[plot]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: str | Path) -> Path:
    """Write ``figure`` to ``path``; the ending chooses the format. A file is whole or not there.

    Raises ``ValueError`` when the ending names no format that matplotlib can write.
    """
    path = Path(path)
    check_ending(path)
    return replace_file(path, rendered(figure, path.suffix[1:].lower()))


def rendered(figure: Any, format: str = "png") -> bytes:
    """The content of a file that shows ``figure``."""
    picture = io.BytesIO()
    figure.savefig(picture, format=format, dpi=150)
    return picture.getvalue()


def check_ending(path: str | Path) -> None:
    """``ValueError`` unless the ending of ``path`` names a format of pictures."""
    formats = new_figure(1, 1).canvas.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in formats:
        raise ValueError(f"path must end in one of {', '.join('.' + f for f in formats)}, got {str(path)!r}")

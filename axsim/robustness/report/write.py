"""A report's document as one self-contained page of HTML, and as Markdown with its curves beside it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from axsim.files import replace_file
from axsim.robustness.report.document import Document, Picture, Pictures
from axsim.robustness.store import Measured, encode

_PICTURES = "pictures"
_OURS = re.compile(r"picture-\d+\.(png|svg)")


def write_report(document: Document, folder: Path, name: str = "report") -> tuple[Path, Path]:
    """Write ``NAME.html``, which needs no other file, and ``NAME.md`` with ``pictures/`` into a folder.

    Images of few pixels, of which there are many, are in ``NAME.html`` alone. Returns their paths.

    Raises:
        OSError: they cannot be written.
        ImportError: Jinja is not installed.
    """
    templates = _templates()
    html = templates.get_template("report.html").render(document=document, data_uri=data_uri)
    files = {p: f"picture-{i:03}.{p.format}" for i, p in enumerate(dict.fromkeys(_pictures(document)))}
    markdown = templates.get_template("report.md").render(
        document=document, page=f"{name}.html", file_of=lambda p: f"{_PICTURES}/{files[p]}"
    )
    for picture, file in files.items():
        replace_file(folder / _PICTURES / file, picture.data)
    for old in (folder / _PICTURES).glob("*"):
        if _OURS.fullmatch(old.name) and old.name not in files.values():
            old.unlink()  # of a report that had more
    page = replace_file(folder / f"{name}.html", html.encode())
    return page, replace_file(folder / f"{name}.md", f"{markdown.strip()}\n".encode())


def write_results(title: str, measured: Sequence[Measured], folder: Path, name: str = "results") -> Path:
    """Write ``NAME.json``: settings and numbers of all cells, without images and tracebacks; return its path.

    A line for each cell; NaN and infinity as the store has them.

    Raises:
        OSError: it cannot be written.
    """
    machines: list[dict[str, Any]] = []
    lines = []
    for one in measured:
        if (machine := dict(one.machine)) not in machines:
            machines.append(machine)
        numbers = {k: v for k, v in (one.results or {}).items() if k != "examples"}
        cell = {"settings": one.cell.settings, "results": encode(numbers), "seconds": round(one.seconds, 2)}
        lines.append(json.dumps({**cell, "machine": machines.index(machine)}, allow_nan=False))
    head = json.dumps({"title": title, "machines": machines}, allow_nan=False)[:-1]
    text = head + ', "cells": [\n' + ",\n".join(lines) + "\n]}\n"
    return replace_file(folder / f"{name}.json", text.encode())


def _pictures(document: Document) -> list[Picture]:
    """Those that Markdown shows."""
    blocks = [block for section in document.sections for block in section.blocks]
    shown = [block for block in blocks if isinstance(block, Pictures) and not block.small]
    return [picture for block in shown for picture in block.pictures]


def data_uri(picture: Picture) -> str:
    """A picture within the page itself."""
    kind = {"png": "image/png", "svg": "image/svg+xml"}[picture.format]
    return f"data:{kind};base64,{base64.b64encode(picture.data).decode()}"


def markdown_text(text: str) -> str:
    """A text that Markdown shows as it stands, in one line.

    >>> print(markdown_text("a_b | *c*"))
    a\\_b \\| \\*c\\*
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", " ".join(text.split()))


def _templates() -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ImportError("reports need Jinja: pip install 'axsim[robustness]'") from error
    environment = Environment(
        loader=PackageLoader("axsim.robustness.report"),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["markdown"] = markdown_text
    return environment

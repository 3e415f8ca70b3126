"""A report as a value: sections of texts, tables and pictures, for templates to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph; ``plain`` ones keep their lines, as tracebacks do."""

    text: str
    plain: bool = False
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table: cells are texts. The first ``names`` columns name rows, the others are numbers."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1
    note: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A picture in a file's bytes; ``format`` is png or svg. ``alt`` says what it shows."""

    data: bytes
    format: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side; ``small`` ones are images of few pixels, drawn enlarged."""

    caption: str
    pictures: Sequence[Picture]
    small: bool = False
    note: str = ""
    kind: str = "pictures"


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Text | Table | Pictures]


@dataclass(frozen=True)
class Document:
    """A whole report; ``lead`` are the paragraphs under its title."""

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]

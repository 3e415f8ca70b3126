"""CUDA sources, each complete in one text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "sources"


@cache
def source_text(source: str | Path) -> str:
    """A CUDA source with the files that it includes in their places, each once.

    Compilers keep what they made by the text that they were given: a changed header, were it left to them,
    would go unnoticed. A relative name is one of the folder ``sources``; so are all included files.
    """
    seen: set[str] = set()

    def expand(path: Path) -> str:
        text = _ONCE.sub("", path.read_text(encoding="utf-8"))  # the expansion sees to that

        def included(match: re.Match[str]) -> str:
            first = match[1] not in seen
            seen.add(match[1])
            body = expand(SOURCES / match[1]) if first else ""
            return f'{body}\n#line {text.count(chr(10), 0, match.end()) + 2} "{path.name}"'

        return f'#line 1 "{path.name}"\n{_INCLUDE.sub(included, text)}'

    return expand(SOURCES / source)


_ONCE = re.compile(r"^#pragma once$", re.MULTILINE)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"[^\n]*$', re.MULTILINE)

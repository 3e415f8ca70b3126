"""Where in which file something stands, and the errors that say so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from axsim.circuits.formats.options import ReadOptions
from axsim.circuits.formats.text import check_size, load_text
from axsim.errors import NetlistFileError

_MAX_FILES = 1000


class Sources:
    """The texts that a circuit is read from. A position is ``(number of the text << 32) + offset``.

    >>> sources = Sources(ReadOptions())
    >>> base = sources.add("module m;\\n  wire w", None)
    >>> str(sources.fault("'w' came", base + 17))
    "Verilog text:2:8: 'w' came"
    """

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._files: list[tuple[str, Path | None, str]] = []
        self._size = 0

    def add(self, text: str, path: Path | None, name: str = "Verilog text") -> int:
        """Add a text and return the position of its start."""
        name = name if path is None else os.fspath(path)
        check_size(text, name)
        self._size += len(text)
        if len(self._files) >= _MAX_FILES or self._size > 1 << 31:
            raise NetlistFileError(f"more than {_MAX_FILES} files are included", path=name)
        self._files.append((name, path, text))
        return (len(self._files) - 1) << 32

    def include(self, name: str, pos: int) -> tuple[str, int]:
        """Read a file that the text at ``pos`` includes; return its text and the position of its start."""
        current = self._files[pos >> 32][1]
        folders = [*([] if current is None else [current.parent]), *self._options.include]
        if Path(name).is_absolute():
            raise self.fault(f"`include {name!r}: a path within the circuit's folders is expected", pos)
        for folder in folders:
            if (path := folder / name).is_file():
                text = load_text(path)
                return text, self.add(text, path)
        looked = ", ".join(str(folder) for folder in folders) or "no folder (give one with include=)"
        raise self.fault(f"`include {name!r}: there is no such file; looked in {looked}", pos)

    def line(self, pos: int) -> int:
        """The line of a position, from 1."""
        return self._files[pos >> 32][2].count("\n", 0, pos & 0xFFFFFFFF) + 1

    def fault(
        self, what: str, pos: int, kind: Callable[..., NetlistFileError] = NetlistFileError
    ) -> NetlistFileError:
        """Return an error that names the file, the line and the column of a position."""
        name, _, text = self._files[max(pos, 0) >> 32]
        if pos < 0:  # it stands nowhere in particular
            return kind(what, path=name)
        offset = min(pos & 0xFFFFFFFF, len(text))
        start = text.rfind("\n", 0, offset) + 1
        return kind(what, path=name, line=text.count("\n", 0, offset) + 1, column=offset - start + 1)

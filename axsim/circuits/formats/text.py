"""Circuit files as text: what may be opened, how large it may be, and how its bytes are read."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axsim.errors import NetlistFileError

MAX_BYTES = 64 << 20
"""Largest circuit file that is read: 64 MiB, about two million gates as text."""


def load_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a circuit file, without a byte order mark.

    UTF-8 where the bytes are that, else Latin-1, in which any bytes mean something: names of nets may be
    in either, and comments in anything.

    Raises:
        NetlistFileError: for more than ``MAX_BYTES``, and for what is no regular file (a pipe would be
            waited for, a device never end).
        OSError: if the file cannot be read.

    >>> load_text("/dev/zero")
    Traceback (most recent call last):
        ...
    axsim.errors.NetlistFileError: /dev/zero: this is no regular file; a circuit's text is needed
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise NetlistFileError("this is no regular file; a circuit's text is needed", path=path)
    if status.st_size > MAX_BYTES:
        raise NetlistFileError(_too_large(status.st_size, "bytes"), path=path)
    return decode(Path(path).read_bytes())


def decode(data: bytes) -> str:
    """Return bytes as text: UTF-8, with or without a byte order mark, or else Latin-1.

    >>> decode(bytes([0xEF, 0xBB, 0xBF])), decode(b"gr\\xf6\\xdfe")
    ('', 'größe')
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def check_size(text: str, path: str | os.PathLike[str] | None) -> None:
    """Raise NetlistFileError for a text of more than ``MAX_BYTES`` characters."""
    if len(text) > MAX_BYTES:
        raise NetlistFileError(_too_large(len(text), "characters"), path=path)


@contextmanager
def no_cycle_search() -> Iterator[None]:
    """Inside, Python's search for cycles of garbage is off.

    It looks at all objects again and again while a reader makes millions of small ones that stay: half the
    time of a large text. Readers make no cycles, so nothing piles up meanwhile.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _too_large(size: int, unit: str) -> str:
    return f"the text has {size:,} {unit}; at most {MAX_BYTES:,} are read"

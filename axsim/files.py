"""Files that are whole or not there, and the folder for those that only save time."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

CACHE_VARIABLE = "AXSIM_CACHE_DIR"


def replace_file(path: str | os.PathLike[str], data: bytes) -> Path:
    """Put ``data`` at ``path`` in one step, so that no reader ever sees part of it.

    Its folder is made if need be.

    Raises:
        OSError: the folder or the file cannot be written; an existing file is then left as it was.

    >>> replace_file("/dev/null/folder/file", b"")
    Traceback (most recent call last):
        ...
    OSError: /dev/null/folder/file cannot be written: Not a directory
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise OSError(f"{path} cannot be written: {problem.strerror}") from problem
    return path


def check_folder(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Make the folder ``path`` if need be, before work whose results are to go there.

    Raises:
        ValueError: something else has that name, or the folder cannot be made or written; the message calls
            it ``name``.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ValueError(
            f"{name} is {str(path)!r}, which is no folder and cannot be made one: {problem.strerror}"
        ) from problem
    if not os.access(path, os.W_OK):
        raise ValueError(f"{name} is {str(path)!r}, a folder that cannot be written")
    return path


def cache_directory() -> Path:
    """The folder that AXSIM_CACHE_DIR names, or else ``platformdirs.user_cache_dir("axsim")``."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("axsim"))

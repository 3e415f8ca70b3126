"""Files that are whole or not there, and the folder for those that only save time."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import warnings
from pathlib import Path

CACHE_VARIABLE = "AXSIM_CACHE_DIR"

_warned: set[str] = set()


def read_regular(path: str | os.PathLike[str], most: int) -> bytes:
    """The bytes of a regular file, or of what a link to one leads to.

    Anything else that may stand in its place is refused without waiting or reading: a pipe would hang, a
    device never end.

    Raises:
        OSError: the file cannot be read, is no regular file, or has more than ``most`` bytes; ``strerror``
            says which.

    >>> read_regular("/dev/zero", 100)
    Traceback (most recent call last):
        ...
    OSError: [Errno 22] it is no regular file: '/dev/zero'
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe is opened without waiting
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if why := _unfit(found, most):
            raise OSError(errno.EINVAL, why, os.fspath(path))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(found.st_size)
    finally:
        os.close(descriptor)


def is_regular(path: str | os.PathLike[str], most: int) -> bool:
    """Whether a regular file of 1 to ``most`` bytes stands there, or a link to one."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size > 0 and not _unfit(found, most)


def _unfit(found: os.stat_result, most: int) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    return f"it has {found.st_size} bytes, more than {most}" if found.st_size > most else ""


def warn_once(about: str, message: str) -> None:
    """A RuntimeWarning, the first time in a process that there is one about this."""
    if about not in _warned:
        _warned.add(about)
        warnings.warn(message, RuntimeWarning, stacklevel=3)


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


def cache_directory() -> Path | None:
    """The folder that AXSIM_CACHE_DIR names, or else ``platformdirs.user_cache_dir("axsim")``.

    None where that would be in the home folder of a user who has none (HOME is not set, and the password
    file does not know the user).
    """
    import platformdirs

    try:
        return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("axsim")).expanduser()
    except RuntimeError:
        return None

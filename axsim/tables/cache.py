"""Built tables kept in the user's cache directory, one HDF5 file each.

The cache only saves time. What cannot be read back whole is built again, and a directory that cannot be
written costs one warning. Several processes may build the same table at once: each writes a file of its own
and renames it, and all of them write the same bytes.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from axsim.errors import TableError
from axsim.tables.product import ProductTable
from axsim.tables.store import GENERATOR_VERSION, TableRecord, read_table, write_tables

ENVIRONMENT_VARIABLE = "AXSIM_CACHE_DIR"


def cache_directory() -> Path:
    """The folder that AXSIM_CACHE_DIR names, or else ``platformdirs.user_cache_dir("axsim")``."""
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("axsim"))


def cached_table(name: str, build: Callable[[], ProductTable]) -> ProductTable:
    """The table kept under ``name``, or else what ``build`` returns, which is then kept.

    ``name`` must stand for the same products for as long as GENERATOR_VERSION stays the same.

    Warns:
        RuntimeWarning: the cache directory cannot be written (once a process and directory).
    """
    path = cache_directory() / f"{name}-v{GENERATOR_VERSION}.h5"
    try:
        return read_table(path, name).table
    except TableError:
        table = build()
    try:
        write_tables(path, [TableRecord(name, table)])
    except OSError:
        _warn_unwritable(path.parent)
    return table


@functools.cache
def _warn_unwritable(directory: Path) -> None:
    warnings.warn(
        f"tables are not cached, because {directory} cannot be written; "
        f"set {ENVIRONMENT_VARIABLE} to a folder that can",
        RuntimeWarning,
        stacklevel=3,
    )

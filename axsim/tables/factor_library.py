"""The factors that come with axsim: those of the built-in multipliers' tables, found once.

Finding factors takes python-flint and, for some circuits, seconds; using them takes neither. The file
``factors.npz`` beside this module holds those of the 8x8 tables of ``axsim.multipliers.catalogue``, for every
pair of operand types. ``tools/build_factors.py`` makes it. Entries are found by the SHA-256 of the product
table, so that a table is recognised under whatever name.

Layout: ``keys`` (texts ``<sha256>/<a_dtype>-<b_dtype>``), ``terms`` (how many rows each key has, -1 where the
table has no factors of at most ``MAX_TERMS`` terms), and the rows of all keys in order: ``left`` and
``right`` (rows, 256), indexed by operand bytes, and ``log2_scales`` (rows,).
"""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from axsim.errors import TableError
from axsim.files import replace_file
from axsim.forks import unforked
from axsim.tables.factor import Factors

FILE = Path(__file__).with_name("factors.npz")

Library = Mapping[str, Factors | None]


def key(sha256: str, a_type: str, b_type: str) -> str:
    """Where a table's factors for operands of two NumPy types stand.

    >>> key("b407", "uint8", "int8")
    'b407/uint8-int8'
    """
    return f"{sha256}/{a_type}-{b_type}"


@functools.cache
def library() -> Library:
    """Factors by ``key``; None where it is known that there are none. Read once a process.

    The factors are not those of any table until ``Factors.verify`` has said so.

    Raises:
        TableError: the file is missing or damaged.
    """
    with unforked:  # NumPy and zipfile load modules at their first use
        return read_library(FILE)


def read_library(path: Path) -> Library:
    """What ``write_library`` wrote; errors as for ``library``."""
    try:
        # Read here: np.load leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            rows = {name: file[name] for name in ("left", "right", "log2_scales")}
            keys, terms = file["keys"].tolist(), file["terms"]
        ends = np.cumsum(np.maximum(terms, 0))
        return {
            k: Factors(**{name: array[end - count : end] for name, array in rows.items()})
            if count >= 0
            else None
            for k, count, end in zip(keys, terms, ends, strict=True)
        }
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as problem:
        raise TableError(f"{path} cannot be read: {problem}; install axsim again") from problem


def write_library(path: Path, entries: Library) -> None:
    """Write factors to ``path`` in one step; equal factors give equal bytes.

    Raises:
        OSError: the file cannot be written.
    """
    found = [entries[k] for k in sorted(entries)]
    rows = [factors for factors in found if factors is not None]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        keys=np.array(sorted(entries)),
        terms=np.array([-1 if factors is None else len(factors) for factors in found], np.int32),
        left=np.concatenate([factors.left for factors in rows]),
        right=np.concatenate([factors.right for factors in rows]),
        log2_scales=np.concatenate([factors.log2_scales for factors in rows]),
    )
    replace_file(path, buffer.getvalue())

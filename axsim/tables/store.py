"""Product tables in HDF5 files that are either read whole and right, or refused.

Layout of a file::

    bytes 0 to 511      user block: a line with the SHA-256 of all bytes after it, padded with zeros
    /                   attributes: format, generator_version
    /<multiplier>       attributes: a_bits, b_bits, out_bits, signed, product_sha256, error_sha256,
                        generator_version, and what the record brings along (source, citation, ...)
    /<multiplier>/product   (2**a_bits, 2**b_bits), little-endian, one chunk, shuffle + gzip
    /<multiplier>/error     product - exact product, int32, likewise
    /<multiplier>/factors   where the record brings them along: left (R, 2**a_bits), right (R, 2**b_bits) and
                            log2_scales (R,), int32, so that the products are the sums over r of
                            2**log2_scales[r] * left[r, a] * right[r, b]

Any HDF5 program reads such a file; user blocks are part of the format. This one is there because a damaged
HDF5 file can make the HDF5 library itself fail in any way; its digest is checked before the library sees it.
Equal tables give equal bytes: all is written in order of name and without time stamps.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axsim.errors import TableError
from axsim.files import read_regular, replace_file
from axsim.forks import unforked
from axsim.tables.factor import Factors
from axsim.tables.product import MAX_INPUT_BITS, ProductTable

if TYPE_CHECKING:
    import h5py

# Raise this whenever a built-in circuit or the layout of the files changes: older files are then refused, and
# older cache files are passed by.
GENERATOR_VERSION = 2

FORMAT = "axsim product tables"
USER_BLOCK = 512
MOST_BYTES = 1 << 28  # of a file; that of the families, with factors, has a thousandth of it
MOST_TERMS = 1 << 12  # rows of factors that are read
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
OWN_ATTRIBUTES = frozenset(
    ("a_bits", "b_bits", "out_bits", "signed", "product_sha256", "error_sha256", "generator_version")
)

FACTORS = ("left", "right", "log2_scales")
_REMEDY = "delete it, or write it again (`axsim build` writes those of built-in multipliers)"

Attribute = str | int | float


@dataclass(frozen=True)
class TableRecord:
    """A named product table and what is known about it.

    Attributes:
        name: letters, digits and ``_ . + - [ ]``, starting with a letter or a digit.
        table: the products.
        attributes: texts and numbers stored beside it, such as ``source``, ``citation``,
            ``published_power_mW``, ``published_area_um2``, ``published_delay_ns``.
        factors: exact factors of the products, indexed by bit patterns; None where none are known.

    Raises:
        ValueError: the name cannot name a group, or an attribute's name is one the store uses itself.
        TableError: the factors give another product for some pair of operands, or the name is a published
            circuit's and the products are not.
    """

    name: str
    table: ProductTable
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    factors: Factors | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.+\-\[\]]*", self.name, re.ASCII):
            raise ValueError(f"name is {self.name!r}, expected letters, digits and _ . + - [ ]")
        if taken := OWN_ATTRIBUTES & self.attributes.keys():
            raise ValueError(f"attributes {sorted(taken)} are written by the store itself; rename them")
        if self.table.sha256 != published_sha256().get(self.name, self.table.sha256):
            raise TableError(f"the products are not those of the published circuit {self.name}")
        if self.factors is not None:
            self.factors.verify(self.table.values)


@cache
def published_sha256() -> dict[str, str]:
    """SHA-256 of each published circuit's product table, as ``ProductTable.sha256`` has it.

    V. Mrazek et al., "EvoApprox8b", DATE 2017, doi 10.23919/DATE.2017.7926993.

    >>> published_sha256()["mul8u_1JFF"][:8]
    '0c6fd344'
    """
    text = Path(__file__).with_name("published_sha256.json").read_text(encoding="utf-8")
    known: dict[str, str] = json.loads(text)
    return known


def write_tables(path: str | os.PathLike[str], records: Iterable[TableRecord]) -> None:
    """Write ``records`` as one HDF5 file, replacing ``path`` in one step; its folder is made if need be.

    Raises:
        ValueError: two records have the same name.
        OSError: the folder or the file cannot be written; an existing file is then left as it was.
    """
    with unforked:
        import h5py

    by_name: dict[str, TableRecord] = {}
    for record in records:
        if record.name in by_name:
            raise ValueError(f"two tables are called {record.name!r}")
        by_name[record.name] = record

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", userblock_size=USER_BLOCK) as file:
        file.attrs.update(format=FORMAT, generator_version=GENERATOR_VERSION)
        for name in sorted(by_name):
            _write_record(file.create_group(name), by_name[name])
    replace_file(path, seal(buffer.getvalue()[USER_BLOCK:]))


def read_table(path: str | os.PathLike[str], name: str) -> TableRecord:
    """The table called ``name`` of an HDF5 file that ``write_tables`` wrote, with its attributes.

    Raises:
        TableError: the file is missing, truncated, altered, not HDF5, of another generator version, or has no
            such table; the message names the file and the table.
    """
    with _opened(path, name) as file:
        if name not in file:
            raise TableError(f"{path} has no table {name!r}; it has {', '.join(sorted(file)) or 'none'}")
        return _read_record(path, file, name)


def read_tables(path: str | os.PathLike[str]) -> dict[str, TableRecord]:
    """All tables of a file by name; errors as for ``read_table``."""
    with _opened(path) as file:
        return {name: _read_record(path, file, name) for name in sorted(file)}


def list_tables(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the tables in a file, sorted; errors as for ``read_table``."""
    with _opened(path) as file:
        return tuple(sorted(file))


def seal(body: bytes) -> bytes:
    """``body`` behind a user block with its SHA-256: what stands on the disk."""
    return _user_block(body) + body


def _user_block(body: bytes) -> bytes:
    line = f"{FORMAT}; SHA-256 of all bytes after these {USER_BLOCK}: {hashlib.sha256(body).hexdigest()}\n"
    return line.encode("ascii").ljust(USER_BLOCK, b"\0")


def _write_record(group: h5py.Group, record: TableRecord) -> None:
    table = record.table
    error = table.error.astype("<i4")
    datasets = {"product": table.values, "error": error}
    if record.factors is not None:
        datasets |= {f"factors/{name}": getattr(record.factors, name).astype("<i4") for name in FACTORS}
    for name, values in datasets.items():
        # A chunk cannot be empty, and a table of zeros has no terms.
        packed = {"chunks": values.shape, "compression": "gzip", "shuffle": True} if values.size else {}
        group.create_dataset(name, data=values, track_times=False, **packed)
    own = {
        "a_bits": table.a_bits,
        "b_bits": table.b_bits,
        "out_bits": table.out_bits,
        "signed": table.signed,
        "product_sha256": table.sha256,
        "error_sha256": _sha256(error),
        "generator_version": GENERATOR_VERSION,
    }
    group.attrs.update(sorted({**record.attributes, **own}.items()))


@contextmanager
def _opened(path: str | os.PathLike[str], name: str | None = None) -> Iterator[h5py.File]:
    """The file at ``path``, once its bytes are known to be those that were written."""
    with unforked:
        import h5py

    wanted = f"{path}: table {name!r}" if name else f"{path}: its tables"
    try:
        data = read_regular(path, MOST_BYTES)
    except OSError as problem:
        raise TableError(f"{wanted} cannot be read: {problem.strerror}") from problem
    block, body = data[:USER_BLOCK], data[USER_BLOCK:]
    if HDF5_SIGNATURE not in (data[: len(HDF5_SIGNATURE)], body[: len(HDF5_SIGNATURE)]):
        raise TableError(f"{wanted} cannot be read: this is not an HDF5 file, or a damaged one; {_REMEDY}")
    if block != _user_block(body):
        raise TableError(
            f"{wanted} cannot be read: the file is truncated or altered, or axsim did not write it "
            f"(the SHA-256 in its user block is not that of its bytes); {_REMEDY}"
        )
    with h5py.File(io.BytesIO(data), "r") as file:
        version = file.attrs.get("generator_version")
        if version != GENERATOR_VERSION:
            raise TableError(
                f"{wanted} cannot be read: its generator version is {version}, this axsim reads "
                f"{GENERATOR_VERSION}; {_REMEDY}"
            )
        yield file


def _read_record(path: str | os.PathLike[str], file: h5py.File, name: str) -> TableRecord:
    try:
        group = file[name]
        values, error = _read(group, "product"), _read(group, "error").astype("<i4", copy=False)
        attributes = {key: _plain(value) for key, value in group.attrs.items()}
        own = {key: attributes.pop(key) for key in OWN_ATTRIBUTES}
        table = ProductTable(values, own["a_bits"], own["b_bits"], own["out_bits"], own["signed"])
        stored = group.get("factors")
        factors = None if stored is None else Factors(*(_read(stored, name) for name in FACTORS))
    except (KeyError, TypeError, ValueError, OSError) as problem:
        raise TableError(f"{path}: table {name!r} cannot be read: {problem}; {_REMEDY}") from problem
    if table.sha256 != own["product_sha256"]:
        raise TableError(
            f"{path}: table {name!r} is altered: its products do not have the stored SHA-256; {_REMEDY}"
        )
    if _sha256(error) != own["error_sha256"] or not np.array_equal(error, table.error):
        raise TableError(
            f"{path}: table {name!r} is altered: its error table is not that of its products; {_REMEDY}"
        )
    try:
        return TableRecord(name, table, attributes, factors)
    except TableError as problem:
        raise TableError(f"{path}: table {name!r} is altered: {problem}; {_REMEDY}") from problem


def _read(group: h5py.Group, name: str) -> NDArray[Any]:
    """A dataset; ValueError before anything is unpacked if it is larger than any of ours can be."""
    dataset = group[name]
    most = (1 << MAX_INPUT_BITS) if name in ("product", "error") else MOST_TERMS << MAX_INPUT_BITS
    if dataset.size > most:
        raise ValueError(f"{name} has {dataset.size} entries, expected at most {most}")
    return np.asarray(dataset)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _sha256(values: NDArray[np.integer[Any]]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()

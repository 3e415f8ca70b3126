"""Libraries of circuits: folders of files read into one HDF5 file, and that file's multipliers by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from axsim.circuits.cost import Cost, cost
from axsim.circuits.formats.detect import ENDINGS, detect
from axsim.circuits.formats.options import DEFAULTS, ReadOptions
from axsim.multipliers.circuit_files import clean_name, from_text, read_bytes
from axsim.multipliers.integer import Multiplier
from axsim.multipliers.registry import add, get, is_taken
from axsim.progress import track
from axsim.tables.product import ProductTable
from axsim.tables.store import Attribute, TableRecord, read_tables

PUBLISHED_ATTRIBUTES = {
    "PDK45_PWR": "published_power_mW",
    "PDK45_AREA": "published_area_um2",
    "PDK45_DELAY": "published_delay_ns",
}
"""Labels of EvoApproxLib, and the attributes that table files have for them."""

_ORDER = ("c", "blif", "aiger", "cgp", "verilog")  # of files of one name, the first is kept


@dataclass(frozen=True)
class Imported:
    """What came of reading many files.

    Attributes:
        records: a table for each circuit, by name, with what its reading concluded as attributes.
        skipped: files that are in none of them, and why.
        warnings: files that were read, and what is probably not meant about how.
    """

    records: Mapping[str, TableRecord]
    skipped: tuple[tuple[Path, str], ...]
    warnings: tuple[tuple[Path, str], ...]


def import_files(
    paths: Iterable[str | os.PathLike[str]],
    options: ReadOptions = DEFAULTS,
    *,
    jobs: int = 1,
    name: str | None = None,
) -> Imported:
    """Read files, and all files of folders, as tables; progress goes to standard error.

    A circuit is called what its file is called. Of files of one name and one function one is kept, C first;
    if their functions differ, the later ones have the format or the folder in their names.

    Args:
        paths: files and folders.
        options: for all of them; ``path`` is each file's own.
        jobs: processes to use.
        name: of the only circuit.

    Raises:
        ValueError: ``jobs`` is less than 1, or ``name`` is given for several files.
        OSError: a path does not exist.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected at least 1")
    given = [Path(path) for path in paths]
    files = list(_files(given))
    if name is not None and len(files) != 1:
        raise ValueError(f"name is {name!r} for {len(files)} files, expected one file")
    alone = len(files) == 1
    tasks = [partial(_read_one, path, replace(options, path=path), alone) for path in files]
    results = list(track(_calls(tasks, jobs), "reading", len(tasks)))
    found = [(path, result) for path, result in zip(files, results, strict=True)]
    skipped = [(path, result) for path, result in found if isinstance(result, str)]
    kept = [(path, result) for path, result in found if not isinstance(result, str)]
    kept.sort(key=lambda item: (item[0].stem, _rank(item[1]), item[0]))
    records: dict[str, TableRecord] = {}
    origins: dict[str, Path] = {}
    warnings: list[tuple[Path, str]] = []
    for path, result in kept:
        called = _name(name or result.record.name, path, result, records)
        if called in records:
            skipped.append((path, f"the same function as {origins[called]}, which is kept as {called}"))
            continue
        records[called], origins[called] = replace(result.record, name=called), path
        warnings += [(path, warning) for warning in result.warnings]
    return Imported(records, tuple(sorted(skipped)), tuple(warnings))


@dataclass(frozen=True)
class _Read:
    record: TableRecord
    format: str
    warnings: tuple[str, ...]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        else:
            path.stat()  # OSError, naming it, where there is none
            yield path


def _read_one(path: Path, options: ReadOptions, alone: bool) -> _Read | str:
    """The table of a file, or why there is none."""
    if not alone and path.suffix.lower() not in ENDINGS:
        return f"its ending, {path.suffix or 'none'}, is that of no circuit"
    try:
        data = read_bytes(path)
        multiplier = from_text(data, detect(data, path), options, clean_name(path.stem))
        reading = multiplier.reading
        assert reading is not None
        if reading.is_adder and not alone:
            return reading.warnings[0]
        return _Read(record(multiplier), reading.format, reading.warnings)
    except (ValueError, OSError) as problem:
        return str(problem).removeprefix(f"{path}:").strip()


def record(multiplier: Multiplier) -> TableRecord:
    """A multiplier from a file as it stands in a library; ValueError for one that is too wide."""
    attributes: dict[str, Attribute] = {"source": multiplier.source, "citation": multiplier.citation}
    if multiplier.published:
        attributes["published"] = json.dumps(multiplier.published)
        for label, key in PUBLISHED_ATTRIBUTES.items():
            if label in multiplier.published:
                attributes[key] = multiplier.published[label]["value"]
    if multiplier.netlist is not None:
        attributes["estimated_cost"] = json.dumps(asdict(cost(multiplier.netlist)))
    if multiplier.reading is not None:
        attributes["reading"] = "\n".join(multiplier.reading.sentences())
    return TableRecord(multiplier.name, multiplier.table, attributes)


def _rank(result: _Read) -> int:
    return _ORDER.index(result.format) if result.format in _ORDER else len(_ORDER)


def _name(wanted: str, path: Path, result: _Read, taken: Mapping[str, TableRecord]) -> str:
    """A name for a table that no other has, or the one of these names that has the same table already."""
    for candidate in (
        wanted,
        f"{wanted}-{result.format.replace(' ', '-')}",
        f"{clean_name(path.parent.name)}-{wanted}",
    ):
        if candidate not in taken:
            return candidate
        if taken[candidate].table == result.record.table:
            return candidate
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"


def _calls(tasks: Sequence[Callable[[], Any]], jobs: int) -> Iterator[Any]:
    if jobs == 1 or len(tasks) < 2:
        yield from (task() for task in tasks)
        return
    # Spawned, not forked: the fork of a process that has threads can hang.
    with ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(_call, tasks, chunksize=4)


def _call(task: Callable[[], Any]) -> Any:
    return task()


def load_library(
    path: str | os.PathLike[str], *, prefix: str = "", overwrite: bool = False
) -> tuple[str, ...]:
    """Give all multipliers of a library a name that ``axsim.get`` and all operations understand.

    Args:
        path: an HDF5 file of tables, as ``axsim import`` writes them.
        prefix: put before each name.
        overwrite: replace multipliers of the same names.

    Returns:
        The names, sorted. A name that is taken by a multiplier of the same products stays that one's.

    Raises:
        TableError: the file is missing, damaged or not axsim's.
        ValueError: a name is taken by a multiplier of other products; none is registered then.

    >>> import tempfile, axsim
    >>> from axsim.tables import write_tables
    >>> file = tempfile.mkdtemp() + "/own.h5"
    >>> write_tables(file, [TableRecord("mine", axsim.get("drum8_3").table)])
    >>> load_library(file, prefix="lab."), int(axsim.get("lab.mine")(100, 100))
    (('lab.mine',), 12544)
    """
    multipliers = library_multipliers(path, prefix)
    fresh = []
    for multiplier in multipliers:
        if overwrite or not is_taken(multiplier.name):
            fresh.append(multiplier)
            continue
        other = get(multiplier.name)
        if not isinstance(other, Multiplier) or other.table != multiplier.table:
            raise ValueError(
                f"{path}: the name {multiplier.name!r} is taken by {other}, whose products are others; "
                "pass a prefix, or overwrite=True"
            )
    for multiplier in fresh:
        add(multiplier, overwrite=overwrite)
    return tuple(multiplier.name for multiplier in multipliers)


def library_multipliers(path: str | os.PathLike[str], prefix: str = "") -> list[Multiplier]:
    """The multipliers of a library, none of them registered; errors as for :func:`load_library`."""
    return [_multiplier(prefix + name, record) for name, record in read_tables(path).items()]


def _multiplier(name: str, record: TableRecord) -> Multiplier:
    published, estimated = record.attributes.get("published"), record.attributes.get("estimated_cost")
    return Multiplier(
        name=name,
        a_bits=record.table.a_bits,
        b_bits=record.table.b_bits,
        signed=record.table.signed,
        simulate=partial(_same, record.table),
        source=str(record.attributes.get("source", "")),
        citation=str(record.attributes.get("citation", "")),
        published=json.loads(published) if isinstance(published, str) else None,
        operand_order=str(record.attributes.get("reading", "")),
        stored_cost=Cost(**json.loads(estimated)) if isinstance(estimated, str) else None,
    )


def _same(table: ProductTable) -> ProductTable:
    return table

"""Building table files from a plan, and checking files against it.

A plan says which tables stand in which file and how each is made:
``{"evoapprox8b.h5": {"mul8u_L40": function returning a TableRecord, ...}, ...}``.
``axsim.multipliers.catalogue.plan`` gives the one of the built-in multipliers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from axsim.errors import TableError
from axsim.progress import track
from axsim.tables.store import TableRecord, read_tables, write_tables

Maker = Callable[
    [], TableRecord
]  # picklable where jobs > 1: a module's function, or functools.partial of one
Plan = Mapping[str, Mapping[str, Maker]]


def build_tables(
    plan: Plan, folder: str | os.PathLike[str], *, jobs: int = 1, keep_others: bool = False
) -> list[Path]:
    """Make every table of ``plan`` and write its files into ``folder``; the paths written.

    Each file is replaced in one step and depends on the plan alone: building twice gives the same bytes.
    Progress goes to standard error.

    Args:
        plan: file name -> table name -> function that makes the record.
        folder: made if need be.
        jobs: processes to use.
        keep_others: keep the tables of an existing file that are not in the plan; else they go.

    Raises:
        ValueError: ``jobs`` is less than 1.
        TableError: ``keep_others`` is set and an existing file cannot be read.
        OSError: a file cannot be written.
    """
    paths = [Path(folder) / file for file in plan]
    kept = [read_tables(path) if keep_others and path.exists() else {} for path in paths]
    for path, others, records in zip(paths, kept, _make(plan, jobs), strict=True):
        write_tables(path, (others | records).values())
    return paths


def check_tables(
    plan: Plan, folder: str | os.PathLike[str], *, jobs: int = 1, allow_others: bool = False
) -> list[str]:
    """Make every table of ``plan`` and compare it with the files in ``folder``; one line for each difference.

    An empty list says that every table is there, whole and equal, attributes included, and (unless
    ``allow_others``) that the files hold no others. Nothing is written. ``jobs`` as for ``build_tables``.
    """
    differences = []
    for file, expected in zip(plan, _make(plan, jobs), strict=True):
        path = Path(folder) / file
        try:
            found = read_tables(path)
        except TableError as problem:
            differences.append(str(problem))
            continue
        names = expected.keys() if allow_others else expected.keys() | found.keys()
        for name in sorted(names):
            differences += [
                f"{path}: {name}: {text}" for text in _compare(found.get(name), expected.get(name))
            ]
    return differences


def _make(plan: Plan, jobs: int) -> list[dict[str, TableRecord]]:
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}, expected at least 1")
    makers = [maker for tables in plan.values() for maker in tables.values()]
    made = track(_calls(makers, jobs), "building tables", len(makers))
    records = {record.name: record for record in made}
    return [{name: records[name] for name in tables} for tables in plan.values()]


def _calls(makers: Sequence[Maker], jobs: int) -> Iterator[TableRecord]:
    if jobs == 1:
        yield from (maker() for maker in makers)
        return
    # Spawned, not forked: the fork of a process that has threads can hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_call, makers)


def _call(maker: Maker) -> TableRecord:
    return maker()


def _compare(found: TableRecord | None, expected: TableRecord | None) -> list[str]:
    if found is None:
        return ["missing"]
    if expected is None:
        return ["stale: no longer built"]
    differences = []
    if found.table != expected.table:
        differences.append(
            f"{_count(found, expected)}: {found.table} stands there, {expected.table} is expected"
        )
    for key in sorted(found.attributes.keys() | expected.attributes.keys()):
        old, new = found.attributes.get(key), expected.attributes.get(key)
        if old != new:
            differences.append(f"attribute {key} is {old!r}, expected {new!r}")
    if found.factors != expected.factors:
        differences.append(f"other factors: {_terms(found)}, expected {_terms(expected)}")
    return differences


def _terms(record: TableRecord) -> str:
    return "none" if record.factors is None else f"in {len(record.factors)} terms"


def _count(found: TableRecord, expected: TableRecord) -> str:
    a, b = found.table.values, expected.table.values
    return f"{np.count_nonzero(a != b)} of {b.size} products differ" if a.shape == b.shape else "other widths"

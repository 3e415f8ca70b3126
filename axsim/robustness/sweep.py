"""Sweeps: many cells measured by several processes, kept one by one, gone on with after any end."""

from __future__ import annotations

import secrets
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from axsim.engines.isa import cpu_name
from axsim.files import replace_file
from axsim.progress import track
from axsim.results import versions
from axsim.robustness.cells import Cell
from axsim.robustness.processes import Dask, Local, Processes, Ray, Terms, accept, cpus
from axsim.robustness.store import DamagedFileError, Measured, Store, lock_file, remove_leftovers
from axsim.threads import get_num_threads

_MARK = "folder"  # the name of a file that tells this folder from any other

Run = Callable[[Cell], Mapping[str, Any]]


@dataclass
class Summary:
    """What a sweep came to.

    Attributes:
        there: cells that had been measured before.
        measured: cells that were measured now.
        failed: cells that raised, or whose process died, with the last line of their error.
        damaged: what was said of files that were damaged; their cells were measured again.
    """

    there: int = 0
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status of a command: 0, or 1 where cells failed."""
        return 1 if self.failed else 0


@dataclass(frozen=True)
class _Outcome:
    """What a process hands back: the rest is in the store."""

    cell: Cell
    error: str = ""
    kept: bool = True
    problem: str = ""  # why it could not be kept
    measured: Measured | None = None  # what could not be kept


def run_sweep(
    cells: Sequence[Cell],
    run: Run,
    store: Store,
    *,
    jobs: int | None = None,
    backend: str = "local",
    say: Callable[[str], None] | None = None,
) -> Summary:
    """Measure all cells that are not in the store yet, and keep each as soon as it is measured.

    A sweep may end at any moment, by whatever means; the same call goes on with it. A cell that is kept is
    not measured again, unless its file is damaged or it failed. Two sweeps may share a store: each cell is
    measured by one of them. A cell that raises, or whose process dies, is kept with its traceback and does
    not stop the others.

    Args:
        cells: what to measure; the same one twice counts once.
        run: measures one: a cell in, results out (see :class:`axsim.robustness.store.Measured`). It is
            pickled for other processes, each of which has a part of the CPUs to itself.
        store: where results are kept. All processes must see its folder, those of a cluster too.
        jobs: processes of this machine; None is one for each CPU. Only for the backend "local".
        backend: "local"; "ray"; or the address of a Dask scheduler, such as "tcp://host:8786".
        say: called with each line for the reader. Default: standard error.

    Raises:
        OSError: results cannot be kept, as on a full disk. The cells that are kept are untouched; those under
            way are let end, and kept if there is room again.
        ValueError, TypeError, ImportError: no such backend, number of jobs, or package for it.
    """
    say = say or (lambda line: print(f"axsim: {line}", file=sys.stderr, flush=True))
    cells = list(dict.fromkeys(cells))
    summary = Summary()
    todo = []
    for cell in cells:
        try:
            found = store.read(cell)
        except DamagedFileError as problem:
            summary.damaged.append(str(problem))
            say(f"{problem}; it is measured again")
            found = None
        if found is None or found.error:
            todo.append(cell)
    summary.there = len(cells) - len(todo)
    if summary.there:
        say(f"{summary.there} of {len(cells)} cells are there already")
    processes = _processes(backend, jobs, len(todo))
    if not todo:
        return summary
    work = _Work(run, store, _mark(store.folder))
    for outcome in track(_outcomes(todo, work, processes, say), "cells", len(todo)):
        if outcome.error:
            summary.failed[outcome.cell] = last = outcome.error.strip().rpartition("\n")[2]
            say(f"failed: {outcome.cell}: {last}")
        else:
            summary.measured += 1
    return summary


def _processes(backend: str, jobs: int | None, cells: int) -> Processes:
    if backend == "local":
        return Local(cpus() if jobs is None else jobs, most=cells)
    if jobs is not None:
        raise ValueError(f"jobs is {jobs}, and the number of a cluster's processes is its own affair")
    if backend == "ray":
        return Ray()
    if "://" in backend:
        return Dask(backend)
    raise ValueError(
        f"backend is {backend!r}, expected 'local', 'ray' or an address such as 'tcp://host:8786'"
    )


@dataclass(frozen=True)
class _Work:
    """What a process needs to know to measure a cell and keep it."""

    run: Run
    store: Store
    mark: str

    def check(self, terms: Terms) -> None:
        """OSError in a process that has not the sweep's folder."""
        accept(terms)
        path = self.store.folder / _MARK
        if not path.is_file() or path.read_text() != self.mark:
            raise OSError(
                f"a process does not see the folder {self.store.folder} of the sweep: the processes of a "
                "cluster need one that all machines share"
            )

    def measure(self, cell: Cell, terms: Terms) -> _Outcome:
        try:
            self.check(terms)
            with self.store.lock(cell) as lock:
                remove_leftovers(self.store.path(cell))
                outcome = self._measure(cell)
                if outcome.kept and not outcome.error:
                    Path(lock.lock_file).unlink(missing_ok=True)  # who still waits for it finds the results
                return outcome
        except OSError as problem:
            return _Outcome(cell, kept=False, problem=str(problem))

    def _measure(self, cell: Cell) -> _Outcome:
        if _is_kept(self.store, cell):  # by another sweep, or one that was killed
            return _Outcome(cell)
        start = time.perf_counter()
        try:
            results, error = self.run(cell), ""
        except (Exception, SystemExit):
            results, error = None, traceback.format_exc()
        seconds = time.perf_counter() - start
        try:
            return _keep(self.store, Measured(cell, results, error, seconds, machine()))
        except (TypeError, ValueError):
            return _keep(self.store, Measured(cell, None, traceback.format_exc(), seconds, machine()))


def _is_kept(store: Store, cell: Cell) -> bool:
    """Whether a cell needs no measuring any more."""
    try:
        found = store.read(cell)
    except DamagedFileError:
        return False
    return found is not None and not found.error


def _keep(store: Store, measured: Measured) -> _Outcome:
    try:
        store.write(measured)
    except OSError as problem:
        return _Outcome(measured.cell, measured.error, kept=False, problem=str(problem), measured=measured)
    return _Outcome(measured.cell, measured.error)


def _keep_locked(store: Store, measured: Measured) -> _Outcome:
    """The same where another sweep may be at the cell; what that one measured stays."""
    try:
        with store.lock(measured.cell):
            return _Outcome(measured.cell) if _is_kept(store, measured.cell) else _keep(store, measured)
    except OSError as problem:
        return _Outcome(measured.cell, measured.error, kept=False, problem=str(problem), measured=measured)


def _outcomes(
    cells: Sequence[Cell], work: _Work, processes: Processes, say: Callable[[str], None]
) -> Iterator[_Outcome]:
    """The outcomes as they come. OSError where some cannot be kept, or where a cluster is lost."""
    waiting = deque(cells)
    while waiting:
        with processes:
            _check_ready(work, processes)
            suspects = yield from _until_broken(waiting, work, processes)
        if suspects:
            say(f"a process died while {len(suspects)} cells were under way; each of them is tried alone")
        for cell in suspects:
            with processes:
                guilty = yield from _until_broken(deque([cell]), work, processes)
            if guilty:
                yield _keep_locked(work.store, Measured(cell, None, guilty[cell], machine=machine()))


def _check_ready(work: _Work, processes: Processes) -> None:
    """Raise at once what would go wrong with every cell."""
    try:
        processes.submit(work.check, processes.terms).result()
    except OSError:
        raise
    except Exception as problem:
        raise TypeError(f"run cannot be handed to another process: {problem}") from problem


def _until_broken(
    waiting: deque[Cell], work: _Work, processes: Processes
) -> Generator[_Outcome, None, dict[Cell, str]]:
    """Outcomes of all cells, or of some: the cells that were under way when a process died, and how."""
    under_way: dict[Future[_Outcome], Cell] = {}
    suspects: dict[Cell, str] = {}
    unkept: list[_Outcome] = []
    while under_way or (waiting and not suspects and not unkept):
        while waiting and not suspects and not unkept and len(under_way) < processes.slots():
            try:
                under_way[processes.submit(work.measure, waiting[0], processes.terms)] = waiting[0]
            except BrokenExecutor:
                if not under_way:
                    return suspects  # none: it died of nothing that we gave it
                break  # what is under way tells why
            waiting.popleft()
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            cell = under_way.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor as problem:
                suspects[cell] = _death(problem)
                continue
            except ConnectionError:
                raise
            except Exception as problem:  # of a cluster, which has tried again by itself
                outcome = _keep_locked(work.store, Measured(cell, None, _death(problem), machine=machine()))
            if outcome.problem:
                unkept.append(outcome)
            else:
                yield outcome
    if unkept:
        yield from _keep_late(unkept, work.store)
    return suspects


def _death(problem: Exception) -> str:
    codes = [line for line in str(problem).splitlines() if "exit code" in line]
    return f"the process that measured it died: {codes[0] if codes else problem} (out of memory?)"


def _keep_late(unkept: Sequence[_Outcome], store: Store) -> Iterator[_Outcome]:
    """Try once more to keep what could not be: others may have made room meanwhile. Then OSError."""
    lost = 0
    for outcome in unkept:
        again = outcome if outcome.measured is None else _keep_locked(store, outcome.measured)
        if again.problem:
            lost += 1
        else:
            yield again
    raise OSError(
        f"{unkept[0].problem}; the sweep ends here, with {lost} cells not kept. All others are, and the same "
        "command goes on with the rest"
    )


def _mark(folder: Path) -> str:
    """What is in a file of this folder and of no other; made if need be."""
    with lock_file(folder / "locks" / "folder.lock"):
        if not (folder / _MARK).is_file():
            replace_file(folder / _MARK, secrets.token_hex(16).encode())
    return (folder / _MARK).read_text()


def machine() -> dict[str, Any]:
    """What the numbers of a cell may depend on beyond its settings: processor, threads, versions."""
    found: dict[str, Any] = {"processor": cpu_name(), "threads": get_num_threads(), **versions()}
    for package in ("torch", "foolbox"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found

"""Sweeps: whatever ends one, it goes on; no cell is lost or measured again; failures are kept and told."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
import warnings
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from pure_cells import cells, die_once, fail_for, full_once, kill_worker, measure, share, sweep_in_a_group

pytest.importorskip("loky", reason="sweeps need loky (extra robustness)")
pytest.importorskip("filelock", reason="sweeps need filelock (extra robustness)")

from axsim.robustness import processes
from axsim.robustness.cells import Cell
from axsim.robustness.store import Measured, Store, encode
from axsim.robustness.sweep import run_sweep

HERE = Path(__file__).parent


def starts(log: Path) -> list[Cell]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [Cell(json.loads(line)) for line in lines]


def results(store: Store, wanted: list[Cell]) -> list[Any]:
    found = [store.read(cell) for cell in wanted]
    return [None if m is None else encode(m.results) for m in found]


def undisturbed(wanted: list[Cell]) -> list[Any]:
    return [encode(measure(Path(os.devnull), 0, cell)) for cell in wanted]


def quiet(line: str) -> None:
    del line


def test_a_sweep_measures_each_cell_once_and_keeps_it(tmp_path: Path) -> None:
    wanted, log, store = cells(7), tmp_path / "log", Store(tmp_path / "out", "1")
    summary = run_sweep([*wanted, wanted[0]], partial(measure, log, 0), store, jobs=2)
    assert (summary.there, summary.measured, summary.failed, summary.status) == (0, 7, {}, 0)
    assert sorted(starts(log)) == sorted(wanted)
    assert results(store, wanted) == undisturbed(wanted)
    again = run_sweep(wanted, partial(measure, log, 0), store, jobs=2, say=quiet)
    assert (again.there, again.measured) == (7, 0)
    assert len(starts(log)) == 7
    assert [p.name for p in (tmp_path / "out" / "locks").iterdir()] == ["folder.lock"]


def test_no_cells(tmp_path: Path) -> None:
    assert run_sweep([], partial(measure, tmp_path / "log", 0), Store(tmp_path, "1")).status == 0


def start(count: int, log: Path, pause: float, out: Path) -> BaseProcess:
    """A sweep in a process of its own that leads a group, forked from one that has loaded the code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["axsim.robustness.sweep", "loky"])
    process = context.Process(target=sweep_in_a_group, args=(count, log, pause, out))
    process.start()
    while process.is_alive() and os.getpgid(process.pid) != process.pid:
        time.sleep(0.001)
    return process


def test_killed_at_random_moments_it_goes_on(tmp_path: Path) -> None:
    """Twenty times kill -9, half of them with all processes of the group and half of the one alone."""
    wanted, log, store, draw = cells(110), tmp_path / "log", Store(tmp_path / "out", "1"), random.Random(0)
    kills, kept_before = 0, set[Cell]()
    while kills < 20:
        before = len(starts(log))
        process = start(110, log, 0.02, store.folder)
        enough = before + draw.randrange(5)  # none of them, too: killed while it begins
        while len(starts(log)) < enough and process.is_alive():
            time.sleep(0.002)
        time.sleep(draw.random() * 0.04)
        assert process.is_alive(), "it ended before it was killed: more cells are needed"
        if kills % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.join()
        kills += 1
        # What was kept by the last kill has not been started again since.
        assert not kept_before & set(starts(log)[before:])
        kept_before = {cell for cell in wanted if store.path(cell).exists()}
    before = len(starts(log))
    assert before > 0
    assert kept_before
    last = start(110, log, 0, store.folder)
    last.join()
    assert last.exitcode == 0
    assert not kept_before & set(starts(log)[before:])
    assert not list((store.folder / "cells").glob(".*"))  # of files half written
    assert len(starts(log)) <= len(wanted) + 2 * kills  # only what was under way is measured again
    assert results(store, wanted) == undisturbed(wanted)


def test_its_processes_end_with_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(2, log, 3600, tmp_path / "out")
    while len(starts(log)) < 2 and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    until = time.monotonic() + 60
    try:
        while time.monotonic() < until:
            os.killpg(process.pid, 0)  # ProcessLookupError: nobody is left of its group
            time.sleep(0.05)
    except ProcessLookupError:
        return
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("processes are left that nobody waits for")


def test_cells_that_fail_stop_no_other(tmp_path: Path) -> None:
    wanted, store, said = cells(8), Store(tmp_path, "1"), list[str]()
    told = {
        wanted[1]: ("raise", "RuntimeError: no such network"),
        wanted[2]: ("exit", "SystemExit: 3"),
        wanted[4]: ("unkept", "results.what is a object"),
        wanted[5]: ("die", "SIGKILL"),
    }
    work = partial(fail_for, {cell: error for cell, (error, _) in told.items()})
    summary = run_sweep(wanted, work, store, jobs=2, say=said.append)
    assert (summary.measured, set(summary.failed), summary.status) == (4, set(told), 1)
    for cell, (error, line) in told.items():
        assert line in summary.failed[cell]
        assert any(f"failed: {cell}" in one and line in one for one in said)
        kept = store.read(cell)
        assert kept is not None
        assert kept.results is None
        assert line in kept.error
        assert ("pure_cells.py" in kept.error) == (error in ("raise", "exit"))  # a whole traceback
    # The next sweep tries them again, and them alone.
    log = tmp_path / "log"
    assert run_sweep(wanted, partial(measure, log, 0), store, jobs=2, say=said.append).status == 0
    assert sorted(starts(log)) == sorted(told)


def test_damaged_and_foreign_files_are_told_and_measured_again(tmp_path: Path) -> None:
    wanted, log, store, said = cells(5), tmp_path / "log", Store(tmp_path / "out", "1"), list[str]()
    run_sweep(wanted, partial(measure, log, 0), store, jobs=1)
    path = store.path(wanted[1])
    path.write_bytes(path.read_bytes()[:-20])
    store.path(wanted[3]).write_text('{"format": 99}')
    store.path(wanted[4]).unlink()
    summary = run_sweep(wanted, partial(measure, log, 0), store, jobs=1, say=said.append)
    assert (summary.there, summary.measured, len(summary.damaged)) == (2, 3, 2)
    assert sum("measured again" in line for line in said) == 2
    assert any("of format 99, expected 1" in line for line in said)
    assert starts(log)[5:] == [wanted[1], wanted[3], wanted[4]]
    assert results(store, wanted) == undisturbed(wanted)


def test_results_of_other_code_are_left_alone(tmp_path: Path) -> None:
    wanted, log = cells(3), tmp_path / "log"
    old, new = Store(tmp_path / "out", "old"), Store(tmp_path / "out", "new")
    run_sweep(wanted, partial(fail_for, {}), old, jobs=1)
    summary = run_sweep(wanted, partial(measure, log, 0), new, jobs=1)
    assert (summary.measured, new.others(wanted)) == (3, 3)
    assert results(new, wanted) == undisturbed(wanted)
    assert results(old, wanted) == [{"budget": cell["budget"]} for cell in wanted]


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of its own with little room, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    wanted, log, store = cells(30), tmp_path / "log", Store(small_disk / "out", "1")
    work = partial(measure, log, 0)
    with pytest.raises(OSError, match=r"No space left on device.*the same command goes on"):
        run_sweep(wanted, work, store, jobs=2, say=quiet)
    kept = [cell for cell in wanted if store.path(cell).exists()]
    assert 0 < len(kept) < 30
    assert results(store, kept) == undisturbed(kept)
    before = len(starts(log))
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    summary = run_sweep(wanted, work, store, jobs=2, say=quiet)
    assert (summary.there, summary.measured) == (len(kept), 30 - len(kept))
    assert not set(kept) & set(starts(log)[before:])
    assert results(store, wanted) == undisturbed(wanted)


def test_where_nothing_can_be_kept_the_sweep_ends(tmp_path: Path) -> None:
    """Without a small file system: a file stands where the folder should be."""
    store = Store(tmp_path, "1")
    with pytest.raises(OSError, match=r"cannot be written.*1 cells not kept"):
        run_sweep(cells(5), partial(full_once, tmp_path), store, jobs=1, say=quiet)
    (tmp_path / "cells").unlink()
    summary = run_sweep(cells(5)[1:], partial(full_once, tmp_path), store, jobs=1, say=quiet)
    assert summary.measured == 4


def test_processes_share_the_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, wanted = Store(tmp_path, "1"), cells(3)
    run_sweep(wanted, partial(share, tmp_path), store, jobs=processes.cpus())
    for cell in wanted:
        found = store.read(cell)
        assert found is not None
        assert found.results is not None
        told = {name: found.results[name] for name in ("axsim", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        assert told == {"axsim": 1, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        assert found.results["process"] != os.getpid()
        assert found.machine["threads"] == 1


def test_the_last_cell_has_no_more_threads_than_the_others(tmp_path: Path) -> None:
    """Else what went on after a kill could differ in the last bit."""
    store, wanted = Store(tmp_path, "1"), cells(4)
    run_sweep(wanted, partial(share, tmp_path), store)
    first = store.read(wanted[0])
    store.path(wanted[0]).unlink()
    run_sweep(wanted, partial(share, tmp_path), store, say=quiet)
    again = store.read(wanted[0])
    assert first is not None
    assert again is not None
    assert again.machine == first.machine


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"jobs": 0}, ValueError, "jobs is 0, expected 1 to"),
        ({"jobs": 1.5}, TypeError, "jobs is 1.5"),
        ({"backend": "dusk"}, ValueError, "backend is 'dusk', expected 'local'"),
        ({"backend": "tcp://x:1", "jobs": 2}, ValueError, "its own affair"),
    ],
)
def test_bad_requests(tmp_path: Path, options: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        run_sweep(cells(1), partial(measure, tmp_path / "log", 0), Store(tmp_path, "1"), **options)


def test_a_run_that_cannot_be_pickled_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="run cannot be handed to another process"):
        run_sweep(cells(2), partial(share, threading.Lock()), Store(tmp_path, "1"), jobs=1)  # type: ignore[arg-type]


def test_a_dead_process_is_no_cells_fault(tmp_path: Path) -> None:
    """Killed once from outside: the cells under way are measured alone, and none is said to have failed."""
    wanted, store, said = cells(6), Store(tmp_path, "1"), list[str]()
    once = tmp_path / "once"
    summary = run_sweep(wanted, partial(die_once, once), store, jobs=2, say=said.append)
    assert (summary.measured, summary.failed) == (6, {})
    assert any("each of them is tried alone" in line for line in said)


def test_a_dask_cluster_of_two_workers_one_of_them_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra cluster)")
    wanted, log, store = cells(24), tmp_path / "log", Store(tmp_path / "out", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about ports and closed streams
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50, host="127.0.0.1"
        ) as cluster:
            work = partial(kill_worker, log, tmp_path / "killed")
            summary = run_sweep(wanted, work, store, backend=cluster.scheduler_address)
    assert (tmp_path / "killed").exists()
    assert (summary.measured, summary.failed) == (24, {})
    assert results(store, wanted) == undisturbed(wanted)
    assert len(starts(log)) <= 24 + 1


def test_dask_workers_with_several_threads_are_refused(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra cluster)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=2, dashboard_address=None, processes=False
            ) as cluster,
            pytest.raises(ValueError, match=r"has 2 threads.*--nthreads 1"),
        ):
            run_sweep(
                cells(1),
                partial(measure, tmp_path, 0),
                Store(tmp_path, "1"),
                backend=cluster.scheduler_address,
            )


def test_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    wanted, log, store = cells(6), tmp_path / "log", Store(tmp_path / "out", "1")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("PYTHONPATH", f"{HERE}:{os.environ.get('PYTHONPATH', '')}")
        summary = run_sweep(wanted, partial(measure, log, 0), store, backend="ray")
    assert (summary.measured, summary.failed) == (6, {})
    assert results(store, wanted) == undisturbed(wanted)


def test_no_cluster_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed (extra cluster)")
    monkeypatch.setattr(processes, "ANSWER", 1)
    work = partial(measure, tmp_path / "log", 0)
    with pytest.raises(OSError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:1'"):
        run_sweep(cells(1), work, Store(tmp_path, "1"), backend="tcp://127.0.0.1:1")


def test_two_sweeps_share_a_folder(tmp_path: Path) -> None:
    wanted, log, store = cells(30), tmp_path / "log", Store(tmp_path / "out", "1")
    both = [start(30, log, 0.02, store.folder) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert sorted(starts(log)) == sorted(wanted)
    assert results(store, wanted) == undisturbed(wanted)


def test_kept_results_can_be_read_without_a_sweep(tmp_path: Path) -> None:
    store = Store(tmp_path, "1")
    store.write(Measured(cells(1)[0], {"rate": 1}))
    assert results(store, cells(2)) == [{"rate": 1}, None]

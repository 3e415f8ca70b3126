"""The store: what was written comes back, whatever is damaged is told, what cells share is made once."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("filelock", reason="locks between processes need filelock (extra robustness)")

from axsim.robustness.cells import Cell
from axsim.robustness.checks import Verdict
from axsim.robustness.intervals import wilson
from axsim.robustness.store import DamagedFileError, Measured, Shared, Store, decode, encode, lock_file

CELL = Cell({"budget": 0.5, "seed": 0})
RESULTS = {
    "rate": {"count": 3, "of": 10},
    "psnr": [float("inf"), float("nan"), 1.5],
    "images": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
}
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "new", "1")
    assert store.read(CELL) is None
    path = store.write(Measured(CELL, RESULTS, seconds=1.5, machine={"cpu": "x"}))
    found = store.read(CELL)
    assert path == store.path(CELL)
    assert found is not None
    assert found.results is not None
    assert (found.cell, found.error, found.seconds, found.machine) == (CELL, "", 1.5, {"cpu": "x"})
    assert found.results["rate"] == {"count": 3, "of": 10}
    np.testing.assert_array_equal(found.results["images"], RESULTS["images"])
    assert found.results["images"].dtype == np.float32
    assert str(found.results["psnr"]) == "[inf, nan, 1.5]"
    assert json.loads(path.read_text())["cell"] == CELL.settings  # for other programs, too


@given(st.dictionaries(st.text("abc"), PLAIN, max_size=3))
def test_plain_results_come_back(results: dict[str, Any]) -> None:
    assert decode(json.loads(json.dumps(encode(results), allow_nan=False))) == results


def test_rates_and_verdicts_are_kept_as_mappings(tmp_path: Path) -> None:
    store, rate = Store(tmp_path, "1"), wilson(3, 10)
    results = {"rate": rate, "checks": [Verdict("noise", "held", "little", {"rates": [rate]})]}
    store.write(Measured(CELL, results))
    found = store.read(CELL)
    assert found is not None
    assert found.results is not None
    assert found.results["rate"] == asdict(rate)
    assert found.results["checks"] == [
        {"check": "noise", "said": "held", "why": "little", "numbers": {"rates": [asdict(rate)]}}
    ]


@pytest.mark.parametrize(
    ("results", "error", "told"),
    [
        ({"a": [object()]}, TypeError, r"results\.a\[0\] is a object"),
        ({"a": np.array([object()])}, TypeError, r"results\.a is an array of Python objects"),
        ({"$npy": 1}, ValueError, r"results has the key '\$npy'"),
        ({1: 1}, ValueError, "results has the key 1"),
    ],
)
def test_results_that_cannot_be_kept(tmp_path: Path, results: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        Store(tmp_path, "1").write(Measured(CELL, results))
    assert list(tmp_path.iterdir()) == []


def test_other_code_has_other_files(tmp_path: Path) -> None:
    ours, theirs = Store(tmp_path, "1"), Store(tmp_path, "2")
    theirs.write(Measured(CELL, {"rate": 1}))
    assert ours.read(CELL) is None
    assert ours.others([CELL]) == 1
    ours.write(Measured(CELL, {"rate": 2}))
    assert ours.others([CELL]) == theirs.others([CELL]) == 1
    assert theirs.read(CELL) == Measured(CELL, {"rate": 1})


def test_any_damage_is_told(tmp_path: Path) -> None:
    """Every byte of a file changed in turn, and cut off at every length: damaged, or as it was."""
    store = Store(tmp_path, "1")
    whole = Measured(CELL, {"rate": 1, "images": np.zeros(1)})
    path = store.write(whole)
    content = path.read_bytes()
    told = 0
    for i in range(len(content)):
        for damaged in (content[:i], content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :]):
            path.write_bytes(damaged)
            try:
                found = store.read(CELL)
            except DamagedFileError as problem:
                told += str(path) in str(problem)
            else:
                assert found is not None  # spaces between values may be others
                assert encode(found.results) == encode(whole.results)
    assert told > 1.5 * len(content)


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"format": 1}', b"\xff", b"[" * 100_000, b"{}"])
def test_what_is_no_cell_at_all_is_told(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path, "1")
    store.path(CELL).parent.mkdir()
    store.path(CELL).write_bytes(content)
    with pytest.raises(DamagedFileError, match="damaged"):
        store.read(CELL)


def test_a_file_of_another_format_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path, "1")
    path = store.write(Measured(CELL, {}))
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(DamagedFileError, match="of format 2, expected 1"):
        store.read(CELL)


def test_a_file_in_anothers_place_is_told(tmp_path: Path) -> None:
    store, other = Store(tmp_path, "1"), Cell({"seed": 1})
    store.write(Measured(CELL, {})).rename(store.path(other))
    with pytest.raises(DamagedFileError, match="of another cell"):
        store.read(other)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path, "1")
    store.write(Measured(CELL, {"rate": 1}))

    def full(self: Path, data: bytes) -> None:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device"):
        store.write(Measured(CELL, {"rate": 2}))
    assert store.read(CELL) == Measured(CELL, {"rate": 1})
    assert len(list((tmp_path / "cells").iterdir())) == 1

    shared = Shared(tmp_path / "shared", "1")
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert shared.get({"seed": 0}, lambda: {"x": np.ones(2)})["x"].tolist() == [1, 1]


def test_shared_arrays_are_made_once_for_the_same_settings(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, np.ndarray[Any, Any]]:
        made.append(1)
        return {"images": np.full((2, 1), len(made), np.float32), "queries": np.arange(2)}

    shared = Shared(tmp_path, "1")
    for _ in range(2):
        found = shared.get({"attack": "pgd", "budget": 1}, make)
        assert found["images"].tolist() == [[1], [1]]
        assert (found["images"].dtype, found["queries"].tolist()) == (np.float32, [0, 1])
    shared.get({"attack": "pgd", "budget": 2}, make)
    Shared(tmp_path, "2").get({"attack": "pgd", "budget": 1}, make)
    assert len(made) == 3


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    key = Cell({"seed": 0}).key("1")
    left, others = (tmp_path / f".{name}.npz.123-abcd.tmp" for name in (key, "another"))
    left.touch()
    others.touch()
    Shared(tmp_path, "1").get({"seed": 0}, lambda: {"x": np.arange(3)})
    assert {p.name for p in tmp_path.iterdir()} == {f"{key}.npz", others.name}


def test_damaged_arrays_are_made_again(tmp_path: Path) -> None:
    shared, draw = Shared(tmp_path, "1"), random.Random(0)

    def get() -> list[int]:
        found = shared.get({"seed": 0}, lambda: {"x": np.arange(3)})["x"].tolist()
        return list(found)

    get()
    (path,) = tmp_path.glob("*.npz")
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2], b"no archive at all"):
        path.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match="made again"):
            assert get() == [0, 1, 2]
        assert get() == [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a changed date in the archive is no damage
        for i in draw.sample(range(len(content)), 300):
            path.write_bytes(content[:i] + bytes([content[i] ^ (1 << draw.randrange(8))]) + content[i + 1 :])
            assert get() == [0, 1, 2]


def test_arrays_that_cannot_be_kept(tmp_path: Path) -> None:
    shared = Shared(tmp_path, "1")
    with pytest.raises(TypeError, match="x is an array of Python objects"):
        shared.get({}, lambda: {"x": np.array([object()])})
    with pytest.raises(ValueError, match=r"called 'settings\.json'"):
        shared.get({}, lambda: {"settings.json": np.zeros(1)})


FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["axsim.robustness.sweep", "loky"])  # as the tests of sweeps do: one serves all


def want(folder: Path, log: Path) -> None:
    def make() -> dict[str, np.ndarray[Any, Any]]:
        with open(log, "a") as file:
            file.write("made\n")
        time.sleep(0.2)  # the others come meanwhile
        return {"x": np.arange(3)}

    assert Shared(folder, "1").get({"seed": 0}, make)["x"].tolist() == [0, 1, 2]


def hold(path: Path, held: Any) -> None:
    with lock_file(path):
        held.set()
        time.sleep(600)


def test_several_processes_want_the_same_arrays(tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [FORKED.Process(target=want, args=(tmp_path / "shared", log)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text() == "made\n"


def test_a_killed_owner_frees_its_lock(tmp_path: Path) -> None:
    held = FORKED.Event()
    shared = Shared(tmp_path, "1")
    lock = tmp_path / f"{Cell({'seed': 0}).key('1')}.lock"
    owner = FORKED.Process(target=hold, args=(lock, held))
    owner.start()
    assert held.wait(600)
    assert not lock_is_free(lock)
    assert owner.pid is not None
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    assert lock.exists()
    assert shared.get({"seed": 0}, lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]


def lock_is_free(path: Path) -> bool:
    from filelock import Timeout

    lock = lock_file(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True

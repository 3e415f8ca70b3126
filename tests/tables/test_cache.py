"""The cache of built tables: it saves time, and can do nothing else."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import platformdirs
import pytest

import axsim.multipliers
from axsim.tables import ProductTable, TableRecord, read_table, write_tables
from axsim.tables.cache import _warn_unwritable, cache_directory, cached_table
from axsim.tables.store import GENERATOR_VERSION

RIGHT = ProductTable.from_function(lambda a, b: a * b & ~1, 3, 3)
WRONG = ProductTable.from_function(lambda a, b: a * b, 3, 3)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    _warn_unwritable.cache_clear()
    return tmp_path / "cache"


class Builder:
    """Returns the right table and counts how often it is asked for it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> ProductTable:
        self.calls += 1
        return RIGHT


def kept(directory: Path, name: str = "mine") -> Path:
    return directory / f"{name}-v{GENERATOR_VERSION}.h5"


def test_built_once_and_then_read(directory: Path) -> None:
    build = Builder()
    assert [cached_table("mine", build) for _ in range(3)] == [RIGHT] * 3
    assert build.calls == 1
    assert list(directory.iterdir()) == [kept(directory)]


def test_what_is_kept_is_used(directory: Path) -> None:
    write_tables(kept(directory), [TableRecord("mine", WRONG)])
    assert cached_table("mine", Builder()) == WRONG


@pytest.mark.parametrize(
    "damage", ["truncated", "altered", "empty", "other name", "not HDF5", "other version"]
)
def test_a_bad_file_is_not_trusted_but_replaced(
    directory: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(directory)
    with monkeypatch.context() as patch:
        if damage == "other version":
            patch.setattr("axsim.tables.store.GENERATOR_VERSION", GENERATOR_VERSION + 1)
        write_tables(path, [TableRecord("yours" if damage == "other name" else "mine", WRONG)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    content = {"truncated": data[: len(data) // 2], "altered": data, "empty": b"", "not HDF5": b"hello"}
    if damage in content:
        path.write_bytes(content[damage])
    build = Builder()
    assert [cached_table("mine", build) for _ in range(2)] == [RIGHT] * 2
    assert build.calls == 1
    assert read_table(path, "mine").table == RIGHT


def test_older_generator_versions_are_passed_by(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached_table("mine", Builder())
    monkeypatch.setattr("axsim.tables.cache.GENERATOR_VERSION", GENERATOR_VERSION + 1)
    monkeypatch.setattr("axsim.tables.store.GENERATOR_VERSION", GENERATOR_VERSION + 1)
    build = Builder()
    cached_table("mine", build)
    assert build.calls == 1
    assert len(list(directory.iterdir())) == 2


def test_an_unwritable_directory_costs_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(RuntimeWarning, match="AXSIM_CACHE_DIR") as warned:
        assert cached_table("mine", Builder()) == RIGHT
    assert len(warned) == 1
    assert str(tmp_path / "file" / "cache") in str(warned[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cached_table("mine", Builder()) == RIGHT
        assert axsim.multipliers.registry.resolve("trunc4_2").table.values[3, 3] == 4


def test_a_file_system_that_refuses_writing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.warns(RuntimeWarning, match="cannot be written"):
        assert cached_table("mine", Builder()) == RIGHT
    assert list(directory.iterdir()) == []


def test_directory(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    assert cache_directory() == directory
    monkeypatch.setenv("AXSIM_CACHE_DIR", "~/elsewhere")
    assert cache_directory() == Path.home() / "elsewhere"
    for unset in (
        lambda: monkeypatch.setenv("AXSIM_CACHE_DIR", ""),
        lambda: monkeypatch.delenv("AXSIM_CACHE_DIR"),
    ):
        unset()
        assert cache_directory() == Path(platformdirs.user_cache_dir("axsim"))


NAMES = ("mul8u_L40", "mul8u_JV3", "trunc8_3", "exact8s", "drum8_4")


def _digests(barrier: Barrier, results: multiprocessing.Queue) -> None:
    multipliers = [axsim.multipliers.get(name) for name in NAMES]
    barrier.wait()
    results.put([multiplier.table.sha256 for multiplier in multipliers])


def test_processes_that_build_at_once_all_get_the_right_tables(directory: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_digests, args=(barrier, results)) for _ in range(2)]
    for process in processes:
        process.start()
    digests = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    expected = [axsim.multipliers.get(name).simulate().sha256 for name in NAMES]
    assert digests == [expected, expected]
    assert sorted(directory.iterdir()) == sorted(kept(directory, name) for name in NAMES)
    assert [read_table(kept(directory, name), name).table.sha256 for name in NAMES] == expected


def test_threads_that_build_at_once_all_get_the_right_table(directory: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: cached_table("mine", Builder()), range(64))) == {RIGHT}
    assert list(directory.iterdir()) == [kept(directory)]


def test_importing_the_package_does_not_import_h5py() -> None:
    code = "import sys, axsim.multipliers; axsim.multipliers.get('L40'); print('h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

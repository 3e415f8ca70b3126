"""tools/build_tables.py, as it is called from a shell."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from axsim.tables import TableRecord, list_tables, read_tables, write_tables

SCRIPT = Path(__file__).parents[2] / "tools" / "build_tables.py"
Tool = Callable[..., Result]


@pytest.fixture(scope="module")
def tool() -> Tool:
    app = typer.Typer()
    app.command()(runpy.run_path(str(SCRIPT))["build"])
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def built(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    assert tool("--out", folder).exit_code == 0
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    for path in built.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_builds_all_tables(tool: Tool, tmp_path: Path) -> None:
    result = tool("--out", tmp_path)
    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["axfpm.h5", "evoapprox8b.h5", "families.h5"]
    assert len(list_tables(tmp_path / "evoapprox8b.h5")) == 53
    families = list_tables(tmp_path / "families.h5")
    assert {"exact8", "exact8s", "trunc8_1", "trunc8_7", "drum8_3", "drum8_7", "mitchell8", "kulkarni8"} <= {
        *families
    }
    assert any(name.startswith("bam8_") for name in families)


def test_attributes(built: Path) -> None:
    with h5py.File(built / "evoapprox8b.h5") as file:
        found = dict(file["mul8u_L40"].attrs)
    published = [found[f"published_{figure}"] for figure in ("power_mW", "area_um2", "delay_ns")]
    assert published == [0.189, 437.4, 1.48]
    assert "mul8u_L40.c" in found["source"]
    assert "10.23919/DATE.2017.7926993" in found["citation"]
    with h5py.File(built / "families.h5") as file:
        assert bool(file["exact8s"].attrs["signed"])
        assert file["trunc8_3"].attrs["source"] == "axsim.circuits.truncated(8, 3)"
        assert not any(key.startswith("published") for key in file["trunc8_3"].attrs)


def test_building_again_changes_no_byte(tool: Tool, folder: Path) -> None:
    before = contents(folder)
    assert tool("--out", folder, "--jobs", 2).exit_code == 0
    assert contents(folder) == before
    assert tool("--out", folder, "l40", "exact").exit_code == 0
    assert contents(folder) == before


def test_check_passes_on_what_was_built(tool: Tool, folder: Path) -> None:
    before = contents(folder)
    result = tool("--out", folder, "--check")
    assert (result.exit_code, result.stdout) == (
        0,
        f"76 tables in {folder} are as their circuits make them\n",
    )
    assert contents(folder) == before


def test_check_fails_on_any_difference(tool: Tool, folder: Path) -> None:
    records = read_tables(folder / "families.h5")
    drum, mitchell = records["drum8_4"], records["mitchell8"]
    count = np.count_nonzero(drum.table.values != mitchell.table.values)
    records["drum8_4"] = TableRecord("drum8_4", mitchell.table, drum.attributes)
    del records["kulkarni8"]
    write_tables(folder / "families.h5", records.values())
    result = tool("--out", folder, "--check")
    assert result.exit_code == 1
    assert f"drum8_4: {count} of 65536 products differ" in result.stdout
    assert "kulkarni8: missing" in result.stdout
    assert all("drum8_4" in line or "kulkarni8" in line for line in result.stdout.splitlines())
    assert tool("--out", folder, "--check", "kulkarni8").exit_code == 1
    assert tool("--out", folder, "--check", "mitchell8").exit_code == 0
    (folder / "families.h5").write_bytes(b"")
    assert "families.h5: its tables cannot be read" in tool("--out", folder, "--check").stdout


def test_check_of_an_empty_folder_fails_and_writes_nothing(tool: Tool, tmp_path: Path) -> None:
    assert tool("--out", tmp_path / "none", "--check").exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_names_limit_what_is_built(tool: Tool, tmp_path: Path) -> None:
    assert tool("--out", tmp_path, "L40", "MUL8U_JV3").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["evoapprox8b.h5"]
    assert list_tables(tmp_path / "evoapprox8b.h5") == ("mul8u_JV3", "mul8u_L40")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["LL40"], "did you mean L40"),
        (["trunc8_99"], "expected 0 to 15"),
        (["trunc7_2"], "trunc7_2: in no table file"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_bad_arguments(tool: Tool, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = tool("--out", tmp_path, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = tool("--out", tmp_path / "file" / "tables", "L40")
    assert result.exit_code == 2
    assert "axsim: " in result.stderr

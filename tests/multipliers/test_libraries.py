"""Folders of circuits as one file, and its multipliers by name."""

from __future__ import annotations

from pathlib import Path

import pytest

import axsim
from axsim.circuits import baugh_wooley, exact, truncated, write_blif
from axsim.circuits.formats import c
from axsim.circuits.formats.options import ReadOptions
from axsim.errors import TableError
from axsim.multipliers import registry
from axsim.multipliers.libraries import import_files, load_library
from axsim.tables import TableRecord, list_tables, read_table, write_tables

HEADER = "// MAE = 0.0\n// PDK45_PWR = 0.37 mW\n// PDK45_AREA = 604.5 um2\n"


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "clone" / "8x8"
    inner.mkdir(parents=True)
    (inner / "one.c").write_text(HEADER + c.write(exact(4)))
    (inner / "one.blif").write_text(write_blif(exact(4)))
    (inner / "two.c").write_text(c.write(truncated(4, 2)))
    (inner / "two.blif").write_text(write_blif(exact(4)))
    (inner / "signed.blif").write_text(write_blif(baugh_wooley(4)))
    (inner / "sum.c").write_text("uint8_t add4u_x(uint8_t a, uint8_t b) { return a + b; }")
    (inner / "broken.c").write_text("uint8_t f(uint8_t a, uint8_t b) { return a +; }")
    (inner / "wide.c").write_text(c.write(exact(12)))
    (inner / "README.md").write_text("about")
    (inner / ".hidden.c").write_text("x")
    other = tmp_path / "clone" / "other"
    other.mkdir()
    (other / "one.c").write_text(c.write(truncated(4, 1)))
    return tmp_path / "clone"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_is_read_whole(folder: Path, jobs: int) -> None:
    imported = import_files([folder], jobs=jobs)
    assert sorted(imported.records) == ["one", "one-c", "signed", "two", "two-blif"]
    assert imported.records["one"].table == axsim.get("exact4").table
    assert imported.records["one-c"].table == axsim.get("trunc4_1").table
    assert imported.records["two-blif"].table == axsim.get("exact4").table
    reasons = {path.name: reason for path, reason in imported.skipped}
    assert sorted(reasons) == ["README.md", "broken.c", "one.blif", "sum.c", "wide.c"]
    assert "its ending, .md, is that of no circuit" in reasons["README.md"]
    assert reasons["broken.c"].startswith("1:45: ';' came, expected a variable")
    assert reasons["one.blif"] == f"the same function as {folder / '8x8' / 'one.c'}, which is kept as one"
    assert "This is an adder" in reasons["sum.c"]
    assert "at most 16 together" in reasons["wide.c"]
    ((warned, sentence),) = imported.warnings
    assert warned.name == "signed.blif"
    assert "signed=True" in sentence


def test_what_a_record_knows(folder: Path) -> None:
    attributes = import_files([folder / "8x8" / "one.c"]).records["one"].attributes
    assert attributes["published_power_mW"] == 0.37
    assert "a is the first parameter of the C function exact4(a, b)" in attributes["reading"]


def test_names_and_options_for_one_file(folder: Path) -> None:
    path = folder / "8x8" / "signed.blif"
    imported = import_files([path], ReadOptions(signed=True), name="mine")
    assert imported.records["mine"].table == axsim.get("exact4s").table
    assert imported.warnings == ()
    with pytest.raises(ValueError, match="for 2 files, expected one file"):
        import_files([path, path], name="mine")
    with pytest.raises(FileNotFoundError, match=r"none\.c"):
        import_files([folder / "none.c"])
    with pytest.raises(ValueError, match="jobs is 0"):
        import_files([path], jobs=0)


def test_a_library_names_its_multipliers(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "library.h5"
    write_tables(path, import_files([folder]).records.values())
    assert list_tables(path) == ("one", "one-c", "signed", "two", "two-blif")
    assert load_library(path) == list_tables(path)
    one = axsim.get("One")
    assert (one(15, 15), one.published["PDK45_AREA"]["value"]) == (225, 604.5)
    assert "first parameter of the C function" in one.operand_order
    assert "one-c" in axsim.list_multipliers()
    assert load_library(path) == list_tables(path)  # again: the same products
    assert read_table(path, "one").table == one.table


def test_names_that_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "library.h5"
    l40 = axsim.get("L40")
    write_tables(path, [TableRecord("mul8u_L40", l40.table), TableRecord("fresh", l40.table)])
    assert load_library(path) == ("fresh", "mul8u_L40")
    assert axsim.get("L40") is l40
    write_tables(path, [TableRecord("a_new", l40.table), TableRecord("drum8_4", l40.table)])
    with pytest.raises(ValueError, match=r"'drum8_4' is taken by .*prefix, or overwrite=True"):
        load_library(path)
    assert "a_new" not in axsim.list_multipliers()
    assert load_library(path, prefix="my.") == ("my.a_new", "my.drum8_4")
    load_library(path, overwrite=True)
    assert axsim.get("drum8_4").table == l40.table


def test_damaged_libraries(tmp_path: Path) -> None:
    with pytest.raises(TableError):
        load_library(tmp_path / "none.h5")


def test_register_takes_what_read_returns(folder: Path) -> None:
    read = axsim.read(folder / "8x8" / "one.c")
    mine = axsim.register("mine", read)
    assert axsim.get("mine") is mine
    assert (mine.netlist is not None, mine.published["MAE"]["text"], mine.reading) == (
        True,
        "0.0",
        read.reading,
    )
    with pytest.raises(ValueError, match="signed is True, but"):
        axsim.register("other", read, signed=True)

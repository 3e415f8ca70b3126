"""``axsim import``, ``axsim export``, and files in a multiplier's place."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import axsim
from axsim.circuits import baugh_wooley, exact, truncated, write_blif
from axsim.circuits.formats import c
from axsim.cli import app
from axsim.multipliers import registry
from axsim.tables import list_tables


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, result.output
    return result.output


def test_import_of_one_file_says_how_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "my mult.blif"
    path.write_text(write_blif(baugh_wooley(8)))
    text = run("import", str(path))
    assert "my_mult: MAE 32512" in text
    assert "no file was written: --out library.h5 keeps what was read\n" in text
    assert "read as two's complement it is nearest" in text
    text = run("import", str(path), "--signed", "--name", "mine", "--out", str(tmp_path / "own.h5"))
    assert "mine: MAE 0, WCE 0" in text
    assert "nearest" not in text
    assert list_tables(tmp_path / "own.h5") == ("mine",)


def test_import_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "circuits"
    folder.mkdir()
    (folder / "one.c").write_text(c.write(exact(4)))
    (folder / "two.c").write_text(c.write(truncated(4, 3)))
    (folder / "signed.blif").write_text(write_blif(baugh_wooley(4)))
    (folder / "bad.c").write_text("int f(uint8_t a, uint8_t b) { return x; }")
    text = run("import", "circuits")
    assert "3 tables written to library.h5; axsim.load_library('library.h5') names them" in text
    assert "skipped: circuits/bad.c: 1:38: 'x' is not declared" in text
    assert "warning: circuits/signed.blif: Read as unsigned" in text
    assert axsim.load_library("library.h5") == ("one", "signed", "two")


def test_import_options(tmp_path: Path) -> None:
    path = tmp_path / "m.c"
    path.write_text("int f(int x, int y) { return (x & ~1) * y; } int g(int x, int y) { return x; }")
    assert "say which by top=" in run("import", str(path), status=1)
    text = run("import", str(path), "--top", "f", "--widths", "4,4", "--operands", "y,x")
    assert "The left operand is y, the right one is x: as operands= says" in text
    assert "--widths is '4', expected two words" in run("import", str(path), "--widths", "4", status=2)


@pytest.mark.parametrize(
    "format", ["blif", "verilog", "c", "cgp", "aag", "aig", "bin", "npy", "csv", "header"]
)
def test_export_and_info(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = run("export", "L40", "--format", format)
    (path,) = tmp_path.iterdir()
    assert path.name in text
    text = run("info", path.name)
    assert "That is the table of mul8u_L40." in text
    run("export", path.name, "--format", "npy", "--out", "again.npy")
    assert axsim.read("again.npy").table == axsim.get("L40").table


def test_export_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "expected one of blif" in run("export", "L40", "--format", "vhdl", status=2)
    assert "float multiplier" in run("export", "axfpm", "--format", "c", status=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["my mult.blif", "größe.blif", "_m.blif", "t.txt", "plain"])
def test_info_of_files_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(write_blif(baugh_wooley(4)))
    assert "nearest" in run("info", name)
    text = run("info", name, "--signed", "--operands", "b,a")
    assert "The left operand is b" in text
    assert "nearest" not in text


def test_info_of_names(tmp_path: Path) -> None:
    text = run("info", "L40")
    assert "the first parameter of the published C function, which that file calls B" in text
    assert axsim.get("L40").table.sha256 in text
    assert "'nothing.v'" in run("info", "nothing.v", status=2)
    assert "are for files" in run("info", "L40", "--signed", status=2)


def test_info_of_a_wide_circuit(tmp_path: Path) -> None:
    path = tmp_path / "wide.c"
    path.write_text(c.write(exact(13)))
    assert "estimated on 1048576 random operand pairs" in run("info", str(path))
    path.write_text(c.write(truncated(9, 4)))
    text = run("info", str(path))
    figures = axsim.get("trunc9_4").metrics()
    assert f"{figures.mre_percent:.6g}" in text
    assert "the product is p[18]" in text


@pytest.mark.parametrize("name", ["my mult.blif", "größe.blif", "_m.blif", "t.txt", "-odd.blif", "plain"])
def test_files_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if name.endswith(".txt"):
        lines = "\n".join(",".join(str(a * b) for b in range(16)) for a in range(16))
        Path(name).write_text(lines)
    else:
        axsim.circuits.write_blif(axsim.circuits.truncated(4, 3), name)
    found = CliRunner().invoke(app, ["info", "--", name])
    assert found.exit_code == 0, found.output
    assert "4x4 bits, unsigned" in found.output
    exchanged = ["columns,rows"] if name.endswith(".txt") else ["b,a"]
    again = CliRunner().invoke(app, ["info", "--operands", *exchanged, "--unsigned", "--", name])
    assert "as operands= says" in again.output


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothere.blif", "there is no file 'nothere.blif' in "),
        ("nothere.txt", "there is no file 'nothere.txt' in "),
        ("my multi.blif", "did you mean 'my mult.blif'?"),
        ("folder/x.v", "there is no folder 'folder'"),
        ("mul8u.xyz", "no multiplier is called 'mul8u.xyz'"),
        ("mul8u.xyz", "there is no file 'mul8u.xyz'"),
        ("a folder", "a folder is a folder; `axsim import 'a folder'` reads all that is in it"),
        ("L4O", "did you mean L40?"),
    ],
)
def test_what_is_not_there(name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a folder").mkdir()
    axsim.circuits.write_blif(axsim.circuits.exact(2), "my mult.blif")
    found = CliRunner().invoke(app, ["info", name])
    assert found.exit_code == 2
    assert says in found.output
    assert "Errno" not in found.output


def test_a_file_called_as_a_multiplier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    axsim.circuits.write_blif(axsim.circuits.exact(4), "L40")
    found = CliRunner().invoke(app, ["info", "L40"])
    assert "L40 is a multiplier's name; the file is ./L40" in found.output
    assert "8x8 bits" in found.output
    assert "4x4 bits" in CliRunner().invoke(app, ["info", "./L40"]).output


def test_what_a_file_does_not_say_can_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.c").write_text(
        "int f(int y, int x) { return y * x; }\nint g(int y, int x) { return y * x & ~1; }"
    )
    refused = CliRunner().invoke(app, ["info", "two.c", "--top", "g"])
    assert refused.exit_code == 2
    assert "widths=(8, 8)" in refused.output
    found = CliRunner().invoke(app, ["info", "two.c", "--top", "g", "--widths", "4,5"])
    assert "4x5 bits" in found.output
    assert "g(y, x)" in found.output
    wrong = CliRunner().invoke(app, ["info", "two.c", "--widths", "4,x"])
    assert "--widths is '4,x', expected two numbers" in wrong.output
    named = CliRunner().invoke(app, ["info", "L40", "--widths", "4,4"])
    assert "are for files, and 'L40' is none" in named.output


def test_one_table_is_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.c").write_text(c.write(exact(4)))
    assert "1 table written to library.h5" in run("import", "one.c", "--out", "library.h5")

"""``axsim compare``, ``pareto`` and ``report``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import axsim
from axsim.cli import app
from axsim.multipliers.libraries import record
from axsim.tables import write_tables

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]


def test_compare_prints_figures_and_writes_picture_and_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    mine = tmp_path / "mine.v"
    mine.write_text(
        "module mine(input [7:0] a, b, output [15:0] p); assign p = {a[7:1], 1'b0} * b; endmodule\n"
    )
    picture, page = tmp_path / "new" / "c.png", tmp_path / "c.html"
    text = run("compare", "L40", "JV3", str(mine), "-o", str(picture), "--html", str(page))
    assert ["figure", "mul8u_L40", "mul8u_JV3", "mine"] in rows(text)
    assert ["WCE", "9124", "5380", "255"] in rows(text)
    assert ["power (mW)", "0.189", "0.034", ""] in rows(text)
    assert "not of the published circuit" in text
    assert picture.read_bytes().startswith(PNG)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_compared_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for ending, factor in (("v", "a"), ("sv", "{a[1], 1'b0}")):
        text = f"module mine(input [1:0] a, b, output [3:0] p); assign p = {factor} * b; endmodule\n"
        (tmp_path / f"mine.{ending}").write_text(text)
    one, other = str(tmp_path / "mine.v"), str(tmp_path / "mine.sv")
    assert ["figure", "mine", "exact2"] in rows(run("compare", one, "exact2"))
    assert ["figure", one, other] in rows(run("compare", one, other))


def test_compare_refuses_what_it_cannot_draw(tmp_path: Path) -> None:
    assert "float multiplier" in run("compare", "L40", "axfpm", code=2)
    assert "13 multipliers are given" in run("compare", *["exact2"] * 13, code=2)
    pytest.importorskip("matplotlib")
    assert "path must end in" in run("compare", "L40", "-o", str(tmp_path / "x.docx"), code=2)


def test_pareto_of_names(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "front.svg"
    text = run("pareto", "exact8", "trunc8_3", "trunc8_6", "GS2", "drum8_4", "-o", str(picture))
    assert "Pareto front: 3 of 4" in text
    assert [row[0] for row in rows(text)[2:]] == ["trunc8_6", "trunc8_3", "exact8"]
    assert "left out, no energy is known: drum8_4" in text
    assert b"<svg" in picture.read_bytes()


def test_pareto_of_a_library(tmp_path: Path) -> None:
    library = tmp_path / "library.h5"
    write_tables(library, [record(axsim.get(name)) for name in ("trunc8_6", "trunc8_3", "L40", "drum8_4")])
    text = run("pareto", str(library), "--x", "area", "--y", "wce")
    assert [row[0] for row in rows(text)[2:]] == ["trunc8_6", "trunc8_3"]
    assert "no area is known: drum8_4" in text
    printed = run("pareto", str(library), "--x", "published_power", "--y", "mae")
    assert [row[0] for row in rows(printed)[2:]] == ["mul8u_L40"]


def test_different_widths_are_told(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    note = "Widths differ, and a narrow multiplier costs and errs less because it is narrow. "
    for command in ("pareto", "compare"):
        text = run(command, "trunc8_3", "exact4", "trunc4_2")
        assert f"{note}8x8 bits: trunc8_3; 4x4 bits: exact4, trunc4_2." in " ".join(text.split())
        assert note not in run(command, "trunc4_2", "exact4")
    run("compare", "exact2", "exact3", "--html", str(tmp_path / "c.html"))
    assert note in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_pareto_of_a_library_of_one(tmp_path: Path) -> None:
    library = tmp_path / "library.h5"
    write_tables(library, [record(axsim.get("trunc8_6"))])
    assert [row[0] for row in rows(run("pareto", str(library)))[2:]] == ["trunc8_6"]


def test_pareto_of_all_that_have_names() -> None:
    text = run("pareto", "--x", "published_power", "--y", "ep")
    assert "mul8u_1JFF" in text


def test_pareto_says_what_it_knows() -> None:
    assert "expected one of mae" in run("pareto", "L40", "--x", "speed", code=2)
    assert "are known of none" in run("pareto", "drum8_4", code=2)


def test_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert run("report", "L40~") == "page: mul8u_L40.html\n"
    assert axsim.get("L40~").table.sha256 in Path("mul8u_L40.html").read_text(encoding="utf-8")
    Path("größe.c").write_text("int mul4u_f(int y, int x) { return y * x; }")
    run("report", "größe.c", "--operands", "x,y", "-o", "page.html")
    assert "The left operand is x" in Path("page.html").read_text(encoding="utf-8")
    assert "float multiplier" in run("report", "axfpm", code=2)

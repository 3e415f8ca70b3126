"""Pages about multipliers: what is known stands in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_html_pages import parsed

import axsim
from axsim.circuits import mapping
from axsim.plots.reports import comparison_page, report_page

pytest.importorskip("matplotlib")


def words(page: str) -> str:
    return " ".join(" ".join(parsed(page).text).split())


def test_a_report_says_what_is_known() -> None:
    text = words(report_page(axsim.get("L40")))
    l40 = axsim.get("L40")
    for fact in (
        *("mul8u_L40", "8x8 bits, unsigned", "a is a[8], b is b[8], the product is p[16]"),
        *(l40.table.sha256, "no: a and b cannot be exchanged", l40.citation),
        "first parameter of the published C function, which that file calls B",
        *("1011.25 1011 yes", "area (unit gates) 801 424", "power (mW) 0.189"),
        "not of the published circuit",
    ):
        assert fact in text, fact


def test_a_report_of_a_file_has_its_reading(tmp_path: Path) -> None:
    path = tmp_path / "mul4u_mine.c"
    path.write_text("int mul4u_mine(int B, int A) { return (B & ~1) * A; }")
    text = words(report_page(axsim.read(path)))
    assert "B is the first parameter of the C function" in text
    assert text.count(axsim.read(path).table.sha256) == 1
    assert "No published cost figures are known." in text


def test_a_report_of_a_table_has_no_estimates() -> None:
    text = words(report_page(axsim.get("drum8_4")))
    assert "there are no gates to count" in text
    assert "unit gates" not in text


def test_exchanged_operands_are_named() -> None:
    text = words(report_page(axsim.get("L40~")))
    assert "with operands exchanged mul8u_L40" in text


def test_cells_or_why_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "cells.genlib"
    library.write_text(
        "GATE inv 1 O=!a; PIN * INV 1 9 1 0 1 0\nGATE nand 2 O=!(a*b); PIN * INV 1 9 1 0 1 0\n"
        "GATE zero 0 O=CONST0;\nGATE one 0 O=CONST1;\n"
    )
    try:
        mapping.find_program()
    except RuntimeError:
        pass
    else:
        assert "to cells.genlib, in its units, without wires" in words(
            report_page(axsim.get("trunc4_2"), library)
        )
    monkeypatch.setattr(mapping, "PROGRAMS", ("no-such-program",))
    assert "Mapping to cells was skipped" in words(report_page(axsim.get("trunc4_2"), library))


def test_a_comparison_has_all_side_by_side() -> None:
    page = comparison_page([axsim.get("L40"), axsim.get("drum8_4"), axsim.get("exact8s")])
    text = words(page)
    assert "figure mul8u_L40 drum8_4 exact8s MAE 1011.25 925.858 0" in text
    assert "801 (1.889) no gates 427 (1.000)" in text
    assert len(re.findall("<img ", page)) == 3
    assert "power (mW) 0.189" in text


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="0 multipliers are given"):
        comparison_page([])

"""``axsim cost``: every number with what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import axsim
from axsim.circuits import cost, write_blif
from axsim.circuits import mapping as mapping_module
from axsim.cli import app


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["cost", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def rows(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    return {row[0]: row[1:] for row in cells}


def test_estimates_and_published_figures_say_which_they_are() -> None:
    text = run("L40")
    assert "Estimated by axsim, for uniform operands" in text
    assert "published by its authors, for 45 nm: power 0.189 mW, area 437.4 µm², delay 1.48 ns" in text
    assert "not of the published circuit" in text
    assert rows(text)["area (unit gates)"][:2] == ["801", "424"]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my mult.blif"
    write_blif(axsim.circuits.truncated(6, 4), path)
    own, exact = cost(axsim.circuits.truncated(6, 4)), cost(axsim.circuits.exact(6))
    found = rows(run(str(path)))["delay (unit gates)"]
    assert found == [str(own.delay), str(exact.delay), f"{own.delay / exact.delay:.3f}"]


def test_what_has_no_gates() -> None:
    assert "no gates to count" in run("drum8_4")
    assert "no gates to count" in run("2AC")
    assert "power 0.311 mW" in run("2AC")
    assert "energy 0.487" in run("axfpm")


def test_statistics_from_files(tmp_path: Path) -> None:
    pairs, ones, bad = (tmp_path / name for name in ("pairs.npy", "ones.npy", "bad.npy"))
    np.save(pairs, np.array([[3, 5], [3, 5]]))
    np.save(ones, np.ones(256))
    np.save(bad, np.ones(7))
    text = run("exact8", "--samples", str(pairs))
    assert "for 2 operand pairs" in text
    assert rows(text)["toggles"] == ["0", "0", "nan"]
    same = run("exact8", "--histogram-a", str(ones), "--histogram-b", str(ones))
    assert rows(same)["toggles"] == rows(run("exact8"))["toggles"]
    assert "belong together" in run("exact8", "--histogram-a", str(ones), code=2)
    assert "one kind of statistics" in run(
        "exact8", "--samples", str(pairs), "--histogram-a", str(ones), code=2
    )
    assert "expected (N, 2)" in run("exact8", "--samples", str(ones), code=2)
    assert "shape (7,), expected (256,)" in run(
        "exact8", "--histogram-a", str(bad), "--histogram-b", str(ones), code=2
    )
    assert "no regular file" in run("exact8", "--samples", "/dev/zero", code=2)


def test_mapping_is_skipped_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "cells.genlib"
    cells = "GATE inv 1 O=!a; PIN * INV 1 9 1 0 1 0\nGATE nand 2 O=!(a*b); PIN * INV 1 9 1 0 1 0\n"
    library.write_text(cells + "GATE zero 0 O=CONST0;\nGATE one 0 O=CONST1;\n")
    try:
        mapping_module.find_program()
    except RuntimeError:
        pass
    else:
        text = run("trunc4_3", "--library", str(library))
        assert "in the library's units" in text
        assert "nand" in text
    monkeypatch.setattr(mapping_module, "PROGRAMS", ("no-such-program",))
    assert "mapped: skipped, none of no-such-program is installed" in run(
        "trunc4_3", "--library", str(library)
    )


def test_a_library_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.genlib").write_text("")
    text = run("L40", "--library", "cell.genlib", code=2)
    assert "there is no file 'cell.genlib' in " in text
    assert "did you mean 'cells.genlib'?" in text

"""The command line, as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import axsim
from axsim.circuits import write_blif
from axsim.cli import app
from axsim.cli.doctor import _cache
from axsim.multipliers import registry
from axsim.tables import list_tables

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_names_every_multiplier() -> None:
    words = run("list").split()
    missing = [name for name in (*axsim.list_multipliers(), "axfpm", "heap_like") if name not in words]
    assert missing == []


def test_info_shows_published_figures_beside_computed_ones() -> None:
    text = run("info", "L40")
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert ["", "MAE", "1011.25", "1011", "yes", ""] in rows
    assert sum(row[4:5] == ["yes"] for row in rows) == 8
    assert "NO" not in text
    for fact in ("symmetric", "673 gates", "0.189 mW", "a is the left operand", "10.23919/DATE.2017.7926993"):
        assert fact in text, fact


def test_info_of_a_family_and_of_a_float_multiplier() -> None:
    assert "published" not in run("info", "drum8_4")
    assert "1-8-23" in run("info", "axfpm")


def test_a_circuit_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    path = tmp_path / "mine.blif"
    write_blif(axsim.circuits.kulkarni(8), path)
    rows = [line.split() for line in run("info", str(path)).splitlines()]
    assert ["|", "MAE", "|", f"{axsim.get('kulkarni8').metrics().mae:.6g}", "|"] in rows
    pytest.importorskip("matplotlib")
    run("plot", str(path), "-o", str(tmp_path / "mine.png"))


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot_writes_the_picture(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / f"error.{ending}"
    assert f"picture: {path} (the folder {path.parent} is new)\n" in run("plot", "L40", "-o", str(path))
    assert path.read_bytes().startswith(PNG if ending == "png" else b"<?xml")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_build_writes_tables_and_checks_them(tmp_path: Path) -> None:
    tmp_path /= "new"
    assert f" (the folder {tmp_path} is new)\n" in run("build", "L40", "drum8_4", "--out", str(tmp_path))
    assert list_tables(tmp_path / "evoapprox8b.h5") == ("mul8u_L40",)
    run("build", "L40", "drum8_4", "--out", str(tmp_path), "--check")
    (tmp_path / "families.h5").unlink()
    result = CliRunner().invoke(app, ["build", "L40", "drum8_4", "--out", str(tmp_path), "--check"])
    assert result.exit_code == 1
    assert "families.h5" in result.output


def test_doctor_says_what_was_found_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "new"))
    monkeypatch.setenv("AXSIM_NUM_THREADS", "3")
    monkeypatch.delenv("AXSIM_ISA", raising=False)
    text = run("doctor")
    found = dict(line.split("  ", 1) for line in text.splitlines() if not line.startswith("BLAS of NumPy "))
    found = {subject.strip(): finding.strip() for subject, finding in found.items()}
    assert found["threads"] == "3, from AXSIM_NUM_THREADS"
    assert "the best that they have" in found["kernels"]
    assert found["kernels"].endswith("portable")  # the last to choose from
    assert "the best that they have" in found["exact GEMM"]
    assert f"axsim {axsim.__version__}" in found["versions"]
    assert f"numpy {np.__version__}" in found["versions"]
    assert found["cache"] == f"{tmp_path / 'new'}, from AXSIM_CACHE_DIR, made when it is needed"
    assert "BLAS of NumPy" in text
    (tmp_path / "file").touch()
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("AXSIM_ISA", "portable")
    monkeypatch.delenv("AXSIM_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    text = run("doctor")
    for expected in (
        "portable, as AXSIM_ISA asks; to choose from: ",
        "portable kernels for tables that have factors, as AXSIM_ISA asks",
        "2, from OMP_NUM_THREADS",
        "cannot be written",
    ):
        assert expected in text
    monkeypatch.setenv("OMP_NUM_THREADS", "0")
    assert "may run on; OMP_NUM_THREADS is '0', which is no number of threads" in run("doctor")


def test_doctor_says_that_a_cache_is_in_a_folder_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, stat, access = tmp_path / "theirs", os.stat, os.access
    theirs.mkdir()

    def refuse(
        path: Any, *args: Any, **kwargs: Any
    ) -> Any:  # whoever runs the tests may be allowed everything
        if not isinstance(path, int) and theirs in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != theirs and access(path, mode))
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(theirs / "cache"))
    assert _cache() == (
        f"{theirs / 'cache'}, from AXSIM_CACHE_DIR, which cannot be written: GPU kernels are compiled anew "
        "in every process"
    )


def test_a_reader_that_leaves_is_no_error() -> None:
    pipe = f"({sys.executable} -m axsim list; echo status $? >&2) | true"
    done = subprocess.run(pipe, shell=True, capture_output=True, text=True)
    assert "Broken pipe" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.splitlines()[-1] in ("status 1", "status 0")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("info", "L4O"), "did you mean"),
        (("info", "trunc8_99"), "trunc8_99"),
        (("plot", "axfpm", "-o", "x.png"), "float multiplier"),
        (("plot", "L40", "-o", "x.xyz"), ".png"),
        (("build", "nothing"), "nothing"),
        (("info", "nothing.blif"), "nothing.blif"),
        (("demo", "--out", "/dev/null"), "--out is '/dev/null', which is no folder"),
    ],
)
def test_errors_are_one_message(arguments: tuple[str, ...], expected: str) -> None:
    if "plot" in arguments:
        pytest.importorskip("matplotlib")
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2, found.output  # an exception that is not told makes it 1
    assert found.stdout == ""
    assert found.stderr.startswith("axsim: ")
    assert expected in found.stderr


def test_errors_come_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "axsim", "build", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("axsim: ")
    assert "Traceback" not in done.stderr


def test_python_runs_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "axsim", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: axsim" in done.stdout
    assert "doctor" in done.stdout


@pytest.mark.parametrize("value", ["99999999999999999999", str(2**31)])
def test_doctor_refuses_a_number_of_threads_that_cannot_be(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AXSIM_NUM_THREADS", value)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert f"AXSIM_NUM_THREADS is '{value}', expected an integer from 1 to 65536" in result.output


def test_info_of_a_float_multiplier_shows_what_is_published_of_the_papers_circuit() -> None:
    text = run("info", "axfpm")
    assert (
        "energy 0.487, delay 0.29 of the exact floating-point multiplier's: published for the paper's" in text
    )
    assert "circuit Ax-FPM" in text
    assert "Table 9" in text
    assert "circuit HEAP" in run("info", "heap_like")
    assert "energy 0.4, delay 0.4" in run("info", "bfloat16")
    assert "published for" not in run("info", "axbf16")
    assert "below 2.35099e-38" in run("info", "axbf16")

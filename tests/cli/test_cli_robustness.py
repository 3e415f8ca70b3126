"""``axsim robustness``: an experiment measured, gone on with and reported on from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from toy_experiment import toy
from typer.testing import CliRunner

pytest.importorskip("loky", reason="sweeps need loky (extra robustness)")
pytest.importorskip("jinja2", reason="reports need jinja2 (extra robustness)")
pytest.importorskip("matplotlib", reason="reports need matplotlib (extra robustness)")

from axsim.cli import app
from axsim.robustness import experiments
from axsim.robustness.cells import Cell
from axsim.robustness.store import Shared

FILE = """
kind = "toy"
title = "A toy"
[settings]
pause = 0
[axes]
attack = ["fgsm", "pgd"]
seed = [0, 1]
[[report.tables]]
title = "Rates"
rows = "attack"
value = "rate"
unit = "%"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(experiments, "_kinds", {"toy": toy()})
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(FILE)
    return path


def call(*arguments: object, expected: int = 0) -> str:
    result = CliRunner().invoke(app, ["robustness", *map(str, arguments)])
    assert result.exit_code == expected, result.output
    return result.output


def test_run_status_report(file: Path) -> None:
    folder = Path("out/robustness/small")
    assert "0 of 4 cells are measured" in call("status", file, expected=1)
    assert "nothing is measured" in call("report", file, expected=2)
    assert not folder.exists()
    told = call("run", file, "--jobs", 2)
    assert f"4 of 4 cells are measured in {folder}" in told
    assert "cells: 4/4" in told
    page = (folder / "report.html").read_text()
    assert "all are there" in page
    assert f"4 of 4 cells are measured in {folder}" in call("status", file)
    (folder / "report.html").unlink()
    assert str(folder / "report.html") in call("report", file)
    assert (folder / "report.html").read_text() == page
    assert "4 of 4 cells are there already" in call("run", file)
    assert len(list((folder / "shared").glob("*.npz"))) == 1


def test_images_are_those_of_the_last_run(file: Path, tmp_path: Path) -> None:
    call("run", file, "--images", 3, "--jobs", 1, "--out", tmp_path / "o")
    assert "4 of 4 cells" in call("status", file, "--out", tmp_path / "o")
    assert "0 of 4 cells" in call("status", file, "--images", 4, "--out", tmp_path / "o", expected=1)
    cells = [json.loads(p.read_text())["cell"] for p in (tmp_path / "o" / "cells").iterdir()]
    assert {c["images"] for c in cells} == {3}
    told = call("run", file, "--jobs", 1, "--out", tmp_path / "o")
    assert "4 cells in" in told  # of three images
    assert "they stay" in told
    (tmp_path / "o" / "run.json").write_text("{")
    assert "give --images, or delete it" in call("status", file, "--out", tmp_path / "o", expected=2)


def test_failed_cells_make_the_exit_status(file: Path) -> None:
    file.write_text(FILE.replace('"pgd"', '"broken"'))
    told = call("run", file, "--jobs", 1, expected=1)
    assert "2 of 4 cells are measured" in told
    assert "2 cells failed; the same command tries them again" in told
    assert "no such thing" in Path("out/robustness/small/report.html").read_text()
    told = call("status", file, expected=1)
    assert "failed: attack=broken, images=10, pause=0, seed=0: RuntimeError: no such thing" in told
    file.write_text(FILE.replace('["fgsm", "pgd"]', '["broken"]'))
    assert "0 of 2 cells are measured" in call("run", file, "--jobs", 1, expected=1)


def test_a_damaged_cell_is_told(file: Path) -> None:
    call("run", file, "--jobs", 1)
    path = next(Path("out/robustness/small/cells").iterdir())
    path.write_bytes(path.read_bytes()[:-9])
    told = call("status", file, expected=1)
    assert "3 of 4 cells are measured" in told
    assert f"{path} is damaged" in told
    assert "it is measured again" in call("run", file, "--jobs", 1)
    assert "4 of 4 cells" in call("status", file)


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (FILE.replace("seed =", "sede ="), (), "axes.sede: not known here: did you mean seed?"),
        (FILE.replace('"toy"', '"toi"'), (), "did you mean toy?"),
        (FILE, ("--images", 0), "--images: 0 came"),
        (FILE, ("--jobs", 0), "jobs is 0, expected 1 to"),
        (FILE, ("--dask", "tcp://x:1", "--ray"), "--dask and --ray came"),
        (FILE, ("--dask", "nowhere"), "backend is 'nowhere', expected"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(file: Path, text: str, options: Any, told: str) -> None:
    file.write_text(text)
    output = call("run", file, *options, expected=2)
    assert told in output
    assert "Traceback" not in output


def test_no_such_file(file: Path) -> None:
    assert "there is no file 'none.toml' in " in call("run", "none.toml", expected=2)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zeros.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "zeros.toml"):
        assert "no regular file" in call("status", tmp_path / name, expected=2)


def test_other_code_in_a_process_is_no_result(file: Path, tmp_path: Path) -> None:
    run = toy().with_shared(Shared(tmp_path / "shared", "another version"))
    with pytest.raises(RuntimeError, match="is not that of the sweep"):
        run(Cell({"attack": "fgsm", "images": 1, "pause": 0, "seed": 0}))


SCRIPT = """
import signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit that it is ignored
sys.path.insert(0, {tests!r})
sys.modules["axsim.robustness.kinds"] = types.ModuleType("none of them is asked for, and torch takes long")
from toy_experiment import toy
from axsim.cli import app
from axsim.robustness.experiments import register
register(toy())
app(["robustness", "run", "small.toml", "--jobs", "2"])
"""


def test_interrupted_it_says_what_is_kept(file: Path) -> None:
    file.write_text(FILE.replace("pause = 0", "pause = 0.5").replace("[0, 1]", f"{list(range(100))}"))
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    cells = Path("out/robustness/small/cells")
    while process.poll() is None and not (cells.is_dir() and any(cells.glob("*.json"))):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    _, told = process.communicate(timeout=600)
    assert process.returncode == 130, told
    kept = len(list(cells.glob("*.json")))
    assert f"interrupted; {kept} of 200 cells are kept" in told
    assert "Traceback" not in told

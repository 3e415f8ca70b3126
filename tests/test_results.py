"""Tables on standard output and JSON files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from axsim import __version__
from axsim.results import print_table, versions, write_json


def test_tables_are_markdown_outside_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 120
    print_table("Title", ("name", "MAE"), [("L40", "1.5"), (long, "20")])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == "Title"
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[1], *lines[3:])] == [
        ["name", "MAE"],
        ["L40", "1.5"],
        [long, "20"],
    ]


def test_json_is_written_into_a_new_folder(tmp_path: Path) -> None:
    path = write_json(tmp_path / "new" / "result.json", {"a": [1, 2.5], "b": None})
    assert json.loads(path.read_text()) == {"a": [1, 2.5], "b": None}
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]


@pytest.mark.parametrize(("bad", "error"), [(float("nan"), ValueError), (np.zeros(2), TypeError)])
def test_what_json_cannot_say_is_refused_and_leaves_the_old_file(
    tmp_path: Path, bad: object, error: type[Exception]
) -> None:
    path = write_json(tmp_path / "result.json", {"a": 1})
    with pytest.raises(error):
        write_json(path, {"a": bad})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_versions_name_axsim() -> None:
    assert versions()["axsim"] == __version__
    assert set(versions()) == {"axsim", "numpy", "python"}

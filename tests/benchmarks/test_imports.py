"""A small folder is written and read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from axsim.multipliers.libraries import import_files
from benchmarks import imports


def test_files_are_of_all_formats_and_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "generated", lambda: iter(()))
    monkeypatch.setattr(imports, "circuits", lambda: map(imports.truncated, (2, 3, 4), (1, 2, 3)))
    assert imports.write_files(tmp_path, 6) == Counter({"c": 1, "blif": 2, "cgp": 1, "v": 1, "aag": 1})
    found = import_files([tmp_path])
    assert found.skipped == ()
    assert sorted(found.records) == [
        *("trunc2_1_blif", "trunc2_1_c", "trunc2_1_cgp"),
        *("trunc3_2_aag", "trunc3_2_v", "trunc4_3_blif"),
    ]


def test_the_folder_is_as_large_as_said(tmp_path: Path) -> None:
    assert imports.write_files(tmp_path, 3).total() == 3
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3

"""Files are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axsim.files import check_folder, replace_file


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    for data in (b"one", b"two"):
        assert replace_file(path, data) == path
        assert path.read_bytes() == data
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(self: Path, *_: object) -> None:
        if step == "write_bytes":
            with self.open("wb") as half:
                half.write(b"ne")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(OSError, match=r"file cannot be written: No space left on device"):
        replace_file(path, b"new")
    monkeypatch.undo()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_a_folder_is_made(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "x" / "y").is_dir()


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"--out is '.*', which is no folder and cannot be made one"):
            check_folder(path, "--out")


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ValueError, match="a folder that cannot be written"):
        check_folder(tmp_path)

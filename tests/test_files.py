"""Files are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from axsim import files
from axsim.files import (
    cache_directory,
    check_folder,
    is_regular,
    read_regular,
    replace_file,
    warn_once,
)


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


def test_regular_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(path)
    for name in ("file", "link"):
        assert read_regular(tmp_path / name, 5) == b"12345"
        assert is_regular(tmp_path / name, 5)
        assert not is_regular(tmp_path / name, 4)
        with pytest.raises(OSError, match="it has 5 bytes, more than 4"):
            read_regular(tmp_path / name, 4)


def test_nothing_else_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("pipe", "zeros", "dangling", "nowhere", "."):
        assert not is_regular(tmp_path / name, 1 << 20)
        with pytest.raises(OSError, match=r"no regular file|No such file|Is a directory") as refused:
            read_regular(tmp_path / name, 1 << 20)
        assert refused.value.filename == str(tmp_path / name)


def test_a_cache_folder_that_cannot_be_had_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(self: Path) -> Path:
        if str(self).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return self

    monkeypatch.setattr(Path, "expanduser", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("AXSIM_CACHE_DIR", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it does for an unknown user
    assert cache_directory() is None
    monkeypatch.setenv("AXSIM_CACHE_DIR", "~/mine")
    assert cache_directory() is None
    monkeypatch.setenv("AXSIM_CACHE_DIR", "/mine")
    assert cache_directory() == Path("/mine")


HOMELESS = """
import os
os.setuid(54321)
os.environ.pop("HOME", None), os.environ.pop("AXSIM_CACHE_DIR", None), os.environ.pop("XDG_CACHE_HOME", None)
from axsim.files import cache_directory
assert cache_directory() is None
assert axsim.get("L40")(200, 13) == 2024
assert axsim.matmul(np.ones((40, 40), np.uint8), np.ones((40, 40), np.uint8), "JQQ", engine="factored").shape
"""


@pytest.mark.skipif(
    os.getuid() != 0, reason="only root can become a user that the password file does not know"
)
def test_a_user_without_a_home_computes() -> None:
    # What the user may not read is loaded before.
    code = "import numpy as np, platformdirs, axsim; axsim.get('L40').table\n" + HOMELESS
    code = "import axsim.tables.factor_library; axsim.tables.factor_library.library()\n" + code
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_one_warning_about_one_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_warned", set())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warn_once("this", "one")
        warn_once("this", "two")
        warn_once("that", "three")
    assert [str(warning.message) for warning in warned] == ["one", "three"]

"""Downloads, from a server on this machine."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_files import grey, write_idx

from axsim import datasets
from axsim.datasets import raw
from axsim.errors import DatasetError

pytest.importorskip("pooch", reason="downloading needs pooch")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address, and the folder that it serves: tiny files under the names of MNIST's."""
    folder = write_idx(tmp_path / "served", grey())
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    address, folder = server
    digests = {path.name: {"md5": raw.md5(path.read_bytes())} for path in sorted(folder.iterdir())}
    nothing_there = f"{address}nothing/"
    monkeypatch.setitem(raw.sources()["mnist"], "urls", [nothing_there, address])
    monkeypatch.setitem(raw.sources()["mnist"], "files", digests)
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AXSIM_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "datasets"


def test_what_is_missing_is_fetched_once(cache: Path, server: tuple[str, Path]) -> None:
    with pytest.raises(DatasetError, match="was not found"):
        datasets.load("mnist")  # not by itself
    data = datasets.load("mnist", download=True)
    np.testing.assert_array_equal(data.train_images, grey()[0][:, None])
    assert data.note == ""
    assert data.source == str(cache / "MNIST" / "raw")
    for path in server[1].iterdir():
        path.unlink()
    assert datasets.load("mnist", download=True).note == ""
    assert datasets.load("mnist").note == ""


def test_a_folder_that_is_given_is_where_it_goes(cache: Path, tmp_path: Path) -> None:
    data = datasets.load("mnist", tmp_path / "here", download=True)
    assert data.source == str(tmp_path / "here" / "MNIST" / "raw")
    assert not cache.exists()


def test_another_file_is_not_taken(cache: Path, server: tuple[str, Path]) -> None:
    path = server[1] / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match=r"mnist could not be downloaded: .*t10k-labels-idx1-ubyte\.gz"):
        datasets.load("mnist", download=True)
    assert not (cache / "MNIST" / "raw" / path.name).exists()
    with pytest.raises(DatasetError, match="was not found"):
        datasets.load("mnist")

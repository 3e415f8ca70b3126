"""The original files of CIFAR-10."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_files import archive, binary, color, pickled

from axsim import datasets
from axsim.datasets import cifar, raw
from axsim.errors import DatasetError

IMAGES, LABELS = color()
PATH = Path("data_batch_1")


@pytest.fixture
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests of our tiny batches, in the place of the published ones."""
    digests = {name: raw.md5(pickled(IMAGES[k], LABELS[k])) for k, name in enumerate(cifar.BATCHES)}
    monkeypatch.setitem(raw.sources()["cifar10"], "batches", digests)


def check(data: datasets.Dataset) -> None:
    np.testing.assert_array_equal(data.train_images, IMAGES[:5].reshape(10, 3, 32, 32))
    np.testing.assert_array_equal(data.train_labels, LABELS[:5].ravel())
    np.testing.assert_array_equal(data.test_images, IMAGES[5])
    np.testing.assert_array_equal(data.test_labels, LABELS[5])
    assert data.classes[0] == "airplane"
    assert data.classes[9] == "truck"


def write_python(folder: Path) -> Path:
    folder.mkdir()
    for k, name in enumerate(cifar.BATCHES):
        (folder / name).write_bytes(pickled(IMAGES[k], LABELS[k]))
    return folder


def write_binary(folder: Path) -> Path:
    folder.mkdir()
    for k, name in enumerate(cifar.BATCHES):
        (folder / f"{name}.bin").write_bytes(binary(IMAGES[k], LABELS[k]))
    return folder


@pytest.mark.usefixtures("_published")
def test_python_folder(tmp_path: Path) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    data = datasets.load("cifar10", tmp_path)
    check(data)
    assert data.note == ""


@pytest.mark.usefixtures("_published")
def test_python_archive(tmp_path: Path) -> None:
    files = {name: pickled(IMAGES[k], LABELS[k]) for k, name in enumerate(cifar.BATCHES)}
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(archive(files, "cifar-10-batches-py"))
    data = datasets.load("cifar10", tmp_path)
    check(data)
    assert data.note == ""
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing was unpacked to the disk
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"cifar-10-python\.tar\.gz is truncated"):
        datasets.load("cifar10", tmp_path)


def test_binary_folder_and_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_binary(tmp_path / "cifar-10-batches-bin")
    data = datasets.load("cifar10", tmp_path)
    check(data)
    assert data.note == "not checked against published digests"
    other = tmp_path / "other"
    other.mkdir()
    packed = archive({path.name: path.read_bytes() for path in folder.iterdir()}, folder.name)
    (other / "cifar-10-binary.tar.gz").write_bytes(packed)
    data = datasets.load("cifar10", other)
    check(data)
    assert data.note == "not the published archive"
    monkeypatch.setitem(raw.sources()["cifar10"], "binary_archive", {"x": raw.md5(packed)})
    assert datasets.load("cifar10", other).note == ""


def test_a_truncated_binary_file(tmp_path: Path) -> None:
    folder = write_binary(tmp_path / "cifar-10-batches-bin")
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"data_batch_3\.bin is truncated: it has 6145 bytes"):
        datasets.load("cifar10", tmp_path)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"data_batch_3\.bin is truncated"):
        datasets.load("cifar10", tmp_path)


def test_a_batch_with_another_digest_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_python(tmp_path / "cifar-10-batches-py")
    monkeypatch.setattr(cifar, "unpickle", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(DatasetError, match=r"data_batch_1 has the MD5 .*as a pickle it is not opened"):
        datasets.load("cifar10", tmp_path)


class Runs:
    """What an attacker would pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "was here"
    for content in (Runs(mark), {"data": Runs(mark), "labels": [1]}):
        with pytest.raises(DatasetError, match=r"names (posix|nt)\.mkdir is no batch.*not run"):
            cifar.unpickle(pickle.dumps(content, protocol), PATH)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "numpy.load", "numpy.core.multiarray.fromfile", "os.system"]
)
def test_no_other_name_is_known(name: str) -> None:
    module, _, function = name.rpartition(".")
    with pytest.raises(DatasetError, match="it was not run"):
        cifar.unpickle(f"c{module}\n{function}\n.".encode(), PATH)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_of_old_and_new_numpy(module: str) -> None:
    images, labels = cifar.unpickle(pickled(IMAGES[0], LABELS[0], module), PATH)
    np.testing.assert_array_equal(images, IMAGES[0])
    np.testing.assert_array_equal(labels, LABELS[0])


@pytest.mark.parametrize("cut", [0, 1, 40, 3000, -1])
def test_truncated_pickles(cut: int) -> None:
    with pytest.raises(DatasetError, match="data_batch_1 is no intact batch"):
        cifar.unpickle(pickled(IMAGES[0], LABELS[0])[:cut], PATH)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"data": [1, 2], "labels": [1]},
        {"labels": [1]},
    ],
)
def test_pickles_of_something_else(content: Any) -> None:
    with pytest.raises(DatasetError, match=r"'data' .* and 'labels' were expected"):
        cifar.unpickle(pickle.dumps(content, 2), PATH)


def test_batches_of_another_shape() -> None:
    with pytest.raises(DatasetError, match="'labels' were expected"):
        cifar.unpickle(pickled(IMAGES[0][:, :1], LABELS[0]), PATH)

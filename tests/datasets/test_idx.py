"""The original files of MNIST and Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from tiny_files import grey, write_idx

from axsim import datasets
from axsim.datasets import idx
from axsim.errors import DatasetError

PATH = Path("train-images-idx3-ubyte")


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)))
def test_what_is_written_is_read(array: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(idx.parse(idx.to_bytes(array), PATH), array)


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=4)), st.data())
def test_every_truncation_and_every_extra_byte_is_seen(array: NDArray[np.uint8], data: st.DataObject) -> None:
    whole = idx.to_bytes(array)
    for wrong in (whole[: data.draw(st.integers(0, len(whole) - 1))], whole + b"\x00"):
        with pytest.raises(DatasetError, match=str(PATH)):
            idx.parse(wrong, PATH)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00\x0d\x01", "begins with 00 00 0d 01; an IDX file of bytes"),  # floats
        (b"\x89PNG", "begins with 89 50 4e 47"),
        (b"\x00\x00\x08\x03\x00\x00", "is truncated: its header has 16 bytes, 6 are there"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abcd", "is truncated: 5 values are announced, 4 are there"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03abcd", "is damaged: 3 values are announced, 4 are there"),
        (b"\x00\x00\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "is truncated"),
    ],
)
def test_messages(data: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        idx.parse(data, PATH)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "MNIST/raw"),
        ("mnist", "mnist"),
        ("fashion_mnist", "FashionMNIST/raw"),
        ("fashion_mnist", "fashion-mnist"),
        ("fashion_mnist", "fashion"),
    ],
)
def test_folders(tmp_path: Path, packed: bool, name: str, folder: str) -> None:
    files = grey()
    write_idx(tmp_path / folder, files, packed=packed)
    data = datasets.load(name, tmp_path)
    np.testing.assert_array_equal(data.train_images, files[0][:, None])
    np.testing.assert_array_equal(data.train_labels, files[1])
    np.testing.assert_array_equal(data.test_images, files[2][:, None])
    np.testing.assert_array_equal(data.test_labels, files[3])
    assert data.train_labels.dtype == np.int64
    assert data.source == str(tmp_path / folder)
    assert data.note == "not checked against published digests"


def test_a_folder_without_one_of_the_four_files_is_none(tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist", grey())
    (tmp_path / "mnist" / f"{idx.FILES[2]}.gz").unlink()
    with pytest.raises(DatasetError, match="mnist was not found"):
        datasets.load("mnist", tmp_path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    write_idx(tmp_path / "mnist", grey())
    path = tmp_path / "mnist" / f"{idx.FILES[0]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz is truncated"):
        datasets.load("mnist", tmp_path)


def test_files_of_no_known_set_in_a_folder_that_does_not_say_which(tmp_path: Path) -> None:
    """MNIST's files and Fashion-MNIST's have the same names."""
    write_idx(tmp_path, grey())
    for name, folder in (("mnist", "MNIST/raw"), ("fashion_mnist", "FashionMNIST/raw")):
        with pytest.raises(DatasetError, match=f"have the same names: put them into {folder}"):
            datasets.load(name, tmp_path)


def test_images_and_labels_of_different_numbers(tmp_path: Path) -> None:
    images, labels, test_images, test_labels = grey()
    write_idx(tmp_path / "mnist", (images, labels[:-1], test_images, test_labels))
    with pytest.raises(DatasetError, match=r"there are 5 train images and labels \(4,\)"):
        datasets.load("mnist", tmp_path)
    write_idx(tmp_path / "mnist", (images, labels + 10, test_images, test_labels))
    with pytest.raises(DatasetError, match=r"train labels go from .*; 0 to 9 were expected"):
        datasets.load("mnist", tmp_path)
    write_idx(tmp_path / "mnist", (images.reshape(5, -1), labels, test_images, test_labels))
    with pytest.raises(DatasetError, match=r"images of mnist are \(5, 784\)"):
        datasets.load("mnist", tmp_path)


def test_the_published_files_are_known(shared: Path, tmp_path: Path) -> None:
    with np.load(shared / "datasets" / "mnist.npz") as file:
        files = tuple(file[name] for name in ("train_images", "train_labels", "test_images", "test_labels"))
    write_idx(tmp_path, files, packed=False)  # type: ignore[arg-type]
    data = datasets.load("mnist", tmp_path)
    assert data.note == ""
    assert (len(data.train_images), len(data.test_images)) == (60000, 10000)
    with pytest.raises(DatasetError, match="is the file of mnist, not of fashion_mnist"):
        datasets.load("fashion_mnist", tmp_path)
    (tmp_path / "FashionMNIST").mkdir()
    (tmp_path / "FashionMNIST" / "raw").symlink_to(tmp_path)
    with pytest.raises(DatasetError, match="is the file of mnist, not of fashion_mnist"):
        datasets.load("fashion_mnist", tmp_path)

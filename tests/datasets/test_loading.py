"""Data sets by name: where they are looked for, and what is said when they are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_files import grey, write_idx

from axsim import datasets
from axsim.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("AXSIM_DATA", raising=False)
    return tmp_path


def test_digits() -> None:
    from sklearn.datasets import load_digits

    data = datasets.load("digits", dtype="float32")
    assert (len(data.train_images), len(data.test_images)) == (1078, 719)
    both = np.concatenate((data.train_images, data.test_images))[:, 0]
    labels = np.concatenate((data.train_labels, data.test_labels))
    theirs = load_digits()
    np.testing.assert_allclose(both.sum(), theirs.images.sum() / 16, rtol=1e-3)
    assert np.array_equal(np.bincount(labels), np.bincount(theirs.target))
    np.testing.assert_allclose(  # every class is in both parts, in equal shares
        np.bincount(data.test_labels) / np.bincount(labels), 0.4, atol=0.01
    )
    assert (both.min(), both.max()) == (0, 1)
    again = datasets.load("digits")
    np.testing.assert_array_equal(again.as_float().test_images, data.test_images)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("minst", "mnist"),
        ("CIFAR-10", "cifar10"),
        ("fashion-mnist", "fashion_mnist"),
        ("imagenet", "list_datasets"),
    ],
)
def test_unknown_names_get_a_hint(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=rf"^no data set is called '{name}': .*{hint}"):
        datasets.load(name)


def test_an_unknown_dtype() -> None:
    with pytest.raises(ValueError, match="dtype is 'float64'; 'uint8' or 'float32' was expected"):
        datasets.load("digits", dtype="float64")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_missing_one_says_where_it_was_looked_for_and_how_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AXSIM_DATA", str(folder / "data"))
    (folder / "cache" / "datasets").mkdir(parents=True)
    with pytest.raises(DatasetError) as caught:
        datasets.load(name)
    said = str(caught.value)
    for part in (
        f"{name} was not found in {folder}/data (which is no folder) and {folder}/cache/datasets. ",
        "AXSIM_DATA",
        f"{name}.npz",
        "https://",
        f"axsim.datasets.load('{name}', download=True)",
        "data_batch_1" if name == "cifar10" else "train-images-idx3-ubyte",
    ):
        assert part in said


def test_folders_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [folder / "given", folder / "named", folder / "cache" / "datasets"]
    for seed, place in enumerate(places):
        write_idx(place / "MNIST" / "raw", grey(seed))
    monkeypatch.setenv("AXSIM_DATA", str(places[1]))

    def seed_of(data: datasets.Dataset) -> int:
        return next(s for s in range(3) if np.array_equal(data.test_images[:, 0], grey(s)[2]))

    assert seed_of(datasets.load("mnist", places[0])) == 0
    assert seed_of(datasets.load("mnist")) == 1
    monkeypatch.delenv("AXSIM_DATA")
    assert seed_of(datasets.load("mnist")) == 2
    with pytest.raises(DatasetError, match=r"not found in .*elsewhere"):
        datasets.load("mnist", folder / "elsewhere")  # a folder that is given is the only one


def test_a_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    write_idx(folder / "images" / "mnist", grey())
    assert len(datasets.load("mnist", "~/images").train_images) == 5
    monkeypatch.setenv("AXSIM_DATA", "~/images")
    assert len(datasets.load("mnist").train_images) == 5


def test_without_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AXSIM_DATA", raising=False)
    monkeypatch.setattr("axsim.datasets.loading.cache_directory", lambda: None)
    with pytest.raises(DatasetError, match="mnist was not found in any folder"):
        datasets.load("mnist")
    with pytest.raises(DatasetError, match="no folder to download to"):
        datasets.load("mnist", download=True)


@pytest.mark.parametrize(
    ("library", "name", "message"),
    [
        ("sklearn.datasets", "digits", "digits come with scikit-learn"),
        ("PIL", "cifar10", "decoding JPEG files needs Pillow"),
        ("pooch", "mnist", "downloading needs pooch"),
    ],
)
def test_a_missing_library_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, library: str, name: str, message: str
) -> None:
    offsets = np.array([0, 1])
    parts = {f"{part}_jpeg": np.zeros(1, np.uint8) for part in ("train", "test")}
    parts |= {f"{part}_offsets": offsets for part in ("train", "test")}
    parts |= {f"{part}_labels": np.zeros(1, np.uint8) for part in ("train", "test")}
    np.savez(folder / "cifar10_jpeg.npz", **parts)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{message}: pip install 'axsim\[datasets\]'"):
        datasets.load(name, folder, download=True)


def test_torch_and_the_rest_are_imported_where_they_are_used() -> None:
    heavy = ("torch", "sklearn", "PIL", "pooch", "rich")
    probe = f"import sys, axsim.datasets; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout == "[]\n"

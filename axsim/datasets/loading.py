"""Data sets by name, and where their files are looked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import numpy as np

from axsim.datasets import cifar, idx, jpeg, npz
from axsim.datasets.dataset import Dataset, Reading
from axsim.datasets.download import fetch
from axsim.datasets.raw import sources
from axsim.errors import DatasetError
from axsim.files import cache_directory

FOLDER_VARIABLE = "AXSIM_DATA"

# What each set may look like below a folder, and its reader; the first that is there is taken.
_Layout = tuple[str, Callable[[Path], Reading | None]]
_GREY_FOLDERS = {
    "mnist": ("MNIST/raw", "mnist"),
    "fashion_mnist": ("FashionMNIST/raw", "fashion-mnist", "fashion"),
}


def _grey(name: str) -> list[_Layout]:
    files = "train-images-idx3-ubyte[.gz] and its three companions"
    folders = [
        (f"{folder}/{files}", lambda root, folder=folder: idx.read_folder(root / folder, name))
        for folder in _GREY_FOLDERS[name]
    ]
    return [
        (f"{name}.npz", lambda root: npz.read_grey(root / f"{name}.npz", name)),
        *folders,
        (files, lambda root: idx.read_folder(root, name, bare=True)),
    ]


_LAYOUTS: dict[str, list[_Layout]] = {
    "mnist": _grey("mnist"),
    "fashion_mnist": _grey("fashion_mnist"),
    "cifar10": [
        (
            "cifar-10-batches-py/data_batch_1 to 5 and test_batch",
            lambda r: cifar.read_python_folder(r / "cifar-10-batches-py"),
        ),
        (
            "cifar-10-batches-bin/data_batch_1.bin to 5 and test_batch.bin",
            lambda r: cifar.read_binary_folder(r / "cifar-10-batches-bin"),
        ),
        ("cifar-10-python.tar.gz", lambda r: cifar.read_python_archive(r / "cifar-10-python.tar.gz")),
        ("cifar-10-binary.tar.gz", lambda r: cifar.read_binary_archive(r / "cifar-10-binary.tar.gz")),
        ("cifar10.npz", lambda r: npz.read_color(r / "cifar10.npz")),
        ("cifar10_jpeg.npz", lambda r: jpeg.read(r / "cifar10_jpeg.npz")),
    ],
}


def list_datasets() -> list[str]:
    """Names that :func:`load` knows.

    >>> list_datasets()
    ['cifar10', 'digits', 'fashion_mnist', 'mnist']
    """
    return sorted((*_LAYOUTS, "digits"))


def load(
    name: str,
    folder: str | Path | None = None,
    *,
    dtype: Literal["uint8", "float32"] = "uint8",
    download: bool = False,
) -> Dataset:
    """A data set by name.

    "digits" comes with scikit-learn. The others are files, looked for in ``folder``, or else in the folder
    that the environment variable ``AXSIM_DATA`` names and in ``datasets`` in the user's cache folder. Any of
    these layouts will do: one ``.npz``, the files as their authors published them, and torchvision's folders.
    Files that are not, digest for digest, the published ones are read all the same, and the result's ``note``
    says so; but those that Python pickled are read only if they are.

    Args:
        name: one of :func:`list_datasets`.
        folder: where to look instead. Default: as said above.
        dtype: of images: "uint8", 0 to 255, or "float32", 0 to 1. Default: "uint8".
        download: get what is found nowhere from its authors' address, by pooch, into ``datasets`` in the
            user's cache folder (or ``folder``). Default: no.

    Raises:
        ValueError: no set has this name; the message suggests near ones. Or an unknown dtype.
        DatasetError: the set is nowhere, which the message tells the places and layouts of; or a file is
            truncated, damaged or altered.
        ImportError: a library is missing: scikit-learn for "digits", Pillow for a JPEG copy, pooch to
            download.

    >>> load("digits")
    <Dataset 'digits': 1078 train, 719 test, images 1 x 8 x 8 uint8, 10 classes>
    >>> load("mnits")
    Traceback (most recent call last):
        ...
    ValueError: no data set is called 'mnits': did you mean mnist?
    """
    if name not in list_datasets():
        near = get_close_matches(name.lower().replace("-", "_"), list_datasets(), n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else "axsim.datasets.list_datasets() lists them"
        raise ValueError(f"no data set is called {name!r}: {hint}")
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"dtype is {dtype!r}; 'uint8' or 'float32' was expected")
    data = _digits() if name == "digits" else _from_files(name, folder, download)
    return data.as_float() if dtype == "float32" else data


def _from_files(name: str, folder: str | Path | None, download: bool) -> Dataset:
    places = _places(folder)
    reading = _read(name, places)
    if reading is None and download:
        if not places:
            raise DatasetError("there is no folder to download to: give one, or set AXSIM_CACHE_DIR")
        fetch(name, places[-1])
        reading = _read(name, places[-1:])
    if reading is None:
        raise DatasetError(_missing(name, places))
    return Dataset(
        name,
        reading.train_images,
        reading.train_labels.astype(np.int64),
        reading.test_images,
        reading.test_labels.astype(np.int64),
        tuple(sources()[name]["classes"]),
        reading.source,
        reading.note,
    )


def _places(folder: str | Path | None) -> list[Path]:
    if folder is not None:
        return [Path(folder).expanduser()]
    places = [Path(named).expanduser()] if (named := os.environ.get(FOLDER_VARIABLE)) else []
    cache = cache_directory()
    return places if cache is None else [*places, cache / "datasets"]


def _read(name: str, places: list[Path]) -> Reading | None:
    for place in places:
        for _, read in _LAYOUTS[name]:
            if (reading := read(place)) is not None:
                return reading
    return None


def _missing(name: str, places: list[Path]) -> str:
    layouts = "".join(f"\n  {layout}" for layout, _ in _LAYOUTS[name])
    where = " and ".join(
        str(place) if place.is_dir() else f"{place} (which is no folder)" for place in places
    )
    addresses = " or ".join(sources()[name]["urls"])
    return (
        f"{name} was not found in {where or 'any folder'}. One of these was expected there:{layouts}\n"
        f"Set {FOLDER_VARIABLE} to the folder that holds it, or get it from {addresses}: "
        f"axsim.datasets.load({name!r}, download=True) does"
    )


def _digits() -> Dataset:
    """Scikit-learn's digits: 60 % to train on, 40 % to test with, each with all classes in equal shares."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as problem:
        raise ImportError("digits come with scikit-learn: pip install 'axsim[datasets]'") from problem
    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)[:, None]
    train_x, test_x, train_y, test_y = train_test_split(
        images, found.target, test_size=0.4, random_state=0, stratify=found.target
    )
    return Dataset(
        "digits",
        train_x,
        train_y.astype(np.int64),
        test_x,
        test_y.astype(np.int64),
        tuple(map(str, range(10))),
        "scikit-learn's load_digits, split 60 : 40",
    )

"""Data sets as one ``.npz`` file of arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.datasets import idx
from axsim.datasets.dataset import Reading
from axsim.datasets.raw import read_file
from axsim.errors import DatasetError

OURS = ("train_images", "train_labels", "test_images", "test_labels")
KERAS = ("x_train", "y_train", "x_test", "y_test")


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a ``.npz`` file; DatasetError where it is damaged or holds Python objects."""
    data = read_file(path)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as problem:  # zip's, zlib's and NumPy's own errors
        raise DatasetError(
            f"{path} is no intact .npz file of plain arrays: {problem}; get it again"
        ) from problem


def read_grey(path: Path, name: str) -> Reading | None:
    """MNIST or Fashion-MNIST ``(N, H, W)`` from ``train_images`` and the like, or Keras's ``x_train``."""
    if not path.is_file():
        return None
    arrays = _chosen(arrays_of(path), path, (OURS, KERAS))
    if name != "mnist" and idx.are_published("mnist", arrays):
        raise DatasetError(f"{path} holds mnist, not {name}")
    note = "" if idx.are_published(name, arrays) else "not checked against published digests"
    return idx.from_arrays(name, arrays, str(path), note)


def read_color(path: Path) -> Reading | None:
    """CIFAR-10 from images ``(N, 3, H, W)`` or ``(N, H, W, 3)``, named as in :func:`read_grey`."""
    if not path.is_file():
        return None
    train_images, train_labels, test_images, test_labels = _chosen(arrays_of(path), path, (OURS, KERAS))
    train_images, test_images = (_channels_first(images, path) for images in (train_images, test_images))
    note = "not checked against published digests"
    return Reading(train_images, train_labels.ravel(), test_images, test_labels.ravel(), str(path), note)


def _chosen(
    arrays: dict[str, NDArray[Any]], path: Path, layouts: Sequence[tuple[str, ...]]
) -> list[NDArray[Any]]:
    for names in layouts:
        if all(name in arrays for name in names):
            chosen = [arrays[name] for name in names]
            for name, array in zip(names, chosen, strict=True):
                expected = "uint8" if array.ndim > 2 else "integers"
                if not (
                    array.dtype == np.uint8 or (array.ndim <= 2 and np.issubdtype(array.dtype, np.integer))
                ):
                    raise DatasetError(f"{path}: {name} is {array.dtype}; {expected} was expected")
            return chosen
    wanted = " or ".join(", ".join(names) for names in layouts)
    raise DatasetError(f"{path} holds {', '.join(arrays) or 'nothing'}; {wanted} was expected")


def _channels_first(images: NDArray[Any], path: Path) -> NDArray[Any]:
    if images.ndim == 4 and images.shape[1] == 3:
        return images
    if images.ndim == 4 and images.shape[3] == 3:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    raise DatasetError(f"{path}: images are {images.shape}; (N, 3, H, W) or (N, H, W, 3) was expected")

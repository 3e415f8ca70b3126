"""The original files of CIFAR-10: the binary version, and the Python version without trusting its pickles."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from axsim.datasets.dataset import Reading
from axsim.datasets.raw import gunzip, md5, members, read_file, sources
from axsim.errors import DatasetError

BATCHES = tuple(sources()["cifar10"]["batches"])  # five to train on, and the one to test with

_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def read_python_folder(folder: Path) -> Reading | None:
    """CIFAR-10 from ``data_batch_1`` to ``5`` and ``test_batch`` (torchvision's ``cifar-10-batches-py``).

    None where the folder has not all of them; DatasetError where one is damaged or not the published one.
    """
    if not all((folder / name).is_file() for name in BATCHES):
        return None
    return _python({name: read_file(folder / name) for name in BATCHES}, folder)


def read_python_archive(path: Path) -> Reading | None:
    """The same from ``cifar-10-python.tar.gz``, of which nothing is unpacked to the disk."""
    return _python(members(gunzip(read_file(path), path), BATCHES, path), path) if path.is_file() else None


def read_binary_folder(folder: Path) -> Reading | None:
    """CIFAR-10 from ``data_batch_1.bin`` to ``5`` and ``test_batch.bin`` (``cifar-10-batches-bin``).

    None where the folder has not all of them; DatasetError where one is damaged.
    """
    paths = [folder / f"{name}.bin" for name in BATCHES]
    if not all(path.is_file() for path in paths):
        return None
    return _joined(
        [binary(read_file(path), path) for path in paths], folder, "not checked against published digests"
    )


def read_binary_archive(path: Path) -> Reading | None:
    """The same from ``cifar-10-binary.tar.gz``."""
    if not path.is_file():
        return None
    data = read_file(path)
    published = md5(data) in sources()["cifar10"]["binary_archive"].values()
    files = members(gunzip(data, path), tuple(f"{name}.bin" for name in BATCHES), path)
    batches = [binary(files[f"{name}.bin"], path / f"{name}.bin") for name in BATCHES]
    return _joined(batches, path, "" if published else "not the published archive")


def binary(data: bytes, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images ``(N, 3, 32, 32)`` and labels of a file of the binary version: a label and 3,072 pixels a
    record.

    >>> images, labels = binary(bytes([7]) + bytes(3072), Path("test_batch.bin"))
    >>> images.shape, labels
    ((1, 3, 32, 32), array([7], dtype=uint8))
    """
    if not data or len(data) % _RECORD:
        raise DatasetError(
            f"{path} is truncated: it has {len(data)} bytes, which is no whole number of records of {_RECORD}"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    return records[:, 1:].reshape(-1, *_SHAPE), records[:, 0]


def unpickle(data: bytes, path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``(N, 3, 32, 32)`` and labels of a file of the Python version.

    Only what makes a NumPy array is ever called: a pickle can name any function, and this one refuses all
    others.

    Raises:
        DatasetError: a file that names something else, is damaged, or holds something else.
    """
    try:
        content = _ArraysOnly(io.BytesIO(data), encoding="latin1").load()
    except DatasetError:
        raise
    except Exception as problem:  # damaged pickles raise whatever their damage leads to
        raise DatasetError(f"{path} is no intact batch of CIFAR-10: {problem}") from problem
    batch = content if isinstance(content, dict) else {}
    images, labels = batch.get("data"), batch.get("labels")
    if not (_are_images(images) and _are_integers(labels)):
        raise DatasetError(
            f"{path} is no batch of CIFAR-10: 'data' (N, {_RECORD - 1}) and 'labels' were expected"
        )
    return images.reshape(-1, *_SHAPE), np.array(labels, np.int64)


def _are_images(images: Any) -> TypeGuard[NDArray[np.uint8]]:
    right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 2
    return right and images.shape[1] == _RECORD - 1


def _are_integers(labels: Any) -> bool:
    return isinstance(labels, list) and all(type(label) is int for label in labels)


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays, lists, numbers and texts; knows no other global name."""

    _reconstruct = np.zeros(0).__reduce__()[0]  # wherever this NumPy keeps it
    _known = {  # noqa: RUF012 (a constant)
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise DatasetError(f"a pickle that names {module}.{name} is no batch of CIFAR-10; it was not run")
        return self._known[module, name]


def _python(files: dict[str, bytes], path: Path) -> Reading:
    published = sources()["cifar10"]["batches"]
    for name, data in files.items():
        if md5(data) != published[name]:
            raise DatasetError(
                f"{path / name} has the MD5 {md5(data)}, the published file has {published[name]}: it is "
                "truncated or altered, and as a pickle it is not opened; get it again, or use the binary "
                "version"
            )
    return _joined([unpickle(files[name], path / name) for name in BATCHES], path, "")


def _joined(batches: list[tuple[NDArray[Any], NDArray[Any]]], source: Path, note: str) -> Reading:
    images, labels = zip(*batches[:-1], strict=True)
    test_images, test_labels = batches[-1]
    return Reading(
        np.concatenate(images), np.concatenate(labels), test_images, test_labels, str(source), note
    )

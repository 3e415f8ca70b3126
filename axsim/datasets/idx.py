"""The original files of MNIST and Fashion-MNIST: arrays in the IDX format, gzipped or not."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.datasets.dataset import Reading
from axsim.datasets.raw import gunzip, md5, read_file, sources
from axsim.errors import DatasetError

FILES = tuple(name.removesuffix(".gz") for name in sources()["mnist"]["files"])

_SETS = ("mnist", "fashion_mnist")


def parse(data: bytes, path: Path) -> NDArray[np.uint8]:
    """The array of bytes in an IDX file.

    Two zeros, the type (8: bytes), the number of axes, their lengths as big-endian 32-bit integers, the
    values.

    Raises:
        DatasetError: another type, a header that is cut off, too few values or too many.

    >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), Path("labels"))
    array([7, 9], dtype=uint8)
    """
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or not 1 <= data[3] <= 4:
        raise DatasetError(
            f"{path} begins with {data[:4].hex(' ') or 'nothing'}; an IDX file of bytes (00 00 08 and the "
            "number of axes) was expected"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise DatasetError(f"{path} is truncated: its header has {header} bytes, {len(data)} are there")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    if len(data) - header != math.prod(shape):
        how = "truncated" if len(data) - header < math.prod(shape) else "damaged"
        raise DatasetError(
            f"{path} is {how}: {' x '.join(map(str, shape))} values are announced, {len(data) - header} are "
            "there"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()  # one that may be written


def to_bytes(array: NDArray[np.uint8]) -> bytes:
    """An array of bytes as an IDX file; :func:`parse` reads it.

    >>> to_bytes(np.array([7, 9], np.uint8))
    b'\\x00\\x00\\x08\\x01\\x00\\x00\\x00\\x02\\x07\\t'
    """
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def read_folder(folder: Path, name: str, *, bare: bool = False) -> Reading | None:
    """The data set ``name`` from a folder of four files; None where not all of them are there.

    Args:
        folder: holds ``train-images-idx3-ubyte`` and the rest, or the same with ``.gz``, which is preferred.
        name: "mnist" or "fashion_mnist", whose files have the same names.
        bare: whether nothing but the digests tells which of both sets this is. Default: the folder's name
            does.

    Raises:
        DatasetError: a file is damaged, or it is one of the other set's; or ``bare`` and not the published
            files.
    """
    paths = [_one(folder, file) for file in FILES]
    if any(path is None for path in paths):
        return None
    arrays, known = [], []
    for file, path in zip(FILES, paths, strict=True):
        assert path is not None  # looked for above
        data = read_file(path)
        packed = md5(data)
        if path.suffix == ".gz":
            data = gunzip(data, path)
        is_of = _set_of(file, packed, md5(data))
        if is_of not in (None, name):
            raise DatasetError(f"{path} is the file of {is_of}, not of {name}")
        if bare and is_of is None:
            raise DatasetError(
                f"{path} is not the published file, and the files of {' and '.join(_SETS)} have the same "
                f"names: put them into {sources()[name]['folder']} below a folder that AXSIM_DATA names to "
                f"say that they are {name}'s"
            )
        arrays.append(parse(data, path))
        known.append(is_of is not None)
    return from_arrays(
        name, arrays, str(folder), "" if all(known) else "not checked against published digests"
    )


def from_arrays(name: str, arrays: list[NDArray[Any]], source: str, note: str) -> Reading:
    """Images ``(N, H, W)`` and labels, train and test, as a Reading; DatasetError for other shapes."""
    train_images, train_labels, test_images, test_labels = arrays
    for images in (train_images, test_images):
        if images.ndim != 3:
            raise DatasetError(
                f"{source}: images of {name} are {images.shape}; (N, height, width) was expected"
            )
    return Reading(train_images[:, None], train_labels, test_images[:, None], test_labels, source, note)


def are_published(name: str, arrays: list[NDArray[Any]]) -> bool:
    """Whether these four arrays are, byte for byte, what the published files hold.

    False where no digest of unpacked files is known.
    """
    published: Mapping[str, Mapping[str, str]] = sources()[name]["files"]
    return all(
        array.dtype == np.uint8 and md5(to_bytes(array)) == published[f"{file}.gz"].get("unpacked")
        for file, array in zip(FILES, arrays, strict=True)
    )


def _one(folder: Path, file: str) -> Path | None:
    return next((path for path in (folder / f"{file}.gz", folder / file) if path.is_file()), None)


def _set_of(file: str, packed: str, unpacked: str) -> str | None:
    for name in _SETS:
        digests = sources()[name]["files"][f"{file}.gz"]
        if packed == digests["md5"] or unpacked == digests.get("unpacked"):
            return name
    return None

"""CIFAR-10 kept as JPEG files in one ``.npz``: a lossy copy. Decoded once, then kept in the user's cache
folder."""

from __future__ import annotations

import contextlib
import hashlib
import io
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.datasets.dataset import Reading
from axsim.datasets.npz import arrays_of
from axsim.errors import DatasetError
from axsim.files import cache_directory, replace_file
from axsim.progress import track

NOTE = "JPEG copy: not the original pixels, and not in the original order"

_SHAPE = (3, 32, 32)


def read(path: Path) -> Reading | None:
    """CIFAR-10 from ``cifar10_jpeg.npz``; None where there is no such file.

    It holds, for ``train`` and ``test``, ``*_jpeg`` (all files one after another, uint8), ``*_offsets``
    (image k is bytes ``offsets[k]:offsets[k + 1]``) and ``*_labels``.

    Raises:
        DatasetError: the file is damaged, or an image in it.
        ImportError: Pillow, which decodes, is missing.
    """
    if not path.is_file():
        return None
    arrays = arrays_of(path)
    wanted = [f"{part}_{what}" for part in ("train", "test") for what in ("jpeg", "offsets", "labels")]
    if missing := [name for name in wanted if name not in arrays]:
        raise DatasetError(f"{path} has no array {missing[0]}; {', '.join(wanted)} were expected")
    images = [
        _kept(arrays[f"{part}_jpeg"], arrays[f"{part}_offsets"], f"{path}: {part}")
        for part in ("train", "test")
    ]
    return Reading(images[0], arrays["train_labels"], images[1], arrays["test_labels"], str(path), NOTE)


def _kept(data: NDArray[Any], offsets: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Decoded images, from the cache where these bytes were decoded before by this version of Pillow."""
    count = len(offsets) - 1
    if (
        data.dtype != np.uint8
        or data.ndim != 1
        or offsets.ndim != 1
        or not np.issubdtype(offsets.dtype, np.integer)
    ):
        raise DatasetError(
            f"{where} files are {data.dtype} {data.shape}; uint8 (bytes,) and offsets were expected"
        )
    if count < 0 or offsets[0] != 0 or offsets[-1] != len(data) or (np.diff(offsets) <= 0).any():
        raise DatasetError(f"{where} offsets do not rise from 0 to the {len(data)} bytes that are there")
    cached = _cache_file(data, offsets)
    if cached is not None and (images := _from_cache(cached, count)) is not None:
        return images
    images = decode(data.tobytes(), offsets, where)
    if cached is not None:
        buffer = io.BytesIO()
        np.save(buffer, images)
        with contextlib.suppress(OSError):  # not kept, it costs seconds the next time, and nothing else
            replace_file(cached, buffer.getvalue())
    return images


def decode(data: bytes, offsets: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Images ``(N, 3, 32, 32)`` from JPEG files that stand one after another."""
    try:
        from PIL import Image
    except ImportError as problem:
        raise ImportError("decoding JPEG files needs Pillow: pip install 'axsim[datasets]'") from problem
    images = np.empty((len(offsets) - 1, *_SHAPE), np.uint8)
    for k in track(range(len(images)), f"decoding {where} images", len(images)):
        file = io.BytesIO(data[int(offsets[k]) : int(offsets[k + 1])])
        try:
            with Image.open(file, formats=("JPEG",)) as image:
                if image.size != (32, 32):
                    raise DatasetError(f"{where} image {k} has {image.size} pixels; 32 x 32 were expected")
                images[k] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        except (OSError, SyntaxError) as problem:  # Pillow's for files that are cut off or no JPEG
            raise DatasetError(f"{where} image {k} is no intact JPEG file: {problem}") from problem
    return images


def _cache_file(data: NDArray[Any], offsets: NDArray[Any]) -> Path | None:
    folder = cache_directory()
    try:
        decoder = version("pillow")  # decoders may round differently
    except PackageNotFoundError:
        return None
    if folder is None:
        return None
    digest = hashlib.sha256(np.ascontiguousarray(data).data)
    digest.update(np.ascontiguousarray(offsets, np.int64).data)
    return folder / "datasets" / f"jpeg-{digest.hexdigest()[:24]}-pillow{decoder}.npy"


def _from_cache(path: Path, count: int) -> NDArray[np.uint8] | None:
    """The images of a cache file; None where it is missing, damaged or of another shape."""
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape == (count, *_SHAPE)
    return images if right else None

"""Data set files of a few images, in the layouts of the large ones."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axsim.datasets import idx

Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def grey(seed: int = 0, train: int = 5, test: int = 3) -> Arrays:
    """Images ``(N, 28, 28)`` and labels, train and test."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (train + test, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, train + test, dtype=np.uint8)
    return images[:train], labels[:train], images[train:], labels[train:]


def write_idx(folder: Path, arrays: Arrays, *, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(idx.FILES, arrays, strict=True):
        data = idx.to_bytes(array)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder


def color(seed: int = 0, each: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Six batches of images ``(6, each, 3, 32, 32)`` and labels ``(6, each)``."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6, each, 3, 32, 32), dtype=np.uint8)
    return images, rng.integers(0, 10, (6, each), dtype=np.uint8)


def binary(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    return b"".join(bytes([y]) + x.tobytes() for x, y in zip(images, labels, strict=True))


def pickled(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], module: str = "numpy.core.multiarray"
) -> bytes:
    """A batch as Python 2 pickled it for the published files, one instruction after another."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    rows = images.reshape(len(images), -1)
    kind = b"cnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR"
    kind += b"(K\x03" + text(b"|") + b"NNN" + 2 * struct.pack("<ci", b"J", -1) + b"K\x00tb"
    array = f"c{module}\n_reconstruct\n(cnumpy\nndarray\n".encode() + b"K\x00\x85" + text(b"b") + b"tR"
    array += b"(K\x01" + b"".join(struct.pack("<ci", b"J", n) for n in rows.shape) + b"\x86" + kind + b"\x89"
    array += struct.pack("<ci", b"T", rows.size) + rows.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def archive(files: dict[str, bytes], folder: str) -> bytes:
    """A gzipped tar archive of these files in one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()

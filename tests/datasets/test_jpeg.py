"""CIFAR-10 as JPEG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axsim import datasets
from axsim.datasets import jpeg
from axsim.errors import DatasetError

Image = pytest.importorskip("PIL.Image", reason="decoding needs Pillow")


def packed(seed: int, count: int, size: int = 32) -> tuple[Any, Any, list[bytes]]:
    """JPEG files one after another, their offsets, and each by itself."""
    rng = np.random.default_rng(seed)
    files = []
    for _ in range(count):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(
            buffer, "JPEG", quality=75
        )
        files.append(buffer.getvalue())
    offsets = np.cumsum([0, *map(len, files)])
    return np.frombuffer(b"".join(files), np.uint8), offsets, files


def write(folder: Path, **change: Any) -> list[bytes]:
    train, train_offsets, files = packed(0, 4)
    test, test_offsets, _ = packed(1, 2)
    arrays = {
        "train_jpeg": train,
        "train_offsets": train_offsets,
        "train_labels": np.arange(4, dtype=np.uint8),
        "test_jpeg": test,
        "test_offsets": test_offsets,
        "test_labels": np.array([9, 8], np.uint8),
    }
    kept = {k: v for k, v in {**arrays, **change}.items() if v is not None}
    np.savez(folder / "cifar10_jpeg.npz", **kept)
    return files


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXSIM_CACHE_DIR", str(tmp_path / "cache"))


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "datasets").glob("*"))


def test_images_are_decoded_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write(tmp_path)
    data = datasets.load("cifar10", tmp_path)
    for image, file in zip(data.train_images, files, strict=True):
        with Image.open(io.BytesIO(file)) as expected:
            np.testing.assert_array_equal(image.transpose(1, 2, 0), np.asarray(expected.convert("RGB")))
    assert data.note == "JPEG copy: not the original pixels, and not in the original order"
    assert data.test_labels.tolist() == [9, 8]
    assert len(cached(tmp_path)) == 2
    monkeypatch.setattr(jpeg, "decode", lambda *_: pytest.fail("decoded again"))
    again = datasets.load("cifar10", tmp_path)
    np.testing.assert_array_equal(again.train_images, data.train_images)
    np.testing.assert_array_equal(again.test_images, data.test_images)


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    write(tmp_path)
    data = datasets.load("cifar10", tmp_path)
    for path in cached(tmp_path):
        for damage in (path.read_bytes()[:-1], b"", b"something"):
            path.write_bytes(damage)
            again = datasets.load("cifar10", tmp_path)
            np.testing.assert_array_equal(again.train_images, data.train_images)
            np.testing.assert_array_equal(again.test_images, data.test_images)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "cache").write_bytes(b"")  # a file where the folder should be
    assert len(datasets.load("cifar10", tmp_path).train_images) == 4


def test_another_file_has_another_cache(tmp_path: Path) -> None:
    write(tmp_path)
    first = datasets.load("cifar10", tmp_path)
    train, offsets, _ = packed(7, 4)
    write(tmp_path, train_jpeg=train, train_offsets=offsets)
    assert not np.array_equal(datasets.load("cifar10", tmp_path).train_images, first.train_images)


def test_originals_come_before_the_copy(tmp_path: Path) -> None:
    write(tmp_path)
    images = np.zeros((1, 3, 32, 32), np.uint8)
    np.savez(
        tmp_path / "cifar10.npz", train_images=images, train_labels=[1], test_images=images, test_labels=[1]
    )
    assert datasets.load("cifar10", tmp_path).source.endswith("cifar10.npz")


def damaged(kind: str) -> dict[str, Any]:
    train, offsets, files = packed(0, 4)
    match kind:
        case "no jpeg":
            other = b"x" * len(files[2])
            joined = b"".join((files[0], files[1], other, files[3]))
            return {"train_jpeg": np.frombuffer(joined, np.uint8)}
        case "cut":  # image 3 lacks its end
            return {"train_jpeg": train[:-200], "train_offsets": np.array([*offsets[:-1], offsets[-1] - 200])}
        case "png":
            buffer = io.BytesIO()
            Image.new("RGB", (32, 32)).save(buffer, "PNG")
            data = np.frombuffer(buffer.getvalue(), np.uint8)
            return {
                "train_jpeg": data,
                "train_offsets": [0, len(data)],
                "train_labels": np.zeros(1, np.uint8),
            }
        case "size":
            data, offsets, _ = packed(0, 1, size=33)
            return {"train_jpeg": data, "train_offsets": offsets, "train_labels": np.zeros(1, np.uint8)}
        case "short":
            return {"train_jpeg": train[:-1]}
        case "falling":
            return {"train_offsets": np.array([0, offsets[2], offsets[1], offsets[3], offsets[4]])}
        case "floats":
            return {"train_jpeg": train.astype(np.float32)}
        case "missing":
            return {"test_offsets": None}
        case "labels":
            return {"train_labels": np.zeros(3, np.uint8)}
    raise AssertionError(kind)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no jpeg", "train image 2 is no intact JPEG file"),
        ("cut", "train image 3 is no intact JPEG file"),
        ("png", "train image 0 is no intact JPEG file"),
        ("size", r"train image 0 has \(33, 33\) pixels; 32 x 32 were expected"),
        ("short", "offsets do not rise from 0 to the"),
        ("falling", "offsets do not rise from 0 to the"),
        ("floats", "files are float32"),
        ("missing", "has no array test_offsets"),
        ("labels", "there are 4 train images and labels"),
    ],
)
def test_damage_is_named(tmp_path: Path, kind: str, message: str) -> None:
    write(tmp_path, **damaged(kind))
    with pytest.raises(DatasetError, match=message):
        datasets.load("cifar10", tmp_path)

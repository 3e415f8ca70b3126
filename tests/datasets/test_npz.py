"""Data sets in one .npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_files import color, grey

from axsim import datasets
from axsim.datasets.npz import KERAS, OURS
from axsim.errors import DatasetError


@pytest.mark.parametrize("names", [OURS, KERAS])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_grey(tmp_path: Path, names: tuple[str, ...], name: str) -> None:
    arrays = grey()
    np.savez(tmp_path / f"{name}.npz", **dict(zip(names, arrays, strict=True)))
    data = datasets.load(name, tmp_path)
    np.testing.assert_array_equal(data.train_images, arrays[0][:, None])
    np.testing.assert_array_equal(data.test_labels, arrays[3])
    assert data.note == "not checked against published digests"
    assert data.options == {"in_channels": 1, "size": 28, "classes": 10}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("column", [False, True])
def test_color(tmp_path: Path, last: bool, column: bool) -> None:
    images, labels = color()
    stored = images[0].transpose(0, 2, 3, 1) if last else images[0]
    numbers = labels[0][:, None] if column else labels[0]
    np.savez(tmp_path / "cifar10.npz", x_train=stored, y_train=numbers, x_test=stored, y_test=numbers)
    data = datasets.load("cifar10", tmp_path)
    np.testing.assert_array_equal(data.train_images, images[0])
    np.testing.assert_array_equal(data.test_labels, labels[0])


def test_the_shared_mnist_is_the_published_one(shared: Path) -> None:
    data = datasets.load("mnist", shared / "datasets")
    assert (data.note, data.source) == ("", str(shared / "datasets" / "mnist.npz"))
    assert (len(data.train_images), len(data.test_images)) == (60000, 10000)


def test_mnist_under_another_name(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "fashion_mnist.npz").symlink_to(shared / "datasets" / "mnist.npz")
    with pytest.raises(DatasetError, match=r"fashion_mnist\.npz holds mnist, not fashion_mnist"):
        datasets.load("fashion_mnist", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((5, 28, 28))}, "train_images is float64; uint8 was expected"),
        ({"train_labels": np.zeros(5)}, "train_labels is float64; integers was expected"),
        ({"train_images": np.zeros((5, 784), np.uint8)}, r"images of mnist are \(5, 784\)"),
        ({"train_labels": np.array([{}] * 5)}, "no intact .npz file of plain arrays"),
        (
            {"test_labels": None},
            "holds train_images, train_labels, test_images; train_images, .* was expected",
        ),
    ],
)
def test_other_arrays(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {**dict(zip(OURS, grey(), strict=True)), **change}
    np.savez(tmp_path / "mnist.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(DatasetError, match=message):
        datasets.load("mnist", tmp_path)


def test_images_of_no_known_layout(tmp_path: Path) -> None:
    grey_images = np.zeros((2, 32, 32), np.uint8)
    np.savez(
        tmp_path / "cifar10.npz", **dict(zip(OURS, (grey_images, [0, 1], grey_images, [0, 1]), strict=True))
    )
    with pytest.raises(DatasetError, match=r"images are \(2, 32, 32\); \(N, 3, H, W\) or"):
        datasets.load("cifar10", tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 500, -30])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **dict(zip(OURS, grey(), strict=True)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatasetError, match=r"mnist\.npz is no intact \.npz file"):
        datasets.load("mnist", tmp_path)

"""The value that a data set is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from axsim.datasets import Dataset
from axsim.errors import DatasetError


def made(**change: Any) -> Dataset:
    images = np.arange(60, dtype=np.uint8).reshape(5, 3, 2, 2)
    given: dict[str, Any] = {
        "name": "mine",
        "train_images": images,
        "train_labels": np.arange(5) % 2,
        "test_images": images[:2],
        "test_labels": np.array([1, 0]),
        "classes": ("a", "b"),
    }
    return Dataset(**{**given, **change})


def test_floats_and_tensors() -> None:
    data = made()
    floats = data.as_float()
    assert floats.train_images.dtype == np.float32
    np.testing.assert_array_equal(floats.train_images, data.train_images / np.float32(255))
    assert floats.as_float() is floats
    images, labels = data.tensors("train", first=3)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(images.numpy(), floats.train_images[:3])
    assert torch.equal(floats.tensors()[0], data.tensors("test")[0])
    images.zero_()
    assert floats.train_images.any()  # tensors are copies
    with pytest.raises(ValueError, match="part is 'all'; 'train' or 'test' was expected"):
        data.tensors("all")  # type: ignore[arg-type]


def test_options_fit_a_network() -> None:
    assert made().options == {"in_channels": 3, "size": 2, "classes": 2}
    tall = np.zeros((5, 3, 4, 2), np.uint8)
    with pytest.raises(ValueError, match="mine has images of 4 x 2 pixels; square ones were expected"):
        made(train_images=tall, test_images=tall[:2]).options  # noqa: B018


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": np.zeros((5, 3, 2, 2))}, "train images are float64"),
        ({"test_images": np.zeros((2, 3, 2), np.uint8)}, r"test images are uint8 \(2, 3, 2\)"),
        ({"train_labels": np.zeros(4, int)}, r"5 train images and labels \(4,\)"),
        ({"test_labels": np.array([2, 0])}, "test labels go from 0 to 2; 0 to 1 were expected"),
        ({"test_labels": np.array([-1, 0])}, "test labels go from -1 to 0"),
        (
            {"test_images": np.zeros((2, 3, 3, 3), np.uint8)},
            r"train images are \(3, 2, 2\), test images \(3, 3, 3\)",
        ),
    ],
)
def test_what_does_not_fit_together(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=f"mine: .*{message}"):
        made(**change)

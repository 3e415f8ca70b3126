"""The Cleverhans network."""

from __future__ import annotations

import pytest
import torch

from axsim.models import CleverhansCNN, cost


def test_counts() -> None:
    parameters = (64 * 64 + 64) + (64 * 36 * 128 + 128) + (128 * 25 * 128 + 128) + (128 * 10 + 10)
    products = 14 * 14 * 64 * 64 + 5 * 5 * 64 * 36 * 128 + 128 * 25 * 128 + 1280
    assert cost(CleverhansCNN(), (1, 28, 28)) == (parameters, products) == (710218, 8586496)


def test_same_and_valid_padding() -> None:
    """TensorFlow: ceil(size / stride) with 'same', ceil((size - kernel + 1) / stride) with 'valid'."""
    model = CleverhansCNN(in_channels=3, size=32)
    x = model.conv1(torch.zeros(1, 3, 32, 32))
    assert x.shape == (1, 64, 16, 16)
    x = model.conv2(x)
    assert x.shape == (1, 128, 6, 6)
    assert model.conv3(x).shape == (1, 128, 2, 2)


@pytest.mark.parametrize(("size", "message"), [(29, "an even one was expected"), (26, "nothing is left")])
def test_sizes_that_do_not_fit(size: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"size is {size}.*{message}"):
        CleverhansCNN(size=size)

"""Feature squeezing, against SciPy's filter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from small_networks import digits_network

from axsim.defenses import BitDepth, MedianSmoothing, squeezing_distance


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_median_is_scipys(size: int) -> None:
    images = torch.rand((2, 3, 6, 7), generator=torch.Generator().manual_seed(size))
    expected = median_filter(images.numpy(), size=(1, 1, size, size), mode="reflect")
    np.testing.assert_array_equal(MedianSmoothing(size)(images).numpy(), expected)


def test_the_gradient_goes_to_the_pixel_that_was_taken() -> None:
    image = (
        torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.9, 0.6], [0.7, 0.8, 0.5]]).reshape(1, 1, 3, 3).requires_grad_()
    )
    MedianSmoothing(3)(image)[0, 0, 1, 1].backward()
    assert image.grad.flatten().tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_bit_depth_rounds_and_passes_gradients() -> None:
    x = torch.linspace(0, 1, 101).requires_grad_()
    y = BitDepth(3)(x)
    assert len(y.unique()) == 8
    assert (y - x).abs().max() <= 1 / 14 + 1e-6
    y.sum().backward()
    assert (x.grad == 1).all()


def test_the_distance_is_the_largest_change_of_the_probabilities() -> None:
    network, images, _ = digits_network()
    squeezers = [BitDepth(1), MedianSmoothing(2)]
    with torch.no_grad():
        found = squeezing_distance(network, images[:10], squeezers)
        plain = network(images[:10]).softmax(1)
        each = [(plain - network(s(images[:10])).softmax(1)).abs().sum(1) for s in squeezers]
    assert torch.equal(found, torch.maximum(*each))
    assert found.max() <= 2


def test_bad_arguments() -> None:
    network, images, _ = digits_network()
    with pytest.raises(ValueError, match="bits"):
        BitDepth(0)
    with pytest.raises(ValueError, match="size"):
        MedianSmoothing(0)
    with pytest.raises(ValueError, match="squeezers"):
        squeezing_distance(network, images[:1], [])

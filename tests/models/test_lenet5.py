"""LeNet-5 in three forms: shapes, counts, and the authors' trained network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from axsim.models import LeNet5, LeNet5Average, cost, lenet5_da, load_npz


def test_sizes_of_the_paper() -> None:
    model = LeNet5()
    kinds = [type(layer) for layer in model.children()]
    assert kinds == [nn.Conv2d, nn.Conv2d, nn.Linear, nn.Linear]
    weights = 25 * 6 + 25 * 6 * 16 + 16 * 25 * 120 + 120 * 10
    biases = 6 + 16 + 120 + 10
    products = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 10
    assert cost(model, (1, 28, 28)) == (weights + biases, products) == (51902, 406800)


def test_average_has_the_count_that_is_quoted_for_lenet5() -> None:
    """61,706 is what LeNet-5 has with full connections between its second and third layer."""
    model = LeNet5Average()
    assert cost(model, (1, 28, 28)) == (61706, 416520)
    assert model.conv3(torch.zeros(1, 16, 5, 5)).shape == (1, 120, 1, 1)  # it flattens


def test_the_authors_network_is_that_of_their_description(shared: Path) -> None:
    described = json.loads((shared / "lenet5" / "architecture.json").read_text())
    model = lenet5_da()
    for layer in described["layers"]:
        if "weight_shape" in layer:
            ours = getattr(model, layer["name"])
            assert list(ours.weight.shape) == layer["weight_shape"]
            assert ours.bias is not None
            if layer["type"] == "conv2d":
                assert ours.padding == (layer["padding"],) * 2
                assert ours.stride == (layer["stride"],) * 2
    assert cost(model, (1, 28, 28)) == (648226, 4467664)


def test_the_authors_weights_give_their_scores(shared: Path) -> None:
    model = load_npz(lenet5_da(), shared / "lenet5" / "lenet5_da.npz").eval()
    with np.load(shared / "datasets" / "mnist.npz") as mnist:
        images = torch.from_numpy(mnist["test_images"][:200, None] / np.float32(255))
    with np.load(shared / "lenet5" / "reference_test_0_199.npz") as reference, torch.no_grad():
        scores = model(images).numpy()
        np.testing.assert_allclose(scores, reference["logits_exact"], atol=1e-4)
        np.testing.assert_array_equal(scores.argmax(1), reference["prediction_exact"])


def test_they_compute_what_their_docstrings_say() -> None:
    """Layer by layer with plain torch."""
    x = torch.rand(3, 1, 28, 28)
    model = LeNet5()
    y = torch.nn.functional.conv2d(x, model.conv1.weight, model.conv1.bias, padding=2).clamp(min=0)
    y = y.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
    y = torch.nn.functional.conv2d(y, model.conv2.weight, model.conv2.bias).clamp(min=0)
    y = y.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2)).reshape(3, -1)
    y = (y @ model.linear1.weight.T + model.linear1.bias).clamp(min=0)
    torch.testing.assert_close(model(x), y @ model.linear2.weight.T + model.linear2.bias)
    average = LeNet5Average()
    y = torch.nn.functional.conv2d(x, average.conv1.weight, average.conv1.bias, padding=2).clamp(min=0)
    y = y.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    y = torch.nn.functional.conv2d(y, average.conv2.weight, average.conv2.bias).clamp(min=0)
    y = y.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).reshape(3, -1)
    y = (y @ average.conv3.weight.reshape(120, -1).T + average.conv3.bias).clamp(min=0)
    y = (y @ average.linear1.weight.T + average.linear1.bias).clamp(min=0)
    torch.testing.assert_close(average(x), y @ average.linear2.weight.T + average.linear2.bias)


@pytest.mark.parametrize("build", [LeNet5, LeNet5Average, lenet5_da])
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 16), (3, 32), (3, 33), (1, 64)])
def test_other_images(build: type[nn.Module], channels: int, size: int) -> None:
    model = build(in_channels=channels, size=size, classes=7)
    assert model(torch.zeros(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize("build", [LeNet5, LeNet5Average])
def test_too_small_an_image_is_refused(build: type[nn.Module]) -> None:
    for name, given in (("channels", 3), ("channels", (6,)), ("padding", 2)):
        for network in (LeNet5, LeNet5Average):
            with pytest.raises(TypeError, match=rf"^{name} is .*expected [23] numbers, one for each"):
                network(**{name: given})
    with pytest.raises(ValueError, match=r"^size is 2: nothing is left"):
        build(size=2, kernel=5)

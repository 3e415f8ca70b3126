"""The layers of the networks, and that what is timed computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import axsim
from benchmarks import operations
from benchmarks.layers import ALEXNET, DEPTHWISE, HEADLINE, LENET, NETWORKS, Layer, resnet18
from benchmarks.operations import FLOAT32, INT8, Operation, of_product

LAYERS = (
    Layer("square", 3, 5, 7, 3, stride=2, padding=1),
    Layer("depthwise", 4, 4, 6, 3, padding=1, groups=4),
    Layer("grouped", 6, 9, 6, 3, groups=3),
    Layer("connected", 20, 7),
)


@pytest.mark.parametrize(
    ("layers", "weights", "products"),
    [
        # Published counts: LeNet-5 61,706 parameters with 236 biases; AlexNet 61,100,840 with 10,344;
        # ResNet-18 11,689,512 with 1,000, and 9,600 of batch normalisation; 1.81e9 and 0.71e9 products.
        (LENET, 61_706 - 236, 416_520),
        (ALEXNET, 61_100_840 - 10_344, 714_188_480),
        (resnet18(224), 11_689_512 - 1_000 - 9_600, 1_814_073_344),
        (resnet18(32), 11_689_512 - 1_000 - 9_600 - 990 * 512 - 64 * 3 * (49 - 9), 555_422_720),
    ],
)
def test_networks_have_the_published_sizes(layers: tuple[Layer, ...], weights: int, products: int) -> None:
    assert sum(int(np.prod(layer.w_shape)) for layer in layers) == weights
    assert sum(layer.products(1) for layer in layers) == products
    assert sum(layer.products(3) for layer in layers) == 3 * products


def test_layers_in_words() -> None:
    assert str(HEADLINE) == "3x3 64 to 64, 32x32"
    assert str(DEPTHWISE) == "3x3 depthwise 64 to 64, 32x32"
    assert str(LENET[-1]) == "fc3: 84 to 10"
    assert str(resnet18(224)[0]) == "conv1: 7x7 3 to 64, 224x224, stride 2"
    assert len(NETWORKS) == 4


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("floats", [False, True])
def test_everything_timed_computes_the_same_layer(layer: Layer, floats: bool) -> None:
    operation = Operation.random(layer, 2, floats=floats)
    call = operation.through("exact8")
    outputs = [call() for _ in range(4)]  # inputs take turns
    terms = np.prod(layer.w_shape[1:]) if layer.kernel else layer.channels
    assert layer.products(2) == outputs[0].size * terms
    assert np.array_equal(outputs[0], outputs[3])
    assert not np.array_equal(outputs[0], outputs[1])
    pytest.importorskip("torch")
    exact = operation.exact()
    assert exact.keys() == ({FLOAT32} if floats else {FLOAT32, INT8})
    for k in range(2):
        expected = exact[FLOAT32]().numpy()
        assert np.abs(expected - outputs[k]).max() <= (0.05 * np.abs(expected).max() if floats else 0)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("floats", [False, True])
def test_wrong_numbers_are_noticed(layer: Layer, floats: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("axsim._native", reason="axsim was installed without its compiled module")
    operation = Operation.random(layer, 2, floats=floats)
    operation.check("L40")
    right = Operation._through

    def wrong(self: Operation, x: Any, w: Any, mult: str, **options: Any) -> Any:
        out = right(self, x, w, mult, **options)
        if options["engine"] != "reference":
            out.reshape(-1)[-1] += 1
        return out

    monkeypatch.setattr(Operation, "_through", wrong)
    with pytest.raises(
        AssertionError, match=rf"^{layer.name}: .* through L40, engine native: not the reference"
    ):
        operation.check("L40", "native")


def test_products_of_matrices() -> None:
    operation = of_product(4, 5, 6, floats=False)
    assert np.array_equal(
        operation.through("L40")(), axsim.matmul(operation.inputs[0], operation.weights, "L40")
    )


def test_without_torch_there_is_nothing_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "torch_or_none", lambda: None)
    assert Operation.random(LAYERS[0], 1, floats=False).exact() == {}


def test_a_torch_without_quantised_layers_has_no_int8_column(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.delattr(torch, "quantize_per_tensor")
    assert Operation.random(LAYERS[0], 1, floats=False).exact().keys() == {FLOAT32}

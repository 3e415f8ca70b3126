"""The trained network of Ax-FPM's authors, run with axsim.conv2d and axsim.matmul alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import axsim

Layer = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
IMAGES = 200


def conv(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return axsim.conv2d(x, w, "axfpm", bias=bias, padding=1)


def linear(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Bias is added before the one rounding, as in the authors' layer."""
    return (axsim.matmul(x, w.T, "axfpm", out_dtype="float64") + bias).astype(np.float32)


def exact_linear(x: np.ndarray, w: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (x.astype(np.float64) @ w.T.astype(np.float64) + bias).astype(np.float32)


def relu_and_pool(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return np.maximum(x, 0).reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def lenet(x: np.ndarray, p: dict[str, np.ndarray], dense: Layer) -> dict[str, np.ndarray]:
    """Every layer's output."""
    out = {"conv1": conv(x, p["conv1.weight"], p["conv1.bias"])}
    out["pool1"] = relu_and_pool(out["conv1"])
    out["conv2"] = conv(out["pool1"], p["conv2.weight"], p["conv2.bias"])
    out["pool2"] = relu_and_pool(out["conv2"])
    flat = out["pool2"].reshape(len(x), -1)
    out["linear1"] = dense(flat, p["linear1.weight"], p["linear1.bias"])
    out["linear2"] = dense(np.maximum(out["linear1"], 0), p["linear2.weight"], p["linear2.bias"])
    return out


@pytest.fixture(scope="module")
def network(shared: Path) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    with np.load(shared / "datasets" / "mnist.npz") as mnist:
        images = (mnist["test_images"][:IMAGES, None] / np.float32(255)).astype(np.float32)
    with (
        np.load(shared / "lenet5" / "lenet5_da.npz") as parameters,
        np.load(shared / "lenet5" / "reference_test_0_199.npz") as expected,
    ):
        return images, dict(parameters), dict(expected)


@pytest.mark.parametrize(("variant", "dense"), [("approx", linear), ("conv_only_approx", exact_linear)])
def test_logits_and_predictions_are_the_published_ones(
    network: tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]], variant: str, dense: Layer
) -> None:
    images, parameters, expected = network
    logits = lenet(images, parameters, dense)["linear2"]
    np.testing.assert_allclose(logits, expected[f"logits_{variant}"], rtol=1e-6)
    assert np.array_equal(logits.argmax(axis=1), expected[f"prediction_{variant}"])


def test_every_layer_of_one_image(
    network: tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]], shared: Path
) -> None:
    images, parameters, _ = network
    out = lenet(images[:1], parameters, linear)
    exact_tail = lenet(images[:1], parameters, exact_linear)
    with np.load(shared / "lenet5" / "trace_test_0.npz") as trace:
        for name, values in out.items():
            np.testing.assert_allclose(values[0], trace[name], rtol=1e-6, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(exact_tail["linear1"][0], trace["conv_only_linear1"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(exact_tail["linear2"][0], trace["conv_only_linear2"], rtol=1e-6)

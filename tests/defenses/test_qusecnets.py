"""QuSecNets: its formula, both readings, and thresholds that learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import digits_network

from axsim.defenses import QuantizationLayer, cost, defended, train_thresholds


@pytest.mark.parametrize("levels", [2, 3, 6])
def test_the_formula_of_the_paper(levels: int) -> None:
    x = torch.linspace(0, 1, 11)
    for trainable, z in ((False, 50.0), (True, 5.0)):
        layer = QuantizationLayer(levels, trainable=trainable)
        terms = [1 / (1 + np.exp(-z * (x.numpy().astype(np.float64) - k / levels))) for k in range(1, levels)]
        np.testing.assert_allclose(layer(x).detach().numpy(), np.sum(terms, 0) / (levels - 1), atol=1e-6)


def test_the_reading_of_the_code() -> None:
    """One sigmoid more, at 1, and the same divisor."""
    layer = QuantizationLayer(4, reading="code", hardness=1)
    assert layer.thresholds.tolist() == [0.25, 0.5, 0.75, 1.0]
    x = torch.tensor([0.3])
    expected = sum(torch.sigmoid(x - t) for t in (0.25, 0.5, 0.75, 1.0)) / 3
    torch.testing.assert_close(layer(x), expected)


def test_levels_are_levels() -> None:
    """Far from thresholds there are n values, evenly spaced."""
    layer = QuantizationLayer(5, hardness=1000)
    made = layer(torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9]))
    torch.testing.assert_close(made, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))


def test_hardness_hides_the_gradient_between_thresholds() -> None:
    x = torch.tensor([0.5], requires_grad=True)
    QuantizationLayer(2, hardness=50)(x + 0.25).backward()
    soft = torch.tensor([0.5], requires_grad=True)
    QuantizationLayer(2, hardness=5)(soft + 0.25).backward()
    assert x.grad.item() < 1e-3 < soft.grad.item()


def test_the_cost_is_the_mean_over_classes_of_squared_differences() -> None:
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    labels = torch.tensor([0, 2])
    p = logits.softmax(1)
    first = ((1 - p[0, 0]) ** 2 + p[0, 1] ** 2 + p[0, 2] ** 2) / 3
    second = ((2 / 3) ** 2 + 2 * (1 / 3) ** 2) / 3
    torch.testing.assert_close(cost(logits, labels), (first + second) / 2)


def test_a_step_is_the_gradients() -> None:
    network, images, labels = digits_network()
    layer = QuantizationLayer(3, trainable=True)
    before = layer.thresholds.detach().clone()
    gradient = torch.autograd.grad(cost(network(layer(images[:20])), labels[:20]), layer.thresholds)[0]
    train_thresholds(layer, network, images[:20], labels[:20], epochs=1, batch=20, learning_rate=0.3)
    torch.testing.assert_close(layer.thresholds.detach(), before - 0.3 * gradient)


def test_thresholds_learn_and_the_network_does_not() -> None:
    network, images, labels = digits_network()
    layer = QuantizationLayer(3, trainable=True)
    weights = [p.clone() for p in network.parameters()]
    costs = train_thresholds(layer, network, images, labels, epochs=6, learning_rate=2.0)
    assert costs[-1] < costs[0]
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    assert all(p.grad is None for p in network.parameters())


def test_thresholds_come_to_rest_by_default() -> None:
    """Dark images up to 0.45 and light ones from 0.75: 0.6 is in the middle, and costs the least."""

    class Sure(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            f = 10 * (x.flatten(1)[:, 0] - 0.5)
            return torch.stack([-f, f, *[torch.full_like(f, -30.0)] * 8], 1)

    drawn = torch.rand((10000, 1, 1, 1), generator=torch.Generator().manual_seed(0))
    images = torch.where(drawn < 0.5, 0.9 * drawn, 0.5 + 0.5 * drawn)
    layer = QuantizationLayer(2, trainable=True)
    train_thresholds(layer, Sure(), images, (images.flatten() > 0.6).long())
    assert layer.thresholds.item() == pytest.approx(0.6, abs=0.02)


def test_thresholds_are_parameters_only_if_trainable() -> None:
    network, images, _ = digits_network()
    constant, trained = QuantizationLayer(3), QuantizationLayer(3, trainable=True)
    assert list(constant.parameters()) == []
    assert len(list(trained.parameters())) == 1
    assert "thresholds" in constant.state_dict()
    behind = defended(network, constant)
    with torch.no_grad():
        assert torch.equal(behind(images[:2]), network(constant(images[:2])))


def test_bad_arguments() -> None:
    network, images, labels = digits_network()
    for levels in (1, 2.5, True):
        with pytest.raises(ValueError, match="levels"):
            QuantizationLayer(levels)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hardness"):
        QuantizationLayer(3, hardness=0)
    with pytest.raises(ValueError, match="reading"):
        QuantizationLayer(3, reading="book")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="thresholds are constant"):
        train_thresholds(QuantizationLayer(3), network, images, labels)

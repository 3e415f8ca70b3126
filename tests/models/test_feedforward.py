"""The network of fully connected layers."""

from __future__ import annotations

import torch

from axsim.models import FFNN, cost


def test_counts_and_definition() -> None:
    assert cost(FFNN(), (1, 28, 28)) == (784 * 128 + 128 + 128 * 10 + 10, 784 * 128 + 1280)
    model = FFNN(in_channels=2, size=3, classes=4, hidden=(5, 6))
    x = torch.rand(7, 2, 3, 3)
    y = (x.reshape(7, 18) @ model.linear1.weight.T + model.linear1.bias).clamp(min=0)
    y = (y @ model.linear2.weight.T + model.linear2.bias).clamp(min=0)
    torch.testing.assert_close(model(x), y @ model.linear3.weight.T + model.linear3.bias)


def test_without_a_hidden_layer_it_is_linear() -> None:
    model = FFNN(size=2, hidden=())
    x, y = torch.rand(2, 1, 1, 2, 2)
    zero = model(torch.zeros(1, 1, 2, 2))
    torch.testing.assert_close(model(x + y) + zero, model(x) + model(y))

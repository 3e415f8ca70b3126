"""DoReFa: its formulas value by value, what it leaves alone, and that it can be trained."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from small_networks import digits, small_cnn, train
from torch import nn

from axsim.defenses import QuantizedReLU, QuantizedWeight, dorefa
from axsim.defenses.dorefa_network import quantization_network
from axsim.defenses.straight_through import straight_through


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_weights_follow_the_formula(bits: int) -> None:
    w = torch.randn((5, 7), generator=torch.Generator().manual_seed(0))
    t, steps = np.tanh(w.numpy().astype(np.float64)), 2**bits - 1
    expected = 2 * np.round(steps * (t / (2 * np.abs(t).max()) + 0.5)) / steps - 1
    made = QuantizedWeight(bits)(w)
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-6)
    assert len(made.unique()) <= 2**bits


def test_one_bit_is_the_sign_times_the_mean() -> None:
    w = torch.tensor([-3.0, 1.0, 0.0, 2.0])
    assert QuantizedWeight(1)(w).tolist() == [-1.5, 1.5, 1.5, 1.5]


def test_weights_of_zero_stay_finite() -> None:
    assert torch.isfinite(QuantizedWeight(4)(torch.zeros(3))).all()


def test_the_gradient_is_that_of_the_formula_without_rounding() -> None:
    w = torch.randn(6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    QuantizedWeight(4)(w)[0].backward()
    plain = w.detach().clone().requires_grad_()
    t = plain.tanh()
    (2 * (t / (2 * t.abs().max()) + 0.5) - 1)[0].backward()
    torch.testing.assert_close(w.grad, plain.grad)


def test_activations_pass_gradients_inside_their_range_alone() -> None:
    x = torch.tensor([-0.5, 0.2, 0.9, 1.5], requires_grad=True)
    y = QuantizedReLU(2)(x)
    y.sum().backward()
    torch.testing.assert_close(y.detach(), torch.tensor([0.0, 1 / 3, 1.0, 1.0]))
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_straight_through_keeps_every_bit() -> None:
    x = torch.tensor([1e-8, 3.3333333, 1e20], requires_grad=True)
    value = torch.tensor([1.0, 3.0, 7.0])
    assert torch.equal(straight_through(x, value), value)


def test_weights_only_and_full() -> None:
    model = small_cnn()
    weights, full = dorefa(model), dorefa(model, activations=True)
    for made in (weights, full):
        for at in (0, 3, 7):
            assert len(made[at].weight.unique()) <= 16
            assert not torch.equal(made[at].weight, model[at].weight)
        assert torch.equal(made[9].weight, model[9].weight)  # the last fully connected layer
    assert [type(layer) for layer in weights if "ReLU" in type(layer).__name__] == [nn.ReLU] * 3
    assert [type(layer) for layer in full if "ReLU" in type(layer).__name__] == [QuantizedReLU] * 3
    assert len(dorefa(model, last=True)[9].weight.unique()) <= 16
    assert not hasattr(model[0], "parametrizations")  # the model itself is left alone


def test_relus_within_modules_are_found() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    assert isinstance(dorefa(model, activations=True)[1][0], QuantizedReLU)


def test_it_learns() -> None:
    images, labels, others, their = digits()
    torch.manual_seed(0)
    made = train(dorefa(small_cnn(), activations=True), images, labels, epochs=12)
    with torch.no_grad():
        assert (made(others).argmax(1) == their).float().mean() > 0.8
    state = copy.deepcopy(made.state_dict())
    again = dorefa(small_cnn(), activations=True)
    again.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(again.eval()(others), made(others))


def test_the_papers_network_has_its_order_of_layers() -> None:
    """A. Guesmi et al., Table 11."""
    network = quantization_network(side=16, channels=1, widths=(4, 5, 6), dense=(7, 8))
    short = {
        "Conv2d": "C",
        "BatchNorm2d": "B",
        "BatchNorm1d": "B",
        "ReLU": "R",
        "MaxPool2d": "M",
        "Linear": "D",
        "Flatten": "",
    }
    order = "".join(short[type(layer).__name__] for layer in network)
    assert order == "CBRCRMBR" + "CBRCMBR" + "CBRCMBR" + "DBR" + "DBR" + "D"
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 10)
    quantised = dorefa(network, activations=True).eval()
    assert quantised(torch.zeros(2, 1, 16, 16)).shape == (2, 10)


def test_bad_arguments() -> None:
    for bits in (0, 32, 2.0, True):
        with pytest.raises(ValueError, match="bits: a whole number from 1 to 31"):
            dorefa(small_cnn(), bits)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ReLU has none"):
        dorefa(nn.ReLU())
    with pytest.raises(ValueError, match="widths, dense"):
        quantization_network(widths=(1, 2))
    with pytest.raises(ValueError, match="side"):
        quantization_network(side=4)


def test_activations_that_cannot_be_seen_are_refused() -> None:
    """LeNet-5 calls its ReLUs as functions: nothing of them would be quantised, in silence."""
    from axsim import models

    network = models.get("lenet5", seed=0)
    with pytest.raises(ValueError, match=r"activations: LeNet5 has no nn\.ReLU"):
        dorefa(network, 4, activations=True)
    dorefa(network, 4)

"""The straight-through estimator and the protocol of gradient rules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from axsim.nn import STE, approximate
from axsim.nn.geometry import Linear
from axsim.nn.gradients import Product, named
from axsim.nn.gradients.ste import measured_gain


def gradients(layer: nn.Module, x: Tensor) -> list[Tensor]:
    y = layer(x)
    upstream = torch.linspace(-1, 2, y.numel()).reshape(y.shape)
    return list(torch.autograd.grad(y, [x, *layer.parameters()], upstream))


LAYERS = [
    (nn.Linear(60, 40), (30, 60)),
    (nn.Conv2d(4, 8, 3, padding=1), (4, 4, 9, 9)),
    (nn.ConvTranspose2d(4, 8, 2, stride=2), (4, 4, 6, 6)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_a_measured_gain_is_the_slope_of_the_results(layer: Any, shape: tuple[int, ...]) -> None:
    """Of approximate results on exact ones, both without bias, by NumPy's least squares."""
    torch.manual_seed(0)  # of few numbers, the slope may be any
    layer.reset_parameters()
    x = torch.rand(shape, requires_grad=True)
    plain = approximate(layer, "axfpm")
    with torch.no_grad():
        bias = layer.bias.reshape(-1, *(1,) * (x.ndim - 2))
        exact, approx = (m(x) - bias for m in (layer, plain))
    slope = torch.linalg.lstsq(exact.reshape(-1, 1).double(), approx.reshape(-1, 1).double()).solution.item()
    assert 1.1 < slope < 1.6  # Ax-FPM amplifies
    of_x, of_w, of_bias = gradients(approximate(layer, "axfpm", gradient=STE(gain="measured")), x)
    exact_x, exact_w, exact_bias = gradients(layer, x)
    torch.testing.assert_close(of_x, slope * exact_x, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(of_w, slope * exact_w, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(of_bias, exact_bias)  # a bias is added exactly


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_a_given_gain(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, requires_grad=True)
    found = gradients(approximate(layer, "L40", gradient="ste(gain=0.5)"), x)
    for half, whole in zip(found[:2], gradients(layer, x)[:2], strict=True):
        torch.testing.assert_close(half, whole / 2)


def test_the_gain_of_zeros_is_one() -> None:
    zeros = torch.zeros(1, 2)
    product = Product(zeros, zeros, None, None, None, Linear(), zeros[:, :1])  # type: ignore[arg-type]
    assert measured_gain(product) == 1


def test_only_what_is_wanted() -> None:
    approx = approximate(LAYERS[0][0], "L40")
    x = torch.rand(LAYERS[0][1])
    approx.weight.requires_grad_(False)
    approx(x).sum().backward()
    assert approx.weight.grad is None
    assert approx.bias.grad is not None
    x.requires_grad_()
    approx(x).sum().backward()
    assert x.grad is not None


def test_halves_get_halves() -> None:
    approx = approximate(nn.Linear(6, 4).half(), "L40")
    x = torch.rand(3, 6).half().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("axsim.nn.products._said", {"half"})
        approx(x).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == approx.weight.grad.dtype == approx.bias.grad.dtype == torch.float16


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ste", STE()),
        ("ste(measured)", STE("measured")),
        (" ste( gain = 2.5 , clip = False ) ", STE(2.5, False)),
    ],
)
def test_rules_by_name(text: str, rule: STE) -> None:
    assert named(text) == rule
    assert named(rule.name) == rule
    assert named(rule) is rule


@pytest.mark.parametrize(
    "text", ["", "bpda", "ste(", "ste(gain=high)", "ste(gain=nan)", "ste(clip=3)", "ste(1,2,3)"]
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="which names no rule"):
        named(text)


def test_a_rule_of_ones_own() -> None:
    class Twice:
        name = "twice"

        def gradients(self, upstream: Tensor, product: Product, wanted: tuple[bool, bool]) -> Any:
            assert product.a_params is not None
            assert product.x.requires_grad == wanted[0]
            return 2 * upstream @ product.w, 3 * upstream.T @ product.x

    x = torch.rand(LAYERS[0][1], requires_grad=True)
    layer = LAYERS[0][0]
    found, own = gradients(approximate(layer, "L40", gradient=Twice()), x), gradients(layer, x)
    torch.testing.assert_close(found[0], 2 * own[0])
    torch.testing.assert_close(found[1], 3 * own[1])

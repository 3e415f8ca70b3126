"""Approximate layers: float32's are torch's own, others are the definition, pair for pair."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nn_layers import any_layer, by_hand, by_output, convolutions, padded, transposed_convolutions
from torch import Tensor, nn

import axsim
from axsim.nn import Quantization, approximate
from axsim.quantization import QuantParams

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")

Case = tuple[nn.Module, Tensor]


@torch.no_grad()
def ranges(layer: nn.Module, x: Tensor) -> Tensor:
    """What the layer quantises: activations as torch pads them."""
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.padding_mode != "zeros":
        return padded(layer, x if x.ndim == layer.weight.ndim else x[None])
    return x


def params(
    layer: nn.Module, x: Tensor, quantization: Quantization, multiplier: axsim.Multiplier
) -> tuple[QuantParams, QuantParams]:
    """How ``axsim.quantize`` makes the integers of both operands."""
    made = []
    sides = (
        (quantization.left(multiplier), ranges(layer, x).numpy(), None),
        (quantization.right(multiplier), by_output(layer).numpy(), quantization.w_granularity),
    )
    for rule, values, granularity in sides:
        axis = 0 if granularity == "channel" else None
        if rule.centred:
            made.append(axsim.quantize.symmetric(values, rule.bits, axis))
        else:
            made.append(axsim.quantize.affine(values, rule.bits, axis, signed=rule.qmin < 0))
    return made[0], made[1]


@given(any_layer)
def test_float32_is_torchs_own(case: Case) -> None:
    layer, x = case
    with torch.no_grad():
        torch.testing.assert_close(approximate(layer, "float32")(x), layer(x), rtol=1e-5, atol=1e-5)


quantizations = st.builds(
    Quantization,
    a_bits=st.integers(2, 8),
    a_coding=st.sampled_from(["auto", "affine", "symmetric", "sign-magnitude"]),
    w_bits=st.integers(2, 8),
    w_coding=st.sampled_from(["auto", "affine", "symmetric", "sign-magnitude"]),
    w_granularity=st.sampled_from(["tensor", "channel"]),
)


@given(any_layer, st.sampled_from(["exact8", "L40", "JV3", "mul8s_1L2D", "drum6_3"]), quantizations)
def test_integer_layers_are_the_definition_exactly(case: Case, mult: str, quantization: Quantization) -> None:
    layer, x = case
    multiplier = axsim.get(mult)
    assert isinstance(multiplier, axsim.Multiplier)
    expected = by_hand(layer, x, multiplier, *params(layer, x, quantization, multiplier))
    with torch.no_grad():
        y = approximate(layer, mult, quantize=quantization)(x)
    assert torch.equal(y.reshape(expected.shape), expected)
    assert y.shape == layer(x).shape


@given(any_layer, st.sampled_from(["axfpm", "float32[L40]", "bfloat16"]))
def test_float_layers_are_the_definition(case: Case, mult: str) -> None:
    layer, x = case
    expected = by_hand(layer, x, axsim.get(mult))
    with torch.no_grad():
        y = approximate(layer, mult)(x).reshape(expected.shape)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)


@given(st.one_of(convolutions(), transposed_convolutions()), st.sampled_from(["L40", "axfpm"]))
def test_float64_stays_float64(case: Case, mult: str) -> None:
    layer, x = case[0].double(), case[1].double()
    with torch.no_grad():
        y, narrow = approximate(layer, mult)(x), approximate(layer.float(), mult)(x.float())
    assert y.dtype == torch.float64
    torch.testing.assert_close(y.float(), narrow, rtol=1e-2, atol=1e-2 if mult == "axfpm" else 0.5)


@given(any_layer, st.floats(0.1, 3))
def test_static_ranges_cut_off(case: Case, high: float) -> None:
    layer, x = case
    approx = approximate(layer, "exact8")
    approx.calibration = {"": (-high / 2, high)}
    multiplier = axsim.get("exact8")
    assert isinstance(multiplier, axsim.Multiplier)
    _, right = params(layer, x, Quantization(), multiplier)
    with torch.no_grad():
        y = approx(x)
    left = Quantization().left(multiplier).params(-high / 2, high)
    assert torch.equal(y.reshape(-1), by_hand(layer, x, multiplier, left, right).reshape(-1))


@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
def test_layout_of_memory_does_not_matter(memory: torch.memory_format) -> None:
    layer, x = nn.Conv2d(4, 6, 3), torch.randn(2, 4, 8, 9)
    with torch.no_grad():
        expected = approximate(layer, "L40")(x)
        approx = approximate(layer.to(memory_format=memory), "L40")
        assert torch.equal(approx(x.to(memory_format=memory)), expected)
        assert torch.equal(approx(x.transpose(2, 3).contiguous().transpose(2, 3)), expected)
        strided = torch.zeros(2, 8, 16, 18)
        strided[:, ::2, ::2, ::2] = x
        assert torch.equal(approx(strided[:, ::2, ::2, ::2]), expected)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(3, 2), (0, 3)),
        (nn.Conv1d(3, 2, 2), (0, 3, 5)),
        (nn.Conv2d(3, 2, 2), (0, 3, 5, 5)),
        (nn.Conv3d(3, 2, 2), (0, 3, 5, 5, 5)),
        (nn.ConvTranspose1d(3, 2, 2), (0, 3, 5)),
        (nn.ConvTranspose2d(3, 2, 2), (0, 3, 5, 5)),
    ],
)
@pytest.mark.parametrize("mult", ["L40", "axfpm"])
def test_no_images_give_no_results(layer: nn.Module, shape: tuple[int, ...], mult: str) -> None:
    with torch.no_grad():
        assert approximate(layer, mult)(torch.zeros(shape)).shape == layer(torch.zeros(shape)).shape


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(3, 2), (2, 4)),
        (nn.Conv1d(3, 2, 2), (1, 4, 5)),
        (nn.Conv2d(3, 2, 2), (1, 3, 1, 5)),
        (nn.Conv3d(3, 2, 2), (3, 5)),
        (nn.ConvTranspose2d(3, 2, 2), (1, 2, 5, 5)),
    ],
)
def test_shapes_that_do_not_fit_are_named(layer: nn.Module, shape: tuple[int, ...]) -> None:
    model = approximate(nn.Sequential(nn.Identity(), layer), "L40")
    with torch.no_grad(), pytest.raises(ValueError, match=r"^1: "):
        model(torch.zeros(shape))


@pytest.mark.parametrize("mult", ["L40", "axfpm"])
@pytest.mark.parametrize("features", [(0, 2), (3, 0)])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")
def test_no_features_have_gradients(features: tuple[int, int], mult: str) -> None:
    layer = nn.Linear(*features)
    approx = approximate(layer, mult)
    x = torch.rand(4, layer.in_features, requires_grad=True)
    approx(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert torch.equal(approx.weight.grad, torch.zeros_like(layer.weight))
    assert torch.equal(approx.bias.grad, torch.full_like(layer.bias, 4.0))

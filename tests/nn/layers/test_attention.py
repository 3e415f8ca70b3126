"""Attention through a multiplier: float32's is torch's own, others are products by axsim.matmul."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nn_sequences import Call, assert_alike, attentions, by_ops
from torch import Tensor, nn

from axsim.nn import Quantization, approximate, calibrate, calibration

LAYER: dict[str, Any] = {"embed_dim": 8, "num_heads": 2, "batch_first": True}


def attention() -> nn.MultiheadAttention:
    torch.manual_seed(3)
    return nn.MultiheadAttention(**LAYER).eval()


@given(attentions())
def test_float32_is_torchs_own(case: Call) -> None:
    layer, arguments, kwargs = case
    with torch.no_grad():
        assert_alike(approximate(layer, "float32")(*arguments, **kwargs), layer(*arguments, **kwargs), 1e-5)


def by_hand(layer: Any, x: Tensor, mult: str) -> tuple[Tensor, Tensor]:
    """Self-attention of (N, L, E), written out: three projections, scores, sums, a projection."""
    (n, length, width), heads = x.shape, layer.num_heads
    rows = x.reshape(-1, width)
    parts = zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True)
    q, k, v = (
        (by_ops(rows, w.detach().T.contiguous(), mult) + b)
        .detach()
        .reshape(n, length, heads, -1)
        .transpose(1, 2)
        for w, b in parts
    )
    scores = by_ops((q * (1 / math.sqrt(width // heads))).contiguous(), k.mT.contiguous(), mult)
    weights = torch.softmax(scores, -1)
    context = by_ops(weights, v.contiguous(), mult).transpose(1, 2).reshape(-1, width)
    out = by_ops(context, layer.out_proj.weight.detach().T.contiguous(), mult) + layer.out_proj.bias
    return out.detach().reshape(x.shape), weights.mean(1)


@pytest.mark.parametrize("mult", ["exact8", "L40", "axfpm"])
def test_products_are_those_of_ops(mult: str) -> None:
    layer, x = attention(), torch.randn(3, 5, 8)
    with torch.no_grad():
        assert_alike(approximate(layer, mult)(x, x, x), by_hand(layer, x, mult), 1e-6)


@settings(max_examples=30)
@given(attentions(), st.sampled_from(["exact8", "exact8s"]))
def test_ranges_of_a_calibration(case: Call, mult: str) -> None:
    """Ranges that are those of the batch itself give the batch's own result."""
    layer, arguments, kwargs = case
    own = approximate(layer, mult)
    static = approximate(layer, mult, quantize=Quantization(activations="static"))
    calibrate(static, lambda model: model(*arguments, **kwargs))
    assert set(static.calibration) == set(static.sites)
    exact = approximate(layer, "float32", quantize=Quantization(activations="dynamic"))
    with torch.no_grad():
        found, expected = static(*arguments, **kwargs), own(*arguments, **kwargs)
        spread = max(1.0, float(exact(*arguments, **kwargs)[0].abs().max()))
    # The exact network's ranges, from which those of the quantised one differ by a few steps.
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=0.2 * spread)


def test_static_ranges_are_used_on_both_sides() -> None:
    layer, x = approximate(attention(), "exact8"), torch.randn(1, 4, 8)
    calibrate(layer, lambda model: model(x, x, x))
    with torch.no_grad():
        before = layer(x, x, x)[0]
        for site in layer.sites:
            kept = layer.calibration[site]
            layer.calibration[site] = (kept[0] / 4, kept[1] / 4)
            assert not torch.equal(layer(x, x, x)[0], before), site
            layer.calibration[site] = kept
        assert torch.equal(layer(x, x, x)[0], before)


def test_ranges_have_names() -> None:
    model = approximate(nn.ModuleDict({"attn": attention()})["attn"], "L40")
    x = torch.randn(1, 4, 8)
    calibrate(model, lambda m: m(x, x, x))
    assert set(calibration(model)) == {f"multiheadattention:{site}" for site in model.sites}
    low, high = calibration(model)["multiheadattention:attention"].tolist()
    assert 0 <= low < high <= 1


def test_projections_of_one_tensor_and_of_copies_are_the_same() -> None:
    layer, x = approximate(attention(), "L40"), torch.randn(2, 4, 8)
    with torch.no_grad():
        assert torch.equal(layer(x, x, x)[0], layer(x, x.clone(), x.clone())[0])
        assert torch.equal(layer(x, x, x)[0], layer(x, x, x, need_weights=False)[0])
    recorded = layer(x, x, x)[0]
    assert recorded.requires_grad
    with torch.no_grad():
        assert torch.equal(layer(x, x, x)[0], recorded)


def test_weights_are_prepared_anew_when_they_change() -> None:
    layer, x = attention(), torch.randn(2, 4, 8)
    approx = approximate(layer, "L40")
    with torch.no_grad():
        approx(x, x, x)
        for change in (
            lambda m: m.in_proj_weight.mul_(2),
            lambda m: m.in_proj_weight.data.mul_(0.3),
            lambda m: m.out_proj.weight.mul_(2),
            lambda m: m.in_proj_bias.add_(0.1),
        ):
            change(layer)
            change(approx)
            assert torch.equal(approx(x, x, x)[0], approximate(layer, "L40")(x, x, x)[0])


@settings(max_examples=30)
@given(attentions())
def test_gradients_are_torchs_own(case: Call) -> None:
    layer, arguments, kwargs = case
    approx = approximate(layer, "float32")
    found = []
    for model in (layer, approx):
        mine = [x.clone().requires_grad_() for x in arguments]
        model(*mine, **kwargs)[0].square().sum().backward()
        found.append([x.grad for x in mine] + [p.grad for p in model.parameters()])
    for own, ours in zip(*found, strict=True):
        torch.testing.assert_close(own, ours, rtol=1e-4, atol=1e-4)


def test_dropout_in_training() -> None:
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(**LAYER, dropout=0.5)
    approx, x = approximate(layer, "float32"), torch.randn(2, 4, 8)
    with torch.no_grad():
        for need in (True, False):
            assert not torch.equal(
                approx(x, x, x, need_weights=need)[0], approx(x, x, x, need_weights=need)[0]
            )
        weights = torch.cat([approx(x, x, x, average_attn_weights=False)[1].reshape(-1) for _ in range(50)])
        assert 0.4 < float((weights == 0).float().mean()) < 0.6
        approx.eval()
        assert_alike(approx(x, x, x), layer.eval()(x, x, x), 1e-5)


def test_nothing_to_attend_to() -> None:
    """Zeros without weights, as torch has it off its fast path; with them NaN, which is named."""
    layer, x = attention(), torch.randn(1, 3, 8)
    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[1] = True
    expected = {need: layer(x, x, x, attn_mask=mask, need_weights=need)[0] for need in (True, False)}
    with torch.no_grad():
        for need, own in expected.items():
            found = approximate(layer, "float32")(x, x, x, attn_mask=mask, need_weights=need)[0]
            torch.testing.assert_close(found, own.detach(), rtol=1e-5, atol=1e-5, equal_nan=True)
        with pytest.raises(ValueError, match=r"^multiheadattention:attention, values: a holds NaN"):
            approximate(layer, "L40")(x, x, x, attn_mask=mask)


def test_inside_of_torchs_encoder() -> None:
    """The encoder's own fast path, and its nested tensors, are left."""
    torch.manual_seed(1)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model, x = nn.TransformerEncoder(layer, 2).eval(), torch.randn(2, 5, 8)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    approx = approximate(model, "float32")
    assert [type(m).__name__ for m in approx.modules()].count("ApproxMultiheadAttention") == 2
    with torch.no_grad():
        found = approx(x, src_key_padding_mask=padding)
        model.layers[0].activation_relu_or_gelu = 0  # its slow path
        model.use_nested_tensor = False
        assert_alike(found[~padding], model(x, src_key_padding_mask=padding)[~padding], 1e-5)
        assert not torch.equal(approximate(model, "L40")(x), model(x))


def test_compiled_without_a_graph_break() -> None:
    layer, x = approximate(attention(), "L40"), torch.randn(2, 4, 8)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        assert torch.equal(compiled(x, x, x)[0], layer(x, x, x)[0])
    mask = torch.ones(4, 4, dtype=torch.bool).triu(1)
    a, b = (m(x, x, x, attn_mask=mask, is_causal=True)[0] for m in (compiled, layer))
    assert torch.equal(a, b)


def test_there_and_back(tmp_path: Any) -> None:
    layer, x = attention(), torch.randn(2, 4, 8)
    approx = approximate(layer, "L40")
    assert list(approx.state_dict()) == list(layer.state_dict())
    layer.load_state_dict(approx.state_dict())
    torch.save(approx, tmp_path / "layer.pt")
    with torch.no_grad():
        for other in (copy.deepcopy(approx), torch.load(tmp_path / "layer.pt", weights_only=False)):
            assert torch.equal(other(x, x, x)[0], approx(x, x, x)[0])
        assert torch.equal(approximate(approx, None)(x, x, x)[0], layer(x, x, x)[0])


def test_what_does_not_fit_is_named() -> None:
    layer, x = approximate(attention(), "L40"), torch.randn(2, 4, 8)
    for kwargs, message in (
        ({"attn_mask": torch.zeros(3, 4)}, "attn_mask has shape"),
        ({"key_padding_mask": torch.zeros(3, 4)}, "key_padding_mask has shape"),
        ({"is_causal": True}, "is_causal is a hint"),
    ):
        with torch.no_grad(), pytest.raises(ValueError, match=rf"^multiheadattention: {message}"):
            layer(x, x, x, **kwargs)
    with torch.no_grad(), pytest.raises(ValueError, match=r"^multiheadattention: query is a batch of 2"):
        layer(x, x[:1], x[:1])
    with torch.no_grad(), pytest.raises(ValueError, match=r"^multiheadattention: query, key and value have"):
        layer(x, x[:, :1], x)
    with torch.no_grad(), pytest.raises(ValueError, match=r"^multiheadattention:query: x holds NaN"):
        layer(x * torch.nan, x, x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.filterwarnings("ignore:a layer that is approximate got")
def test_other_types(dtype: torch.dtype) -> None:
    layer, x = attention().to(dtype), torch.randn(2, 4, 8, dtype=dtype)
    with torch.no_grad():
        out, weights = approximate(layer, "float32")(x, x, x)
        expected = layer(x, x, x)
    assert out.dtype == weights.dtype == dtype
    assert_alike((out.float(), weights.float()), tuple(t.float() for t in expected), 3e-2)


def test_no_batch_and_no_steps() -> None:
    layer = approximate(attention(), "L40")
    with torch.no_grad():
        assert layer(*[torch.zeros(0, 4, 8)] * 3)[0].shape == (0, 4, 8)


def test_multiplier_for_some_layers() -> None:
    model = nn.Sequential(nn.Linear(8, 8), attention())
    approx = approximate(model, "L40", per_layer={"1": "exact8"})
    assert approx[1].arithmetic.multiplier.name == "exact8"
    assert approximate(model, layers=nn.MultiheadAttention)[0].__class__ is nn.Linear

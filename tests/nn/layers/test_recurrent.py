"""Recurrent layers through a multiplier: float32's are torch's own, others are products by axsim.matmul."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch._dynamo
from hypothesis import given, settings
from nn_sequences import Call, assert_alike, by_ops, recurrents
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from axsim.nn import Quantization, approximate, calibrate
from axsim.nn.recurrence import sites_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:LSTM with projections is not supported with oneDNN:UserWarning"
)

KINDS = [nn.RNN, nn.GRU, nn.LSTM]


@given(recurrents())
def test_float32_is_torchs_own(case: Call) -> None:
    layer, arguments, _ = case
    with torch.no_grad():
        assert_alike(approximate(layer, "float32")(*arguments), layer(*arguments), 1e-5)


def by_hand(layer: Any, x: Tensor, mult: str) -> Tensor:
    """One layer over (T, N, F), written out, its products by axsim.matmul."""
    rows = layer.weight_ih_l0.detach().T.contiguous()
    columns = layer.weight_hh_l0.detach().T.contiguous()
    inputs = by_ops(x.reshape(-1, x.shape[-1]).contiguous(), rows, mult).reshape(*x.shape[:2], -1)
    h = c = torch.zeros(x.shape[1], layer.hidden_size)
    outputs = []
    for step in inputs:
        hidden = by_ops(h.contiguous(), columns, mult)
        a, b = step + layer.bias_ih_l0, hidden + layer.bias_hh_l0
        if isinstance(layer, nn.GRU):
            (r, z, n), (r_h, z_h, n_h) = a.chunk(3, 1), b.chunk(3, 1)
            z = (z + z_h).sigmoid()
            h = (1 - z) * (n + (r + r_h).sigmoid() * n_h).tanh() + z * h
        elif isinstance(layer, nn.LSTM):
            i, f, g, o = (a + b).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        else:
            h = (a + b).tanh()
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize("mult", ["exact8", "L40", "axfpm"])
@pytest.mark.parametrize("kind", KINDS)
def test_products_are_those_of_ops(kind: Any, mult: str) -> None:
    torch.manual_seed(2)
    layer, x = kind(5, 4), torch.randn(6, 3, 5)
    with torch.no_grad():
        torch.testing.assert_close(
            approximate(layer, mult)(x)[0], by_hand(layer, x, mult), rtol=1e-5, atol=1e-5
        )


@settings(max_examples=30)
@given(recurrents())
def test_gradients_are_torchs_own(case: Call) -> None:
    layer, arguments, _ = case
    found = []
    for model in (layer, approximate(layer, "float32")):
        model.zero_grad()
        out = model(*arguments)[0]
        (out if isinstance(out, Tensor) else out.data).square().sum().backward()
        found.append([p.grad for p in model.parameters()])
    for own, ours in zip(*found, strict=True):
        torch.testing.assert_close(own, ours, rtol=1e-4, atol=1e-4)


def test_each_site_has_its_range() -> None:
    torch.manual_seed(1)
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2)
    x = torch.randn(5, 2, 3)
    approx = approximate(layer, "exact8", calibrate=[x], quantize=Quantization(activations="static"))
    assert set(approx.calibration) == set(sites_of(2, True, True))
    assert approx.calibration["input l0"] == (float(x.min()), float(x.max()))
    with torch.no_grad():
        before = approx(x)[0]
        for site, kept in list(approx.calibration.items()):
            approx.calibration[site] = (kept[0] / 4, kept[1] / 4)
            assert not torch.equal(approx(x)[0], before), site
            approx.calibration[site] = kept
        # With ranges that are known, a sequence's result is that of the batch it is in.
        assert torch.equal(approx(x[:, :1])[0], before[:, :1])
        packed = pack_sequence([x[:, 0], x[:3, 1]])
        out = nn.utils.rnn.pad_packed_sequence(approx(packed)[0])[0]
        assert torch.equal(out[:, 0], before[:, 0])


def test_a_site_that_a_calibration_missed_is_named() -> None:
    approx = approximate(nn.GRU(3, 4), "L40", quantize=Quantization(activations="static"))
    with torch.no_grad(), pytest.raises(ValueError, match=r"^gru: activations are to be static"):
        approx(torch.randn(2, 1, 3))
    with pytest.raises(ValueError, match="calibration never reached gru:input l0, gru:hidden l0"):
        calibrate(approx, lambda model: None)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_between_layers_in_training(kind: Any) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 4, num_layers=2, dropout=0.5), torch.randn(5, 2, 3)
    approx = approximate(layer, "float32")
    with torch.no_grad():
        assert not torch.equal(approx(x)[0], approx(x)[0])
        one = approximate(kind(3, 4, num_layers=1), "float32")
        assert torch.equal(one(x)[0], one(x)[0])
        assert_alike(approx.eval()(x), layer.eval()(x), 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_prepared_anew_when_they_change(kind: Any) -> None:
    layer, x = kind(3, 4), torch.randn(5, 2, 3)
    approx = approximate(layer, "L40")
    with torch.no_grad():
        before = approx(x)[0]
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
            getattr(approx, name).mul_(3)
            getattr(layer, name).mul_(3)
            assert torch.equal(approx(x)[0], approximate(layer, "L40")(x)[0])
        assert not torch.equal(approx(x)[0], before)
        approx.weight_hh_l0 = nn.Parameter(torch.zeros_like(approx.weight_hh_l0))
        layer.weight_hh_l0 = nn.Parameter(torch.zeros_like(layer.weight_hh_l0))
        assert torch.equal(approx(x)[0], approximate(layer, "L40")(x)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: Any, tmp_path: Any) -> None:
    layer, x = kind(3, 4, bidirectional=True), torch.randn(5, 2, 3)
    approx = approximate(layer, "L40", calibrate=[x])
    assert list(approx.state_dict()) == list(layer.state_dict())
    layer.load_state_dict(approx.state_dict())
    torch.save(approx, tmp_path / "layer.pt")
    with torch.no_grad():
        for other in (copy.deepcopy(approx), torch.load(tmp_path / "layer.pt", weights_only=False)):
            assert torch.equal(other(x)[0], approx(x)[0])
        exact = approximate(approx, None)
        assert type(exact) is kind
        assert torch.equal(exact(x)[0], layer(x)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_without_a_graph_break(kind: Any) -> None:
    """Where torch is told that it may compile recurrent layers at all."""
    approx, x = approximate(kind(3, 4), "L40"), torch.randn(3, 2, 3)
    with torch.no_grad(), torch._dynamo.config.patch(allow_rnn=True):
        compiled = torch.compile(approx, fullgraph=True, backend="aot_eager")
        assert torch.equal(compiled(x)[0], approx(x)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:a layer that is approximate got")
def test_other_types(kind: Any, dtype: torch.dtype) -> None:
    layer, x = kind(3, 4).to(dtype), torch.randn(4, 2, 3, dtype=dtype)
    with torch.no_grad():
        out, expected = approximate(layer, "float32")(x)[0], layer(x)[0]
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), expected.float(), rtol=0, atol=3e-2)


def test_what_does_not_fit_is_said() -> None:
    approx = approximate(nn.GRU(3, 4), "L40")
    with torch.no_grad():
        with pytest.raises(ValueError, match=r"^gru: input has 4 axes"):
            approx(torch.randn(1, 2, 2, 3))
        with pytest.raises(RuntimeError, match=r"^gru: .*Expected 3, got 5"):
            approx(torch.randn(2, 2, 5))
        with pytest.raises(RuntimeError, match=r"^gru: Expected hidden size"):
            approx(torch.randn(2, 2, 3), torch.randn(1, 3, 4))
        with pytest.raises(ValueError, match=r"^gru:input l0: x holds NaN"):
            approx(torch.full((2, 2, 3), torch.nan))

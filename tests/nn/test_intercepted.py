"""Functions of torch through a multiplier: float32's are torch's own, others are products by axsim.matmul."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from nn_layers import any_layer
from nn_sequences import Call, assert_alike, attentions, by_ops, recurrents
from torch import Tensor, nn

from axsim.nn import approximate, through

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

torch.manual_seed(5)
A, B, BIAS = torch.randn(3, 4), torch.randn(4, 5), torch.randn(5)
ABS, BBS = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
W = nn.Parameter(torch.randn(4, 5))

# What is called, and the operands that meet in it.
CALLS: dict[str, tuple[Callable[[], Tensor], Tensor, Tensor]] = {
    "matmul": (lambda: torch.matmul(A, B), A, B),
    "@": (lambda: A @ B, A, B),
    "method": (lambda: ABS.matmul(B), ABS, B),
    "linalg": (lambda: torch.linalg.matmul(ABS, BBS), ABS, BBS),
    "keyword": (lambda: torch.matmul(A, other=B), A, B),
    "parameter": (lambda: A @ W, A, W.detach()),
    "mm": (lambda: torch.mm(A, mat2=B), A, B),
    "bmm": (lambda: torch.bmm(ABS, BBS), ABS, BBS),
    "mv": (lambda: B.mv(A[0, :1].repeat(5)), B, A[0, :1].repeat(5)[:, None]),
    "dot": (lambda: torch.dot(A[0], B[:, 0]), A[0][None], B[:, :1]),
    "row": (lambda: A[0] @ B, A[0][None], B),
    "column": (lambda: ABS @ B[:, 0], ABS, B[:, :1]),
    "inner": (lambda: torch.inner(A, B.T), A, B),
    "linear": (lambda: F.linear(ABS, B.T), ABS, B),
    "addmm": (lambda: torch.addmm(BIAS, A, B) - BIAS, A, B),
    "weight": (lambda: torch.addmm(BIAS, A, W) - BIAS, A, W.detach()),
    "scaled": (lambda: (torch.addmm(A[:, :1], A, B, beta=0.5, alpha=2.0) - A[:, :1] / 2) / 2, A, B),
    "addmv": (lambda: torch.addmv(A[0, :3], A, B[:, 0]) - A[0, :3], A, B[:, :1]),
    "baddbmm": (lambda: torch.baddbmm(BIAS[None, None], ABS, BBS, beta=0), ABS, BBS),
    "named": (lambda: torch.baddbmm(BIAS[None, None], batch1=ABS, batch2=BBS, beta=0), ABS, BBS),
    "einsum": (lambda: torch.einsum("bik,bkj->bij", ABS, BBS), ABS, BBS),
    "einsum of a list": (lambda: torch.einsum("ik,kj", [A, B]), A, B),
    "einsum of numbers": (lambda: torch.einsum(A, [0, 1], B, [1, 2]), A, B),
    "tensordot": (lambda: torch.tensordot(A, B, 1), A, B),
    "tensordot of axes": (lambda: torch.tensordot(A, B.T, ([1], [1])), A, B),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mult", ["float32", "L40", "exact8", "axfpm"])
def test_matrix_products(name: str, mult: str) -> None:
    call, a, b = CALLS[name]
    exact = call()
    with torch.no_grad(), through(mult) as seen:
        found = call()
    assert found.shape == exact.shape
    expected = exact if mult == "float32" else by_ops(a.contiguous(), b.contiguous(), mult)
    torch.testing.assert_close(found, expected.reshape(exact.shape), rtol=1e-5, atol=2e-5)
    (met,) = seen.calls
    assert (met.calls, met.why) == (1, "")
    assert met.macs == math.prod(a.shape) * b.shape[-1]


@given(any_layer, st.sampled_from(["float32", "L40", "exact8", "axfpm"]))
def test_layers_are_those_that_are_converted(case: tuple[nn.Module, Tensor], mult: str) -> None:
    layer, x = case
    with torch.no_grad():
        expected = approximate(layer, mult)(x)
        with through(mult) as seen:
            assert torch.equal(layer(x), expected)
    (met,) = seen.calls
    assert met.multiplier is not None
    weight = layer.weight
    outputs = expected if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) else x
    assert met.macs == outputs.numel() * (weight[0].numel() if weight.ndim > 2 else weight.shape[0])


@given(attentions(), st.sampled_from(["float32", "L40", "axfpm"]))
def test_attention_is_that_which_is_converted(case: Call, mult: str) -> None:
    layer, arguments, kwargs = case
    with torch.no_grad():
        expected = approximate(layer, mult)(*arguments, **kwargs)
        with through(mult) as seen:
            found = layer(*arguments, **kwargs)
    assert_alike(found, expected, 0)
    assert [met.function for met in seen.calls] == ["multi_head_attention_forward"]


@given(recurrents(), st.sampled_from(["float32", "L40", "axfpm"]))
def test_recurrent_layers_are_those_that_are_converted(case: Call, mult: str) -> None:
    layer, arguments, _ = case
    with torch.no_grad():
        expected = approximate(layer, mult)(*arguments)
        with through(mult) as seen:
            found = layer(*arguments)
    assert_alike(found, expected, 0)
    assert [met.why for met in seen.calls] == [""]


@pytest.mark.parametrize(
    ("cell", "layer"),
    [
        (nn.LSTMCell(3, 4), nn.LSTM(3, 4)),
        (nn.GRUCell(3, 4), nn.GRU(3, 4)),
        (nn.RNNCell(3, 4), nn.RNN(3, 4)),
        (nn.RNNCell(3, 4, nonlinearity="relu"), nn.RNN(3, 4, nonlinearity="relu")),
    ],
)
def test_cells_are_a_step_of_a_layer(cell: Any, layer: Any) -> None:
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(layer, f"{name}_l0", getattr(cell, name))
    x = torch.randn(2, 3)
    with torch.no_grad(), through("L40") as seen:
        found = cell(x)
        expected = layer(x[None])[1]
    assert_alike(found, [t[0] for t in expected] if isinstance(expected, tuple) else expected[0], 0)
    assert not any(met.why for met in seen.calls)


@st.composite
def dot_products(draw: st.DrawFn) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    torch.manual_seed(draw(st.integers(0, 99)))
    batch = draw(st.lists(st.integers(1, 2), min_size=1, max_size=1))
    length, keys, width, values = (draw(st.integers(1, 4)) for _ in range(4))
    shared, times = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    q = torch.randn(*batch, shared * times, length, width)
    k, v = torch.randn(*batch, shared, keys, width), torch.randn(*batch, shared, keys, values)
    kwargs: dict[str, Any] = {"enable_gqa": True} if times > 1 else {}
    kind = draw(st.sampled_from([None, "bool", "float", "causal"]))
    if kind == "causal":
        kwargs["is_causal"] = True
    elif kind is not None:
        mask = torch.rand(draw(st.sampled_from([(length, keys), (*batch, 1, length, keys)]))) < 0.6
        kwargs["attn_mask"] = mask if kind == "bool" else torch.randn(mask.shape)
    if draw(st.booleans()):
        kwargs["scale"] = draw(st.sampled_from([0.3, 2.0]))
    return (q, k, v), kwargs


@given(dot_products())
def test_scaled_dot_products_are_torchs_own(case: tuple[tuple[Tensor, ...], dict[str, Any]]) -> None:
    """With masks that leave nothing to attend to, too."""
    operands, kwargs = case
    expected = F.scaled_dot_product_attention(*operands, **kwargs)
    with torch.no_grad(), through("float32") as seen:
        found = F.scaled_dot_product_attention(*operands, **kwargs)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert [met.why for met in seen.calls] == [""]


def test_a_mask_that_is_causal_too() -> None:
    """Some of torch's kernels refuse that, others do both."""
    q, later = torch.randn(1, 1, 4, 3), torch.ones(4, 4, dtype=torch.bool).tril()
    allowed = torch.tensor([[True, True, False, True]] * 4)
    floats = torch.randn(4, 4)
    with torch.no_grad(), through("float32"):
        for mask, both in ((allowed, allowed & later), (floats, floats.masked_fill(~later, -torch.inf))):
            found = F.scaled_dot_product_attention(q, q, q, mask, is_causal=True)
            assert torch.equal(found, F.scaled_dot_product_attention(q, q, q, both))


def test_scaled_dot_product_by_ops() -> None:
    q, k, v = torch.randn(1, 2, 3, 4), torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 6)
    with torch.no_grad(), through("L40"):
        found = F.scaled_dot_product_attention(q, k, v)
    weights = torch.softmax(by_ops(q * 0.5, k.mT.contiguous(), "L40"), -1)
    torch.testing.assert_close(found, by_ops(weights, v, "L40"), rtol=1e-6, atol=1e-6)


def test_dropout_of_attention() -> None:
    q = torch.randn(1, 2, 30, 4)
    with torch.no_grad(), through("float32"):
        some = F.scaled_dot_product_attention(q, q, torch.ones_like(q), dropout_p=0.5)
        whole = F.scaled_dot_product_attention(q, q, torch.ones_like(q))
    torch.testing.assert_close(whole, torch.ones_like(q))
    assert not torch.allclose(some, whole)
    assert 0.8 < float(some.mean()) < 1.2


LEFT: dict[str, tuple[Callable[[], Any], str]] = {
    "integers": (lambda: A.long() @ B.long(), "an operand is int64"),
    "complex": (lambda: A.to(torch.complex64) @ B.to(torch.complex64), "an operand is complex64"),
    "sparse": (lambda: A.to_sparse() @ B, "an operand is sparse or nested"),
    "element-wise einsum": (lambda: torch.einsum("ij,ij->ij", A, A), "nothing is summed over"),
    "three operands": (lambda: torch.einsum("ij,jk,kl", A, B, B.T), "einsum of 3 operands"),
    "bilinear": (lambda: F.bilinear(A, A, BBS[:, :, :4].contiguous()), "no such function"),
    "in place": (lambda: torch.zeros(3, 5).addmm_(A, B), "no such function"),
    "in three axes": (
        lambda: F.conv_transpose3d(torch.ones(1, 2, 2, 2, 2), torch.ones(2, 1, 1, 1, 1)),
        "no such function",
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left_to_torch_is_recorded(name: str) -> None:
    call, why = LEFT[name]
    expected = call()
    with through("L40") as seen:
        found = call()
    assert torch.equal(found.to_dense(), expected.to_dense())
    met = seen.calls[-1]
    assert (met.multiplier, met.macs) == (None, 0)
    assert why in met.why


def test_results_go_where_they_are_to() -> None:
    out = torch.empty(0)
    with torch.no_grad(), through("L40"):
        assert torch.mm(A, B, out=out) is out
        assert torch.equal(out, A @ B)


def test_what_torch_refuses_is_refused() -> None:
    with through("L40"):
        with pytest.raises(ValueError, match=r"^:matmul a, b: x has shape \(3, 4\) and the weight \(3, 4\)"):
            A @ A
        with pytest.raises(ValueError, match=r"^:matmul#1 a, b: b holds NaN"):
            A @ (B * torch.nan)

"""What tests of attention and recurrent layers share: layers that Hypothesis draws, and products by hand."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from nn_layers import seeded
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import axsim

Call = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


@st.composite
def attentions(draw: st.DrawFn) -> Call:
    """A multi-head attention with any of torch's settings, in evaluation mode, and arguments for it."""
    seeded(draw)
    heads, each = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    width = heads * each
    sizes = [draw(st.sampled_from([width, width + 1])) for _ in range(2)]
    batch_first = draw(st.booleans())
    layer = nn.MultiheadAttention(
        width,
        heads,
        bias=draw(st.booleans()),
        add_bias_kv=draw(st.booleans()),
        add_zero_attn=draw(st.booleans()),
        kdim=sizes[0],
        vdim=sizes[1],
        batch_first=batch_first,
    ).eval()
    batch = draw(st.sampled_from([None, 1, 2]))
    length, keys = draw(st.integers(1, 4)), draw(st.integers(1, 4))

    def tensor(steps: int, features: int) -> Tensor:
        axes = [steps] if batch is None else [batch, steps] if batch_first else [steps, batch]
        return torch.randn(*axes, features)

    query, key, value = tensor(length, width), tensor(keys, sizes[0]), tensor(keys, sizes[1])
    if sizes == [width, width] and draw(st.booleans()):
        key = value = query
        keys = length
    kwargs: dict[str, Any] = {
        "need_weights": draw(st.booleans()), "average_attn_weights": draw(st.booleans())
    }  # fmt: skip
    kind = draw(st.sampled_from([None, "bool", "float", "causal"]))
    shape = (length, keys)
    if kind == "causal":
        kwargs |= {"attn_mask": torch.ones(shape, dtype=torch.bool).triu(1), "is_causal": True}
    elif kind is not None:
        if draw(st.booleans()):
            shape = ((batch or 1) * heads, *shape)
        mask = torch.rand(shape) < 0.3
        mask[..., 0] = False
        kwargs["attn_mask"] = mask if kind == "bool" else torch.randn(shape)
    if draw(st.booleans()):
        padding = torch.rand((keys,) if batch is None else (batch, keys)) < 0.3
        padding[..., 0] = False
        floats = torch.zeros(padding.shape).masked_fill(padding, -torch.inf)
        kwargs["key_padding_mask"] = floats if kind == "float" else padding
    return layer, (query, key, value), kwargs


@st.composite
def recurrents(draw: st.DrawFn) -> Call:
    """A recurrent layer with any of torch's settings, in evaluation mode, and arguments for it."""
    seeded(draw)
    kind = draw(st.sampled_from([nn.RNN, nn.GRU, nn.LSTM]))
    features, hidden = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    more: dict[str, Any] = {}
    if kind is nn.RNN:
        more["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    elif kind is nn.LSTM and draw(st.booleans()):
        more["proj_size"] = draw(st.integers(1, hidden - 1))
    layer = kind(
        features,
        hidden,
        num_layers=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        batch_first=draw(st.booleans()),
        bidirectional=draw(st.booleans()),
        **more,
    ).eval()
    form = draw(st.sampled_from(["batch", "single", "packed"]))
    batch, steps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    x: Tensor | PackedSequence
    if form == "single":
        x = torch.randn(steps, features)
    elif form == "packed":
        lengths = draw(st.lists(st.integers(1, 4), min_size=batch, max_size=batch))
        x = pack_sequence([torch.randn(n, features) for n in lengths], enforce_sorted=False)
    else:
        x = torch.randn(*((batch, steps) if layer.batch_first else (steps, batch)), features)
    arguments: tuple[Any, ...] = (x,)
    if draw(st.booleans()):
        count = layer.num_layers * (2 if layer.bidirectional else 1)
        each = [] if form == "single" else [batch]
        states = tuple(torch.randn(count, *each, n) for n in (layer.proj_size or hidden, hidden))
        arguments = x, states if kind is nn.LSTM else torch.randn(count, *each, hidden)
    return layer, arguments, {}


def by_ops(a: Tensor, b: Tensor, mult: str) -> Tensor:
    """``a @ b`` by ``axsim.matmul``: a as uint8, b in sign and 8 bits of magnitude, by their own ranges."""
    if isinstance(axsim.get(mult), axsim.Multiplier):
        left = axsim.quantize.affine(a.numpy(), 8)
        right = axsim.quantize.symmetric(b.numpy(), 9)
        return torch.from_numpy(axsim.matmul(a.numpy(), b.numpy(), mult, a_quant=left, b_quant=right))
    return torch.from_numpy(axsim.matmul(a.numpy(), b.numpy(), mult))


def tensors(result: Any) -> list[Tensor]:
    """All tensors of a result, in order."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    return [] if result is None else [t for part in result for t in tensors(part)]


def assert_alike(found: Any, expected: Any, tolerance: float) -> None:
    """All tensors of both results have one shape, and numbers that differ by no more."""
    ours, theirs = tensors(found), tensors(expected)
    assert [t.shape for t in ours] == [t.shape for t in theirs]
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)

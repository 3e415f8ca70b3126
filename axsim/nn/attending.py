"""Attention: its masks, and its products by whatever multiplies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from axsim.nn.sites import Products
from axsim.nn.weights import made_of

SITES = "query", "key", "value", "scores q", "scores k", "attention", "values", "out"
RIGHT_SITES = "scores k", "values"
Heads = tuple[Tensor | None, Tensor | None, Tensor | None]


def scaled_dot_product(
    multiply: Products,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    scale: float | None = None,
    *,
    zeros: bool = True,
) -> tuple[Tensor, Tensor]:
    """``softmax(scale q k^T + mask) v``: q (..., L, E), k (..., S, E), v (..., S, V) give (..., L, V).

    The scale is multiplied into q, exactly, before the product. Sites are those after the projections.

    Args:
        multiply: what multiplies.
        q, k, v: floats.
        mask: floats that are added, or what may be attended to, as booleans; broadcast to (..., L, S).
        dropout: the share of attention that is dropped.
        scale: 1 / sqrt(E) unless given.
        zeros: attention is 0 where nothing may be attended to; else NaN.

    Returns:
        The result, and the attention (..., L, S) after dropout.
    """
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = multiply.matmul(q * scale, k.transpose(-2, -1), ("scores q", "scores k"))
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    attention = torch.softmax(scores, dim=-1)
    if zeros and mask is not None:
        attention = attention.masked_fill((scores == -math.inf).all(-1, keepdim=True), 0.0)
    if dropout > 0:
        attention = F.dropout(attention, dropout)
    return multiply.matmul(attention, v, ("attention", "values")), attention


def causal(q: Tensor, k: Tensor) -> Tensor:
    """The mask of attention to nothing that comes later: booleans (L, S).

    >>> causal(torch.zeros(2, 1), torch.zeros(3, 1)).tolist()
    [[True, False, False], [True, True, False]]
    """
    return torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()


@dataclass(frozen=True, eq=False)
class Multihead:
    """Settings and parameters of an attention of several heads, as ``torch.nn.MultiheadAttention`` has them.

    Attributes:
        heads: how many.
        packed: the weight of the projections of query, key and value in one, (3 E, E); or None.
        apart: their weights apart, where they are.
        bias: of these projections, (3 E,).
        bias_k, bias_v: (1, 1, E), one more key and its value; or None.
        add_zero: one more key and value of zeros.
        out_weight, out_bias: of the last projection.
        dropout: the share of attention that is dropped, in training.
    """

    heads: int
    packed: Tensor | None
    apart: Heads
    bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None
    add_zero: bool
    out_weight: Tensor
    out_bias: Tensor | None
    dropout: float


def multihead(
    multiply: Products,
    parameters: Multihead,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    padding: Tensor | None = None,
    mask: Tensor | None = None,
    need_weights: bool = True,
    average: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """As ``torch.nn.functional.multi_head_attention_forward``.

    The three projections are products of their own, each with its own part of a packed weight, whether query,
    key and value are one tensor or not.

    Args:
        multiply: what multiplies.
        parameters: of the attention.
        query: (L, N, E) or (L, E).
        key, value: (S, N, K) and (S, N, V), or without N.
        padding: keys that are left out: (N, S) or (S,); True for those, or floats that are added.
        mask: (L, S) or (N * heads, L, S); True where attention is forbidden, or floats that are added.
        need_weights, average: whether the attention is returned, and as its heads' mean.
        is_causal: a hint that ``mask`` is the causal mask.

    Returns:
        (L, N, E) or (L, E); and the attention, (N, L, S) or (N, heads, L, S) or without N, or None.

    Raises:
        ValueError: shapes do not fit, or ``is_causal`` without a mask.
    """
    if is_causal and mask is None:
        raise ValueError("is_causal is a hint about attn_mask, which is None: give the causal mask, too")
    single = query.ndim == 2
    if single:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        padding = None if padding is None else padding.unsqueeze(0)
    _check(query, key, value, parameters)
    p, (length, batch, width) = parameters, query.shape
    biases = (None,) * 3 if p.bias is None else p.bias.chunk(3)
    q, k, v = (
        multiply.linear(x, w, b, site)
        for x, w, b, site in zip((query, key, value), _weights(p), biases, SITES[:3], strict=True)
    )
    more = 0
    if p.bias_k is not None and p.bias_v is not None:
        k = torch.cat([k, p.bias_k.expand(1, batch, -1)])
        v = torch.cat([v, p.bias_v.expand(1, batch, -1)])
        more += 1
    if p.add_zero:
        k, v = (torch.cat([t, t.new_zeros(1, batch, t.shape[-1])]) for t in (k, v))
        more += 1
    q, k, v = (
        t.unflatten(-1, (p.heads, -1)).permute(1, 2, 0, 3) for t in (q, k, v)
    )  # (N, heads, *, E / heads)
    if is_causal and padding is None and not need_weights:
        # As torch does it, the mask is then made anew, for the keys that were added, too.
        added: Tensor | None = causal(q, k)
    else:
        added = _mask(mask, padding, q, len(key), more)
    context, attention = scaled_dot_product(multiply, q, k, v, added, p.dropout, zeros=not need_weights)
    context = context.permute(2, 0, 1, 3).reshape(length, batch, width)
    out = multiply.linear(context, p.out_weight, p.out_bias, "out")
    weights = None
    if need_weights:
        weights = attention.mean(dim=1) if average else attention
    if single:
        return out.squeeze(1), None if weights is None else weights.squeeze(0)
    return out, weights


def _check(query: Tensor, key: Tensor, value: Tensor, p: Multihead) -> None:
    if any(x.ndim != 3 for x in (query, key, value)) or key.shape[:2] != value.shape[:2]:
        raise ValueError(
            f"query, key and value have shapes {tuple(query.shape)}, {tuple(key.shape)} and "
            f"{tuple(value.shape)}, expected three axes each, and key and value of one length"
        )
    if query.shape[1] != key.shape[1]:
        raise ValueError(f"query is a batch of {query.shape[1]} and key one of {key.shape[1]}")
    if query.shape[2] % p.heads:
        raise ValueError(f"query has {query.shape[2]} features, which {p.heads} heads cannot share")


def _weights(p: Multihead) -> Heads:
    """Of the projections of query, key and value.

    Parts of a packed weight are views; where no gradient is made they are always the same ones, for which
    prepared weights are found again.
    """
    packed = p.packed
    if packed is None:
        return p.apart
    if torch.compiler.is_compiling() or (torch.is_grad_enabled() and packed.requires_grad):
        parts = packed.chunk(3)
    else:
        parts = made_of(packed, "projections", lambda w: w.chunk(3))
    return parts[0], parts[1], parts[2]


def _mask(mask: Tensor | None, padding: Tensor | None, q: Tensor, keys: int, more: int) -> Tensor | None:
    """Both masks as one that is added: broadcasts to (N, heads, L, S); ``more`` keys were added, unmasked."""
    batch, heads, length, _ = q.shape
    added = None
    if mask is not None:
        if tuple(mask.shape) not in {(length, keys), (batch * heads, length, keys)}:
            raise ValueError(
                f"attn_mask has shape {tuple(mask.shape)}, expected {(length, keys)} or "
                f"{(batch * heads, length, keys)}"
            )
        added = _as_added(mask, q)
        added = added.unflatten(0, (batch, heads)) if mask.ndim == 3 else added
    if padding is not None:
        if tuple(padding.shape) != (batch, keys):
            raise ValueError(f"key_padding_mask has shape {tuple(padding.shape)}, expected {(batch, keys)}")
        left_out = _as_added(padding, q)[:, None, None]
        added = left_out if added is None else added + left_out
    return None if added is None else F.pad(added, (0, more))


def _as_added(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return like.new_zeros(mask.shape).masked_fill_(mask, -math.inf)
    return mask.to(like.dtype)

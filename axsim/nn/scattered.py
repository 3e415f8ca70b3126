"""Transposed convolutions: every activation meets every weight of its channel, and products are added up.

No zeros are put between the activations, and none around them: hardware multiplies what is there, so nothing
else is looked up. All products of activations and kernels are one integer matrix product; its sums are added
up exactly, in float64, where they overlap, and scaled and rounded once, as ``axsim.ops`` does it.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor

from axsim.nn.arithmetic import Arithmetic
from axsim.nn.geometry import Transposed
from axsim.nn.weights import made_of
from axsim.ops import matmul, prepare
from axsim.quantization import QuantParams, Rule
from axsim.quantize import quantize

MOST = 1 << 23  # sums that are held at a time: 64 MiB


def transposed(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    left: QuantParams | Rule | None,
    by: Arithmetic,
    geometry: Transposed,
    right: QuantParams | None,
) -> Tensor:
    """x (N, C, *) by w (C, O / groups, *), plus bias (O,): (N, O, *), in the type of x.

    Args:
        x, w, bias: float32 or float64.
        left, right: how x and w are quantised, w along its output channels; None for a float multiplier.
        by: how products are made.
        geometry: which activation meets which weight.
    """
    groups, filters = geometry.groups, w.shape[1] * geometry.groups
    kernel = w.shape[2:]
    columns = math.prod(w.shape[1:]) * groups
    images = max(1, MOST // max(1, columns * math.prod(x.shape[2:])))
    parts = []
    for some in x.detach().split(images):
        sums = _sums(some, w, left, right, by, groups)  # (groups, n, positions, O / groups * taps)
        sums = sums.reshape(groups, len(some), *x.shape[2:], w.shape[1], *kernel)
        by_channel = sums.permute(1, 0, 2 + len(kernel), *range(2, 2 + len(kernel)), *range(-len(kernel), 0))
        parts.append(_added(by_channel.flatten(1, 2), geometry))
    total = torch.cat(parts) if parts else x.new_zeros((0, filters), dtype=torch.float64)
    each = (-1, *(1,) * len(kernel))
    if isinstance(left, QuantParams) and right is not None:
        total = total * float(left.scale)
        total = total * torch.tensor(right.scale, device=x.device).reshape(-1).reshape(each)
    if bias is not None:
        total = total + bias.detach().double().reshape(each)
    return total.to(x.dtype)


def _sums(
    x: Tensor,
    w: Tensor,
    left: QuantParams | Rule | None,
    right: QuantParams | None,
    by: Arithmetic,
    groups: int,
) -> Tensor:
    """For each position the sums over its channels, exact, zero points taken out: float64.

    ``sum T[q_a, q_b] - z_b sum (q_a - z_a) - z_a sum q_b``, as ``axsim.engines.zero_points`` derives it.
    """
    numbers = x if left is None else cast(Tensor, quantize(x, cast(QuantParams, left)))
    rows = (
        numbers.unflatten(1, (groups, -1)).flatten(3).permute(1, 0, 3, 2).flatten(1, 2)
    )  # (G, N * L, C / G)
    if left is None or right is None:
        weights = made_of(
            w, (by.key, "transposed", groups), lambda w: prepare(_columns(w.float(), groups), by.multiplier)
        )
        return cast(Tensor, matmul(rows.float(), weights, out_dtype="float64"))
    assert isinstance(left, QuantParams)
    weights, of_columns, zero = made_of(
        w, (by.key, "transposed", groups), lambda w: _integers(w, right, by, groups)
    )
    # int32 sums where they cannot overflow: the largest product of a table of so many bits is below 2**bits.
    bits = by.integer[0].table.out_bits if by.integer else 0
    wide = rows.shape[-1] << bits >= 2**31
    sums = cast(Tensor, matmul(rows, weights, out_dtype="int64" if wide else None)).double()
    z_a = int(left.zero_point)
    if z_a:
        sums -= z_a * of_columns.to(x.device)[:, None]
    if zero is not None:
        centred = rows.sum(-1, dtype=torch.float64) - rows.shape[-1] * z_a
        sums -= centred[..., None] * zero.to(x.device)[:, None]
    return sums


def _integers(w: Tensor, right: QuantParams, by: Arithmetic, groups: int) -> tuple[Any, ...]:
    """Weights as integers: prepared (G, C / G, O / G * taps), their sums over channels, and zero points."""
    outputs = w.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)  # (O, C / G, *)
    if w.dtype not in (torch.float32, torch.float64):
        outputs = outputs.float()
    integers = cast(Tensor, quantize(outputs.contiguous(), right, name="weight"))
    columns = integers.unflatten(0, (groups, -1)).flatten(3).permute(0, 2, 1, 3).flatten(2)
    zero = None
    if right.zero_point.any():
        each = torch.tensor(right.zero_point).double().expand(len(outputs)).reshape(groups, -1, 1)
        zero = each.expand(-1, -1, columns.shape[-1] // each.shape[1]).flatten(1)
    sums = columns.sum(1, dtype=torch.float64)
    return prepare(columns.contiguous(), by.multiplier), sums.cpu(), zero


def _columns(w: Tensor, groups: int) -> Tensor:
    """Weights (C, O / G, *) as right operands, one for each group: (G, C / G, O / G * taps)."""
    return w.unflatten(0, (groups, -1)).flatten(2)


def _added(sums: Tensor, geometry: Transposed) -> Tensor:
    """Sums (N, O, *positions, *kernel), added up where each lands: (N, O, *)."""
    axes = len(geometry.stride)
    positions, kernel = sums.shape[2 : 2 + axes], sums.shape[2 + axes :]
    sizes = [
        (p - 1) * s + d * (k - 1) + 1 + extra
        for p, s, d, k, extra in zip(
            positions, geometry.stride, geometry.dilation, kernel, geometry.output_padding, strict=True
        )
    ]
    canvas = sums.new_zeros((*sums.shape[:2], *sizes))
    for tap in torch.cartesian_prod(*(torch.arange(k) for k in kernel)).reshape(-1, axes).tolist():
        where = tuple(
            slice(i * d, i * d + (p - 1) * s + 1, s)
            for i, d, p, s in zip(tap, geometry.dilation, positions, geometry.stride, strict=True)
        )
        canvas[(..., *where)] += sums[(..., *tap)]
    inner = tuple(slice(p, size - p) for p, size in zip(geometry.padding, sizes, strict=True))
    return canvas[(..., *inner)]

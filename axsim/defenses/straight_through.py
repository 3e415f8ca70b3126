"""Rounding with a gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _As(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(_: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def straight_through(x: Tensor, value: Tensor) -> Tensor:
    """``value``, bit for bit, with the gradient of ``x``.

    Y. Bengio et al., "Estimating or propagating gradients through stochastic neurons" (arXiv 1308.3432).

    >>> import torch
    >>> x = torch.tensor([0.3, 1.7], requires_grad=True)
    >>> y = straight_through(x, x.round())
    >>> y.sum().backward()
    >>> y.detach(), x.grad
    (tensor([0., 2.]), tensor([1., 1.]))
    """
    return _As.apply(x, value.detach())


def round_to_levels(x: Tensor, levels: int) -> Tensor:
    """Numbers in [0, 1] to the nearest of 0, 1 / levels, ..., 1, halves to even; straight through backwards."""
    return straight_through(x, (x * levels).round() / levels)

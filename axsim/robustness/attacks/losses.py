"""Losses that attacks climb, and margins that say how far they are."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """By how much the label's logit leads all others: float32 (N,). Below 0 the network is wrong.

    >>> import torch
    >>> margin(torch.tensor([[1.0, 4.0, 2.5], [0.0, 1.0, 3.0]]), torch.tensor([1, 1]))
    tensor([ 1.5000, -2.0000])
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    return own - logits.scatter(1, labels[:, None], -math.inf).amax(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log softmax`` of the label: float32 (N,)."""
    return torch.nn.functional.cross_entropy(logits, labels, reduction="none")


def difference_of_logits_ratio(logits: Tensor, labels: Tensor, targets: Tensor | None = None) -> Tensor:
    """DLR: F. Croce, M. Hein (ICML 2020), equations 6 and 7. It grows as the label loses; scaling logits
    changes nothing.

    With logits ``z`` and ``z_1 >= z_2 >= ...`` the same in order::

        -(z_label - max of the others) / (z_1 - z_3)                       without targets
        -(z_label - z_target) / (z_1 - (z_3 + z_4) / 2)                    with targets

    Raises:
        ValueError: fewer than 3 classes, or fewer than 4 with targets.

    >>> import torch
    >>> z = torch.tensor([[5.0, 2.0, 1.0, 0.0]])
    >>> difference_of_logits_ratio(z, torch.tensor([0]))
    tensor([-0.7500])
    >>> difference_of_logits_ratio(z, torch.tensor([0]), torch.tensor([2]))
    tensor([-0.8889])
    """
    least = 3 if targets is None else 4
    if logits.shape[1] < least:
        raise ValueError(
            f"network: the DLR loss needs {least} classes, {logits.shape[1]} came; use the loss 'ce'"
        )
    little = max(1e-12, torch.finfo(logits.dtype).tiny)  # 1e-12 is 0 in float16, and equal logits make 0 / 0
    top = logits.topk(least, dim=1).values
    if targets is None:
        return -margin(logits, labels) / (top[:, 0] - top[:, 2] + little)
    lead = (logits.gather(1, labels[:, None]) - logits.gather(1, targets[:, None]))[:, 0]
    return -lead / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + little)

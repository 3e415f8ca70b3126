"""Batch normalisation folded into the layers before it."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from axsim.nn.layers.base import Approximate, copied

NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
TRANSPOSED = nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
BEFORE = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED


def fold_batch_norm(model: nn.Module, *, inplace: bool = False) -> nn.Module:
    """A model in which batch normalisation is part of the layer before it, exact or approximate.

    A normalisation in evaluation mode is a factor and a summand for each channel: weights take the one, the
    bias the other, and ``torch.nn.Identity`` stands in the normalisation's place. Hardware does so, and
    weights are then quantised as they are used. Pairs are those of a fully connected layer or a convolution
    whose result goes to one normalisation and nowhere else; ``torch.fx`` finds them.

    Args:
        model: a network in evaluation mode.
        inplace: change the model itself instead of a copy.

    Raises:
        ValueError: the model has no such pair, a normalisation is in training mode, or ``torch.fx`` cannot
            follow the model's ``forward``.

    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    >>> folded = fold_batch_norm(model)
    >>> folded[1], torch.allclose(folded(torch.ones(1, 1, 4, 4)), model(torch.ones(1, 1, 4, 4)))
    (Identity(), True)
    """
    if not inplace:
        model = copied(model)
    pairs = _pairs(model)
    if not pairs:
        raise ValueError(
            f"model is a {type(model).__name__} without a batch normalisation that follows a layer whose "
            "result goes nowhere else"
        )
    modules = dict(model.named_modules())
    for _, norm_name in pairs:
        if modules[norm_name].training:
            raise ValueError(f"{norm_name} is in training mode: call model.eval() first")
    for layer_name, norm_name in pairs:
        with torch.no_grad():
            _fold(modules[layer_name], modules[norm_name])
        parent, _, last = norm_name.rpartition(".")
        modules[parent].register_module(last, nn.Identity())
    return model


class _Tracer(fx.Tracer):
    """Approximate layers are as whole as torch's own."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (Approximate, *BEFORE, *NORMS)) or super().is_leaf_module(
            m, module_qualified_name
        )


def _pairs(model: nn.Module) -> list[tuple[str, str]]:
    """Names of layers, and of the normalisations that alone get their results."""
    try:
        graph = _Tracer().trace(model)
    except Exception as error:  # whatever a model's own code raises for a proxy
        raise ValueError(
            f"model is a {type(model).__name__}, whose forward torch.fx cannot follow ({error}); fold its "
            "parts one by one"
        ) from error
    modules = dict(model.named_modules())
    calls = [node for node in graph.nodes if node.op == "call_module"]
    times = Counter(id(modules[node.target]) for node in calls)
    found = []
    for node in calls:
        norm = modules[node.target]
        before = node.args[0] if node.args else None
        if not isinstance(norm, NORMS) or norm.running_var is None or not isinstance(before, fx.Node):
            continue
        if before.op != "call_module" or len(before.users) != 1:
            continue
        layer = modules[str(before.target)]
        if isinstance(layer, BEFORE) and times[id(layer)] == times[id(norm)] == 1:
            found.append((str(before.target), str(node.target)))
    return found


def _fold(layer: Any, norm: Any) -> None:
    """Multiply a layer's weights by the normalisation's factors, and move its bias."""
    factor = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight.double()
    w = cast(Tensor, layer.weight)
    if isinstance(layer, TRANSPOSED):  # (C, O / groups, *)
        each = factor.reshape(layer.groups, 1, -1, *(1,) * (w.ndim - 2))
        scaled = w.double().unflatten(0, (layer.groups, -1)) * each
        scaled = scaled.flatten(0, 1)
    else:
        scaled = w.double() * factor.reshape(-1, *(1,) * (w.ndim - 1))
    bias = torch.zeros_like(factor) if layer.bias is None else layer.bias.double()
    moved = (bias - norm.running_mean.double()) * factor
    if norm.bias is not None:
        moved = moved + norm.bias.double()
    layer.weight = nn.Parameter(scaled.to(w.dtype), requires_grad=w.requires_grad)
    layer.bias = nn.Parameter(moved.to(w.dtype), requires_grad=w.requires_grad)

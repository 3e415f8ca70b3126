"""Backward passes within a mode that looks at torch's functions.

``Tensor.backward``, ``torch.autograd.backward`` and ``grad`` are such functions themselves, and a mode that
sees one of them is not at work in it. But what a checkpoint computes again in a backward pass is to be seen.
Edges of the graph in the place of tensors tell torch that there is nothing to be overridden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge


def _of_tensor(
    tensor: Any,
    gradient: Any = None,
    retain_graph: Any = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> Any:
    torch.autograd.backward(
        _edges(tensor),
        gradient,
        retain_graph,
        create_graph,
        inputs=None if inputs is None else _edges(inputs),
    )


def _of_tensors(tensors: Any, *args: Any, inputs: Any = None, **kwargs: Any) -> Any:
    more = {} if inputs is None else {"inputs": _edges(inputs)}
    torch.autograd.backward(_edges(tensors), *args, **more, **kwargs)


def _gradients(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
    return torch.autograd.grad(_edges(outputs), _edges(inputs), *args, **kwargs)


BACKWARD: dict[Any, Callable[..., Any]] = {
    Tensor.backward: _of_tensor,
    torch.autograd.backward: _of_tensors,
    torch.autograd.grad: _gradients,
}
"""Functions that run a backward pass, by edges."""


def _edges(tensors: Any) -> Any:
    """The edges of tensors; what has none stays, and torch says so."""
    if isinstance(tensors, Tensor):
        return get_gradient_edge(tensors) if tensors.requires_grad else tensors
    if isinstance(tensors, Mapping):
        return {name: _edges(t) for name, t in tensors.items()}
    return [_edges(t) for t in tensors] if isinstance(tensors, Sequence) else tensors

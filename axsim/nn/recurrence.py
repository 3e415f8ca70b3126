"""Recurrent networks step by step, their products by whatever multiplies.

What a layer's inputs are multiplied by is one product for all steps; hidden states are multiplied step by
step. Gates, states and sums are exact, in the type of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from axsim.nn.sites import Products

States = tuple[Tensor, ...]
Step = Callable[[Tensor, Tensor, States], States]  # of an input's and a state's products, and the states


@dataclass(frozen=True, eq=False)
class Weights:
    """Of one layer in one direction, as torch calls them: w_ih, w_hh, b_ih, b_hh, w_hr."""

    of_input: Tensor
    of_hidden: Tensor
    input_bias: Tensor | None
    hidden_bias: Tensor | None
    projection: Tensor | None


def sites_of(layers: int, bidirectional: bool, projected: bool) -> tuple[str, ...]:
    """The places where a recurrent network multiplies.

    >>> sites_of(1, True, False)
    ('input l0', 'hidden l0', 'input l0 reverse', 'hidden l0 reverse')
    """
    kinds = ("input", "hidden", "projected") if projected else ("input", "hidden")
    return tuple(
        f"{kind} {_place(layer, reverse)}"
        for layer in range(layers)
        for reverse in range(2 if bidirectional else 1)
        for kind in kinds
    )


def _place(layer: int, reverse: int) -> str:
    return f"l{layer} reverse" if reverse else f"l{layer}"


def grouped(flat: Sequence[Tensor], bias: bool, projected: bool) -> list[Weights]:
    """torch's list of weights, layer by layer and in each direction by direction."""
    count = (4 if bias else 2) + projected
    made = []
    for at in range(0, len(flat), count):
        some = list(flat[at : at + count])
        projection = some.pop() if projected else None
        biases = some[2:] or [None, None]
        made.append(Weights(some[0], some[1], biases[0], biases[1], projection))
    return made


def run(
    multiply: Products,
    kind: str,
    weights: Sequence[Weights],
    x: Tensor,
    sizes: Sequence[int],
    states: States,
    *,
    bidirectional: bool,
    dropout: float,
) -> tuple[Tensor, States]:
    """All layers, over a batch of sequences that lie as in ``torch.nn.utils.rnn.PackedSequence``.

    Args:
        multiply: what multiplies.
        kind: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        weights: of each layer and direction.
        x: (sum of sizes, features), step by step.
        sizes: how many sequences each step has; never more than the step before.
        states: the first hidden states, (layers * directions, N, H), and for an LSTM the cells' (.., N, C).
        bidirectional: whether each layer runs in both directions.
        dropout: the share of each layer's output that is dropped, but for the last one's.

    Returns:
        The last layer's output, laid out as x; and the last states, as ``states``.
    """
    directions = 2 if bidirectional else 1
    step, ends = KINDS[kind], []
    for layer in range(len(weights) // directions):
        outputs = []
        for reverse in range(directions):
            at = layer * directions + reverse
            first = tuple(state[at] for state in states)
            place = _place(layer, reverse)
            out, end = _direction(multiply, step, weights[at], x, sizes, first, bool(reverse), place)
            outputs.append(out)
            ends.append(end)
        x = torch.cat(outputs, -1) if bidirectional else outputs[0]
        if dropout > 0 and layer < len(weights) // directions - 1:
            x = F.dropout(x, dropout)
    return x, tuple(torch.stack(parts) for parts in zip(*ends, strict=True))


def _direction(
    multiply: Products,
    step: Step,
    w: Weights,
    x: Tensor,
    sizes: Sequence[int],
    states: States,
    reverse: bool,
    place: str,
) -> tuple[Tensor, States]:
    """One layer in one direction."""
    of_inputs = multiply.linear(x, w.of_input, w.input_bias, f"input {place}").split(list(sizes))
    outputs: list[Tensor] = []
    for of_input in reversed(of_inputs) if reverse else of_inputs:
        # The sequences that are this long come first; others have ended, or in reverse not begun.
        now = tuple(state[: len(of_input)] for state in states)
        of_hidden = multiply.linear(now[0], w.of_hidden, w.hidden_bias, f"hidden {place}")
        new = step(of_input, of_hidden, now)
        if w.projection is not None:
            new = (multiply.linear(new[0], w.projection, None, f"projected {place}"), *new[1:])
        outputs.append(new[0])
        states = tuple(_joined(n, old) for n, old in zip(new, states, strict=True))
    return torch.cat(outputs[::-1] if reverse else outputs), states


def _joined(new: Tensor, old: Tensor) -> Tensor:
    return new if len(new) == len(old) else torch.cat([new, old[len(new) :]])


def lstm_step(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    """The new hidden state, before it is projected, and the new cell."""
    i, f, g, o = (of_input + of_hidden).chunk(4, -1)
    cell = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def gru_step(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    """The new hidden state."""
    (r, z, n), (r_h, z_h, n_h) = of_input.chunk(3, -1), of_hidden.chunk(3, -1)
    update = torch.sigmoid(z + z_h)
    new = torch.tanh(n + torch.sigmoid(r + r_h) * n_h)
    return ((1 - update) * new + update * states[0],)


def tanh_step(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    """The new hidden state."""
    return (torch.tanh(of_input + of_hidden),)


def relu_step(of_input: Tensor, of_hidden: Tensor, states: States) -> States:
    """The new hidden state."""
    return (torch.relu(of_input + of_hidden),)


KINDS: dict[str, Step] = {"LSTM": lstm_step, "GRU": gru_step, "RNN_TANH": tanh_step, "RNN_RELU": relu_step}

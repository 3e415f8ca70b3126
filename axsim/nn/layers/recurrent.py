"""Recurrent layers: each step's products through the multiplier."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from axsim.nn.layers.base import Approximate, registered
from axsim.nn.layers.several import products_of
from axsim.nn.recurrence import States, grouped, run, sites_of

Hidden: TypeAlias = "Tensor | tuple[Tensor, Tensor]"


class RecurrentPart(Approximate):
    """A recurrent layer of torch whose products go through a multiplier.

    Left operands are inputs and hidden states, each with a site of its own for each layer and direction:
    "input l0", "hidden l0 reverse"; and the outputs that an LSTM projects: "projected l0". Inputs of all
    steps are one operand, and so have one range; hidden states without a calibration have one for each step.
    Each weight is quantised as a whole, all gates together. Gates and cells are exact.
    """

    @property
    def sites(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of each layer and direction."""
        layer = cast(Any, self)
        return sites_of(layer.num_layers, layer.bidirectional, layer.proj_size > 0)

    def forward(
        self, input: Tensor | PackedSequence, hx: Hidden | None = None
    ) -> tuple[Tensor | PackedSequence, Hidden]:
        """Arguments and results as those of ``torch.nn.LSTM``, ``torch.nn.GRU`` and ``torch.nn.RNN``."""
        layer = cast(Any, self)
        if not isinstance(input, Tensor | PackedSequence):
            self.refuse(input)
        if isinstance(input, PackedSequence):
            sizes = input.batch_sizes.tolist()
            states = _first(layer, hx, input.data, sizes[0])
            states = tuple(_ordered(state, input.sorted_indices) for state in states)
            self._check(input.data, states, input.batch_sizes)
            out, ends = self._run(input.data, sizes, states)
            ends = tuple(_ordered(state, input.unsorted_indices) for state in ends)
            return input._replace(data=out), _as_given(ends)
        if input.ndim not in (2, 3):
            raise ValueError(f"{self.label}: input has {input.ndim} axes, expected 2 or 3")
        single = input.ndim == 2
        x = input.unsqueeze(1) if single else input
        if layer.batch_first and not single:
            x = x.transpose(0, 1)
        if single and hx is not None:
            hx = hx.unsqueeze(1) if isinstance(hx, Tensor) else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        length, batch = x.shape[:2]
        states = _first(layer, hx, x, batch)
        checked = x.transpose(0, 1) if layer.batch_first else x
        self._check(checked, states, None)
        out, ends = self._run(x.flatten(0, 1), [batch] * length, states)
        out = out.unflatten(0, (length, batch))
        if single:
            return out.squeeze(1), _as_given(tuple(state.squeeze(1) for state in ends))
        return out.transpose(0, 1) if layer.batch_first else out, _as_given(ends)

    def _check(self, x: Tensor, states: States, sizes: Tensor | None) -> None:
        """What torch checks, in its words, and where."""
        try:
            cast(Any, self).check_forward_args(x, _as_given(states), sizes)
        except (RuntimeError, ValueError) as error:
            raise type(error)(f"{self.label}: {error}") from error

    def _run(self, x: Tensor, sizes: list[int], states: States) -> tuple[Tensor, States]:
        layer = cast(Any, self)
        flat = [getattr(layer, name) for names in layer._all_weights for name in names]
        return run(
            products_of(self),
            layer.mode,
            grouped(flat, layer.bias, layer.proj_size > 0),
            x,
            sizes,
            states,
            bidirectional=layer.bidirectional,
            dropout=layer.dropout if layer.training else 0.0,
        )


def _first(layer: Any, hx: Hidden | None, x: Tensor, batch: int) -> States:
    """The first states: those that were given, or zeros."""
    if hx is not None:
        return (hx,) if isinstance(hx, Tensor) else tuple(hx)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    hidden = x.new_zeros(count, batch, layer.proj_size or layer.hidden_size)
    return (hidden, x.new_zeros(count, batch, layer.hidden_size)) if layer.mode == "LSTM" else (hidden,)


def _as_given(states: States) -> Hidden:
    """One state, or a pair of them."""
    return states[0] if len(states) == 1 else (states[0], states[1])


def _ordered(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else torch.index_select(state, 1, order)


@registered
class ApproxRNN(RecurrentPart, nn.RNN):
    """``torch.nn.RNN`` through a multiplier."""

    exact_class = nn.RNN


@registered
class ApproxGRU(RecurrentPart, nn.GRU):
    """``torch.nn.GRU`` through a multiplier."""

    exact_class = nn.GRU


@registered
class ApproxLSTM(RecurrentPart, nn.LSTM):
    """``torch.nn.LSTM`` through a multiplier."""

    exact_class = nn.LSTM

"""Defensive quantisation with DoReFa: weights, or weights and activations, of a few bits.

S. Zhou et al., "DoReFa-Net: training low bitwidth convolutional neural networks with low bitwidth gradients"
(arXiv 1606.06160), equations 5, 8 to 11, with ``quantize_k(r) = round((2^k - 1) r) / (2^k - 1)``::

    weights      2 quantize_k(tanh(w) / (2 max |tanh(w)|) + 1/2) - 1      of 2 to 31 bits
                 sign(w) mean |w|                                       of one bit
    activations  quantize_k(min(max(x, 0), 1))                           in ReLU's place

Rounding is passed straight through backwards, so that networks can be trained and attacked with it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from axsim.defenses.straight_through import round_to_levels, straight_through

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class QuantizedWeight(nn.Module):  # type: ignore[misc]
    """Weights as DoReFa has them; a parametrisation for ``torch.nn.utils.parametrize``.

    Args:
        bits: 1 to 31.

    >>> import torch
    >>> QuantizedWeight(2)(torch.tensor([-9.0, -0.2, 0.1, 9.0]))
    tensor([-1.0000, -0.3333,  0.3333,  1.0000])
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = check_bits(bits)

    def forward(self, weight: Tensor) -> Tensor:
        if self.bits == 1:
            mean = weight.detach().abs().mean()
            return straight_through(weight, torch.where(weight >= 0, mean, -mean))
        squashed = weight.tanh()
        unit = squashed / (2 * squashed.abs().max().clamp_min(torch.finfo(weight.dtype).tiny)) + 0.5
        return 2 * round_to_levels(unit, 2**self.bits - 1) - 1


class QuantizedReLU(nn.Module):  # type: ignore[misc]
    """Activations clipped to [0, 1] and rounded to ``2**bits`` values.

    >>> import torch
    >>> QuantizedReLU(2)(torch.tensor([-1.0, 0.1, 0.3, 0.6, 5.0]))
    tensor([0.0000, 0.0000, 0.3333, 0.6667, 1.0000])
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = check_bits(bits)

    def forward(self, x: Tensor) -> Tensor:
        return round_to_levels(x.clamp(0, 1), 2**self.bits - 1)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


def dorefa(model: nn.Module, bits: int = 4, *, activations: bool = False, last: bool = False) -> nn.Module:
    """A copy of a model with weights, and if wanted activations, of a few bits.

    What A. Guesmi et al. compare with in "Defensive Approximation" (ASPLOS 2021, Tables 5 and 11) is
    ``activations=False`` ("weights") and ``True`` ("full"), with 4 bits: weights of all convolutions and
    fully connected layers but the last, and outputs of every ReLU. Train the copy: its float weights are
    parameters still.

    Args:
        model: any module. Its convolutions and fully connected layers get a parametrisation, so that
            ``weight`` is the quantised one for whoever reads it, layers with approximate multipliers
            included.
        bits: 1 to 31.
        activations: whether every ``nn.ReLU`` becomes a :class:`QuantizedReLU`. ReLUs that are called as
            functions cannot be seen: a model that calls all of them so is refused.
        last: whether the last fully connected layer (in the order of ``model.modules()``) is quantised, too.

    Raises:
        ValueError: bits out of range, a model without anything to quantise, or without an ``nn.ReLU`` where
            ``activations`` are to be.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> small = dorefa(model, 2, activations=True)
    >>> sorted({round(v, 2) for v in small[0].weight.flatten().tolist()} - {-1.0, -0.33, 0.33, 1.0})
    []
    >>> small[1], torch.equal(small[2].weight, model[2].weight)
    (QuantizedReLU(bits=2), True)
    """
    check_bits(bits)
    made = copy.deepcopy(model)
    layers = [module for module in made.modules() if isinstance(module, WEIGHTED)]
    if not layers:
        raise ValueError(
            f"model: convolutions or fully connected layers were expected, {type(model).__name__} has none"
        )
    dense = [module for module in layers if isinstance(module, nn.Linear)]
    for layer in layers:
        if last or not dense or layer is not dense[-1]:
            parametrize.register_parametrization(layer, "weight", QuantizedWeight(bits))
    if activations and not any(isinstance(module, nn.ReLU) for module in made.modules()):
        raise ValueError(
            f"activations: {type(model).__name__} has no nn.ReLU whose outputs could be quantised; a ReLU "
            "that forward calls as a function cannot be seen"
        )
    if activations:
        for module in list(made.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.ReLU):
                    setattr(module, name, QuantizedReLU(bits))
        if isinstance(made, nn.ReLU):
            return QuantizedReLU(bits)
    return made


def check_bits(bits: int) -> int:
    """The number of bits; raises where it is none of 1 to 31."""
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 31:
        raise ValueError(f"bits: a whole number from 1 to 31 was expected, {bits!r} came")
    return bits

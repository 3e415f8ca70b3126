"""Networks by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn

from axsim.models.alexnet import AlexNet, alexnet_average
from axsim.models.cleverhans import CleverhansCNN
from axsim.models.feedforward import FFNN
from axsim.models.lenet5 import LeNet5, LeNet5Average, lenet5_da
from axsim.models.resnet import resnet18, resnet20
from axsim.models.vit import ViT

_MODELS: dict[str, Callable[..., nn.Module]] = {
    "alexnet": AlexNet,
    "alexnet_average": alexnet_average,
    "cleverhans": CleverhansCNN,
    "ffnn": FFNN,
    "lenet5": LeNet5,
    "lenet5_average": LeNet5Average,
    "lenet5_da": lenet5_da,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "vit": ViT,
}


def list_models() -> list[str]:
    """Names that :func:`get` knows.

    >>> list_models()
    ['alexnet', 'alexnet_average', 'cleverhans', 'ffnn', 'lenet5', 'lenet5_average', 'lenet5_da', 'resnet18',
     'resnet20', 'vit']
    """
    return sorted(_MODELS)


def get(name: str, *, seed: int | None = None, **options: Any) -> nn.Module:
    """A new, untrained network: plain ``torch.nn`` layers, float32, on the CPU, in training mode.

    Every network takes images ``(N, in_channels, size, size)`` in [0, 1] and gives scores ``(N, classes)``
    without a softmax.

    Args:
        name: one of :func:`list_models`.
        seed: of the initial weights. Default: torch's own generator, where it stands.
        **options: ``in_channels``, ``size`` and ``classes``, and what the network's own page in the reference
            says.

    Raises:
        ValueError: no network has this name; the message suggests near ones. Or an option has a value that
            the network refuses.
        TypeError: an option that this network does not have.

    >>> get("lenet5", seed=0).conv1
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    >>> get("lenet")
    Traceback (most recent call last):
        ...
    ValueError: no network is called 'lenet': did you mean lenet5 or lenet5_average or lenet5_da?
    """
    build = _find(name)
    known = inspect.signature(build).parameters
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"{name} has no option {unknown[0]!r}; its options are {', '.join(known)}")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return build(**options)


def _find(name: str) -> Callable[..., nn.Module]:
    if name in _MODELS:
        return _MODELS[name]
    plain = name.lower().replace("-", "").replace("_", "")
    near = [known for known in list_models() if known.replace("_", "").startswith(plain)] if plain else []
    near = near or get_close_matches(name.lower(), _MODELS)
    hint = f"did you mean {' or '.join(near)}?" if near else "axsim.models.list_models() lists them"
    raise ValueError(f"no network is called {name!r}: {hint}")


def cost(model: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """How many parameters a network has, and how many multiply-accumulates it does for one input.

    Counted are the products of convolutions, linear layers, matrix products and attention; not those of
    normalisation, pooling and activations.

    Args:
        model: any network; its mode and gradients stay as they are.
        shape: of one input without the batch, such as ``(1, 28, 28)``.

    >>> cost(get("lenet5"), (1, 28, 28))
    (51902, 406800)
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    modes = {module: module.training for module in model.modules()}
    first = next(model.parameters())
    model.eval()
    try:
        # The counter does not see the products inside attention that torch fused, as it does without
        # gradients too.
        unfused = sdpa_kernel(SDPBackend.MATH)
        with torch.enable_grad(), unfused, FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, *shape, dtype=first.dtype, device=first.device))
    finally:
        for module, training in modes.items():
            module.training = training
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2

"""``approximate``: the layers of a model through a multiplier."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from axsim.nn.arithmetic import Mult, arithmetic
from axsim.nn.gradients.rule import GradientRule
from axsim.nn.layers.base import (
    CLASSES,
    Approximate,
    become_approximate,
    become_exact,
    can_be_approximate,
    copied,
)
from axsim.nn.patterns import matched
from axsim.nn.quantization import Quantization
from axsim.nn.ranges import Batches
from axsim.nn.ranges import calibrate as run_calibration

Layers = str | type[nn.Module] | Iterable[str | type[nn.Module]] | Callable[[str, nn.Module], bool]


def approximate(
    model: nn.Module,
    mult: Mult | None = "L40",
    *,
    layers: Layers | None = None,
    per_layer: Mapping[str, Mult | None] | None = None,
    quantize: Quantization | Mapping[str, Quantization] | None = None,
    calibrate: Batches | None = None,
    gradient: str | GradientRule = "ste",
    inplace: bool = False,
) -> nn.Module:
    """A model whose layers multiply through an approximate multiplier.

    Layers of the classes in ``axsim.nn.layers`` are replaced: Linear, Conv1d to Conv3d, ConvTranspose1d,
    ConvTranspose2d, MultiheadAttention, RNN, GRU and LSTM. Weights, names, hooks and the keys of
    ``state_dict`` stay, so that checkpoints load in both directions. Biases are added exactly, before the one
    rounding. A layer that is approximate already gets the new multiplier and keeps the ranges that a
    calibration found.

    Args:
        model: a network, or one layer.
        mult: a multiplier or its name; None leaves layers exact, or makes them so again.
        layers: which layers get it: glob patterns of their names, classes, or a function of name and layer;
            default: all of them. The others stay as they are.
        per_layer: multipliers for layers by glob patterns of their names, of which the longest that matches
            counts; they go before ``mult`` and ``layers``.
        quantize: how operands are coded, for all layers or by glob patterns. Default: as it was for a layer
            that is approximate already, else ``Quantization()``.
        calibrate: batches to find ranges of activations with; see ``axsim.nn.calibrate``. Without it ranges
            are those of each batch, until there is a calibration.
        gradient: what stands in the place of a product's gradient: a rule of ``axsim.nn.gradients`` or its
            name.
        inplace: change the model itself instead of a copy.

    Returns:
        The model that was changed, in the modes (training or evaluation) that it came in.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: there is no layer to replace, a pattern matches none, a name is unknown, or a calibration
            fails (``axsim.nn.calibrate`` says how).

    >>> import torch
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)).eval()
    >>> images = torch.rand(8, 1, 4, 4)
    >>> approx = approximate(model, "L40", per_layer={"3": "exact8"}, calibrate=[images])
    >>> approx(images).shape, type(approx[0]).__name__, approx[3].arithmetic.multiplier.name
    (torch.Size([8, 2]), 'ApproxConv2d', 'exact8')
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}, expected a torch.nn.Module")
    if not inplace:
        model = copied(model)
    found = _replaceable(model)
    if not found:
        raise ValueError(
            f"model is a {type(model).__name__} without a layer to replace, expected one of "
            f"{', '.join(c.__name__ for c in CLASSES)} in it"
        )
    wanted = _multipliers(found, mult, layers, per_layer)
    if not wanted:
        raise ValueError(
            f"layers chooses none of the {len(found)} layers that can be replaced, nor does per_layer; they "
            f"are {', '.join(map(repr, list(found)[:8]))}{', ...' if len(found) > 8 else ''}"
        )
    codings = _quantizations(found, quantize)
    made = {}
    for name, given in wanted.items():  # all of them, before the first layer is changed
        layer = found[name]
        before = layer.quantization if isinstance(layer, Approximate) else Quantization()
        coding = codings.get(name, before)
        made[name] = None if given is None else (arithmetic(given, coding, gradient), coding)
    for name, both in made.items():
        if both is None:
            become_exact(found[name])
        else:
            become_approximate(found[name], *both, name)
    _leave_fast_paths(model)
    if calibrate is not None:
        run_calibration(model, calibrate)
    return model


def _replaceable(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that are approximate or can be, by their names, each once."""
    found: dict[str, nn.Module] = {}
    for name, layer in _reachable(model, ""):
        if layer in found.values():
            continue
        where = f"{name or 'model'} is a {type(layer).__name__}"
        if isinstance(layer, LazyModuleMixin):
            raise ValueError(f"{where}, whose weights are made by its first call: call it first")
        if can_be_approximate(layer):
            found[name or type(layer).__name__.lower()] = layer
        elif isinstance(layer, tuple(CLASSES)):
            warnings.warn(
                f"{where}, which computes in a way of its own: it stays exact "
                "(axsim.nn.through reaches the products of its code)",
                stacklevel=3,
            )
    return found


def _reachable(layer: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    """A module and those in it; not those in one that is replaced as a whole, or computes without them."""
    yield name, layer
    if isinstance(layer, nn.MultiheadAttention) or can_be_approximate(layer):
        return
    for child_name, child in layer.named_children():
        yield from _reachable(child, f"{name}.{child_name}" if name else child_name)


def _multipliers(
    found: Mapping[str, nn.Module],
    mult: Mult | None,
    layers: Layers | None,
    per_layer: Mapping[str, Mult | None] | None,
) -> dict[str, Mult | None]:
    """The multiplier of each layer that is to be changed."""
    wanted: dict[str, Mult | None] = dict.fromkeys(_selected(found, layers), mult)
    if per_layer is not None:
        if not isinstance(per_layer, Mapping):
            raise TypeError(f"per_layer is a {type(per_layer).__name__}, expected a dictionary by patterns")
        wanted |= matched(per_layer, found, "per_layer")
    return wanted


def _selected(found: Mapping[str, nn.Module], layers: Layers | None) -> list[str]:
    if layers is None:
        return list(found)
    if isinstance(layers, str | type):
        layers = [layers]
    if callable(layers):
        return [name for name, layer in found.items() if layers(name, layer)]
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers is {layers!r}, expected patterns, classes or a function of name and layer")
    given: list[Any] = list(layers)
    classes = [kind for kind in given if isinstance(kind, type)]
    for kind in classes:
        if not any(isinstance(layer, kind) for layer in found.values()):
            raise ValueError(f"layers holds {kind.__name__}, but no layer that can be replaced is one")
    names = matched(dict.fromkeys((g for g in given if not isinstance(g, type)), True), found, "layers")
    return [name for name, layer in found.items() if name in names or isinstance(layer, tuple(classes))]


def _quantizations(
    found: Mapping[str, nn.Module], quantize: Quantization | Mapping[str, Quantization] | None
) -> dict[str, Quantization]:
    if quantize is None:
        return {}
    given = dict.fromkeys(found, quantize) if isinstance(quantize, Quantization) else quantize
    if not isinstance(given, Mapping) or not all(isinstance(q, Quantization) for q in given.values()):
        raise TypeError(
            f"quantize is {quantize!r}, expected an axsim.nn.Quantization, or such by patterns of names"
        )
    return matched(given, found, "quantize")


def _leave_fast_paths(model: nn.Module) -> None:
    """torch's encoder layers compute all at once in evaluation mode, from weights, without their layers."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and any(
            isinstance(inner, Approximate) for inner in module.modules()
        ):
            module.activation_relu_or_gelu = 0  # the fast path knows these two alone
        if isinstance(module, nn.TransformerEncoder) and any(
            isinstance(inner, Approximate) for inner in module.modules()
        ):
            module.use_nested_tensor = False  # which is for the fast path

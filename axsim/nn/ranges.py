"""Calibration: ranges of activations from a few batches, and where they go from there.

Ranges are not in a model's ``state_dict``, whose names are those of the exact model: ``calibration`` gives
them, as tensors that ``torch.save`` and safetensors take, and ``load_calibration`` sets them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from axsim.nn.layers.base import Approximate
from axsim.nn.observers import Range, Seen, observer_of

Batches = Iterable[Any] | Callable[[nn.Module], object]


def calibrate(model: nn.Module, batches: Batches) -> None:
    """Find the ranges of activations of a model's approximate layers, and set them.

    The model runs in evaluation mode, without gradients, and exactly: ranges are those of the exact network.
    Layers whose activations are "dynamic", and those of float multipliers, are left out.

    Args:
        model: what ``approximate`` made.
        batches: a ``DataLoader`` or another iterable. A batch is a tensor or a packed sequence; or a
            dictionary of the model's arguments, of which those that it does not take are left out; or a
            tuple or list that begins with one of these, as (images, labels). Or a function that runs the
            model, which it gets.

    Raises:
        TypeError: a batch is something else.
        ValueError: the model has no approximate layer, there are no batches, activations hold NaN or
            infinity, or no number ever reached a layer; the message names the layers. All ranges then are as
            they were.
    """
    every = _layers(model).values()
    if not every:
        raise ValueError(
            f"model is a {type(model).__name__} without approximate layers, expected what "
            "axsim.nn.approximate returned (a copy, but with inplace=True)"
        )
    layers = [layer for layer in every if _wants_ranges(layer)]
    with _watching(model, layers):
        count = feed(model, batches)
        if not count:
            raise ValueError("calibrate holds no batches, expected at least one")
        missed = [_site(layer, site) for layer in layers for site in layer.sites if site not in _seen(layer)]
        if missed:
            raise ValueError(
                f"calibration never reached {', '.join(missed)}: give it batches that use them, leave them "
                'out (layers=), or take Quantization(activations="dynamic") for them. Where the model takes '
                "a layer's weight without calling the layer, axsim.nn.through reaches that product"
            )
        found = [{site: _range(layer, site, seen) for site, seen in _seen(layer).items()} for layer in layers]
    for layer, ranges in zip(layers, found, strict=True):
        layer.calibration = ranges


def calibration(model: nn.Module) -> dict[str, Tensor]:
    """The ranges of a model's activations: float64 tensors (low, high), by the names of layers.

    >>> import axsim.nn
    >>> model = axsim.nn.approximate(nn.Sequential(nn.Linear(2, 1)), calibrate=[torch.tensor([[0.0, 3.0]])])
    >>> calibration(model)
    {'0': tensor([0., 3.], dtype=torch.float64)}
    """
    return {
        _site(name, site): torch.tensor(limits, dtype=torch.float64)
        for name, layer in _layers(model).items()
        for site, limits in layer.calibration.items()
    }


def load_calibration(model: nn.Module, ranges: Mapping[str, Tensor]) -> None:
    """Set the ranges that ``calibration`` gave.

    Raises:
        TypeError: a range is no tensor.
        ValueError: a name is that of no approximate layer, a layer's range is missing, or one is no range.

    >>> import axsim.nn
    >>> model = axsim.nn.approximate(nn.Sequential(nn.Linear(2, 1)))
    >>> load_calibration(model, {"0": torch.tensor([0.0, 3.0])})
    >>> model[0].calibration
    {'': (0.0, 3.0)}
    """
    layers = _layers(model)
    known = {_site(name, site): (layer, site) for name, layer in layers.items() for site in layer.sites}
    needed = {_site(n, site) for n, layer in layers.items() if _wants_ranges(layer) for site in layer.sites}
    if strange := [name for name in ranges if name not in known]:
        raise ValueError(
            f"the calibration has ranges for {', '.join(strange)}, which are no approximate layers"
        )
    if missing := sorted(needed - set(ranges)):
        raise ValueError(f"the calibration has no ranges for {', '.join(missing)}")
    read = {name: _read(name, limits) for name, limits in ranges.items()}
    for layer in layers.values():
        layer.calibration = {}
    for name, limits in read.items():
        layer, site = known[name]
        layer.calibration[site] = limits


def _layers(model: nn.Module) -> dict[str, Approximate]:
    """The approximate layers of a model, each once."""
    return {
        name or layer.label: layer for name, layer in model.named_modules() if isinstance(layer, Approximate)
    }


def _wants_ranges(layer: Approximate) -> bool:
    return layer.wants_ranges


@contextmanager
def _watching(model: nn.Module, layers: list[Approximate]) -> Iterator[None]:
    """Within it the layers look at what comes, and all of the model computes exactly, in evaluation mode.

    What was compiled runs as it is written: looking at numbers is nothing for a graph.
    """
    every = list(_layers(model).values())
    try:
        for layer in every:
            layer.watched = {}
        with evaluating(model), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        for layer in every:
            layer.watched = None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within it all of the model is in evaluation mode, and no gradient is recorded."""
    trained = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in trained.items():
            module.training = training


def feed(model: nn.Module, batches: Batches) -> int:
    """Run the model on the batches; how many there were."""
    if callable(batches) and not isinstance(batches, Iterable):
        batches(model)
        return 1
    if not isinstance(batches, Iterable) or isinstance(batches, Tensor | Mapping | str):
        raise TypeError(
            f"calibrate is a {type(batches).__name__}, expected an iterable of batches, such as a DataLoader "
            "or [images], or a function that runs the model"
        )
    count = 0
    for batch in batches:
        try:
            run_batch(model, batch)
        except Exception as error:
            error.add_note(f"in batch {count} of calibrate{_shaped(batch)}")
            raise
        count += 1
    return count


def _shaped(batch: Any) -> str:
    """What a message says of a batch's shape."""
    first = batch[0] if isinstance(batch, tuple | list) and batch else batch
    return f", of shape {tuple(first.shape)}" if isinstance(first, Tensor) else ""


def run_batch(model: nn.Module, batch: Any, called: str = "a batch of calibrate") -> None:
    """Run the model on a batch as ``calibrate`` takes it, on the model's device; ``called`` by messages.

    Raises:
        TypeError: it is something else.
    """
    tensors = [*model.parameters(), *model.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    if isinstance(batch, Tensor | PackedSequence):  # which is a tuple, too
        model(batch.to(device))
    elif isinstance(batch, Mapping):
        taken = inspect.signature(model.forward).parameters
        every = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        model(**{name: _to(value, device) for name, value in batch.items() if every or name in taken})
    elif (
        isinstance(batch, tuple | list) and batch and isinstance(batch[0], Tensor | PackedSequence | Mapping)
    ):
        run_batch(model, batch[0], called)
    else:
        begins = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
        arrays = ": torch.from_numpy makes tensors of arrays" if isinstance(begins, np.ndarray) else ""
        raise TypeError(
            f"{called} is a {type(batch).__name__}, expected a tensor, a dictionary of the "
            f"model's arguments, or a tuple that begins with one of them{arrays}"
        )


def _to(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value


def _seen(layer: Approximate) -> dict[str, Seen]:
    return layer.watched or {}


def _range(layer: Approximate, site: str, seen: Seen) -> Range:
    rule = layer.rule(site)
    assert rule is not None
    return observer_of(layer.quantization.observer).range(seen, rule)


def _site(layer: Approximate | str, site: str) -> str:
    """As messages and saved calibrations call it."""
    name = layer if isinstance(layer, str) else layer.label
    return f"{name}:{site}" if site else name


def _read(name: str, limits: Tensor) -> Range:
    if not isinstance(limits, Tensor):
        raise TypeError(f"the calibration's range of {name} is a {type(limits).__name__}, expected a tensor")
    numbers = limits.detach().double().reshape(-1).tolist()
    if len(numbers) != 2 or not numbers[0] <= numbers[1] or not all(abs(n) < float("inf") for n in numbers):
        raise ValueError(
            f"the calibration's range of {name} is {numbers}, expected its least and greatest number"
        )
    return numbers[0], numbers[1]

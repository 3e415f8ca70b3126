"""Where a network breaks: how far each layer's output is from the exact network's."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from axsim.nn.layers.base import Approximate
from axsim.nn.ranges import run_batch
from axsim.nn.summary import first_tensor
from axsim.results import print_table, write_json

OUTPUT = "output"


@dataclass(frozen=True)
class LayerComparison:
    """One layer, or the whole network's output.

    Signal-to-noise ratios are ``10 log10(sum y**2 / sum (y' - y)**2)`` in decibels, of the exact outputs y:
    20 dB are an error of a tenth. Infinite where nothing differs.

    Attributes:
        name: the layer's; "output" for the network's own.
        multiplier: what it multiplies with; empty for the network's own output.
        in_network: of its output in the approximate network, with the errors of the layers before it.
        alone: of its output for the exact network's input to it: its own error. Equal to ``in_network`` for
            the network's output.
        gain: the least-squares factor between exact and approximate outputs, alone: 1 for errors that do not
            lean.
    """

    name: str
    multiplier: str
    in_network: float
    alone: float
    gain: float


@dataclass(frozen=True)
class Comparison:
    """Signal-to-noise ratios of an approximate network's layers; the last row is its output.

    ``axsim.plots.layers_picture`` draws it.
    """

    layers: tuple[LayerComparison, ...]

    @property
    def worst(self) -> LayerComparison:
        """The layer whose own error is greatest."""
        return min((layer for layer in self.layers if layer.name != OUTPUT), key=lambda layer: layer.alone)

    def to_dict(self) -> dict[str, Any]:
        """As values that JSON knows: infinite ratios are None."""
        rows = [asdict(layer) for layer in self.layers]
        return {"layers": [{k: _finite(v) for k, v in row.items()} for row in rows]}

    def to_json(self, path: str | Path | None = None) -> str:
        """``to_dict`` as JSON, written to ``path`` where one is given. The file is whole or not there."""
        content = self.to_dict()
        if path is not None:
            write_json(path, content)
        return json.dumps(content, indent=2, allow_nan=False)

    def print(self, title: str = "") -> None:
        """Print the table."""
        print_table(
            title,
            ("layer", "multiplier", "SNR in the network (dB)", "SNR alone (dB)", "gain alone"),
            [
                (row.name, row.multiplier, f"{row.in_network:.1f}", f"{row.alone:.1f}", f"{row.gain:.3f}")
                for row in self.layers
            ],
        )


def compare(model: nn.Module, approx: nn.Module, x: Any) -> Comparison:
    """How far each layer's output is from the exact network's: in the network, and for exact inputs.

    Both run once, in evaluation mode and without gradients; the exact outputs of a batch are held in memory.
    Counts of ``summary`` go on.

    Args:
        model: the exact network, or one that is approximate in another way.
        approx: what ``approximate`` made of it.
        x: a batch as ``calibrate`` takes it.

    Raises:
        TypeError: ``model`` or ``approx`` is no network, or ``x`` no batch.
        ValueError: ``approx`` has no approximate layer, ``model`` not its layers, or the two do not call them
            equally often; or no layer was called.

    >>> import axsim.nn
    >>> model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> x = torch.rand(16, 8)
    >>> found = compare(model, axsim.nn.approximate(model, "float32"), x)
    >>> [(layer.name, layer.alone > 100) for layer in found.layers]
    [('0', True), ('2', True), ('output', True)]
    """
    for name, given in (("model", model), ("approx", approx)):
        if not isinstance(given, nn.Module):
            raise TypeError(f"{name} is a {type(given).__name__}, expected a torch.nn.Module")
    own, others = _pairs(model, approx)
    exact: dict[str, list[Tensor]] = defaultdict(list)
    alone: dict[str, _Ratio] = defaultdict(_Ratio)
    within: dict[str, _Ratio] = defaultdict(_Ratio)
    asked: list[str] = []

    def look(name: str) -> Callable[..., None]:
        layer = others.get(name)

        def hook(_: nn.Module, args: tuple[Any, ...], given: dict[str, Any], out: Any) -> None:
            if asked:  # by a hook, where the two networks share layers
                return
            y = _tensor(out)
            exact[name].append(y.clone())
            asked.append(name)
            try:
                alone[name].add(y, y if layer is None else _tensor(cast(Any, layer)(*args, **given)))
            finally:
                asked.pop()

        return hook

    def differ(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Any, ...], given: dict[str, Any], out: Any) -> None:
            if not exact[name]:
                raise ValueError(f"{name}: approx calls it more often than model")
            within[name].add(exact[name].pop(0), _tensor(out))

        return hook

    with _evaluating(model, approx):
        with _hooked({own[name]: look(name) for name in own}):
            run_batch(model, x, "x")
        layers: dict[str, nn.Module] = {**cast(Any, others), OUTPUT: approx}
        with _hooked({layer: differ(name) for name, layer in layers.items()}):
            run_batch(approx, x, "x")
    if left := [name for name, outputs in exact.items() if outputs]:
        raise ValueError(f"{', '.join(left)}: model calls it more often than approx")
    rows = [_row(name, others.get(name), within[name], alone[name]) for name in within]
    if len(rows) < 2:
        raise ValueError("x reaches no approximate layer")
    return Comparison(tuple(rows))


def _row(name: str, layer: Any, within: _Ratio, alone: _Ratio) -> LayerComparison:
    if layer is None:
        return LayerComparison(name, "", within.decibels, within.decibels, within.gain)
    return LayerComparison(
        name, layer.arithmetic.multiplier.name, within.decibels, alone.decibels, alone.gain
    )


def _pairs(model: nn.Module, approx: nn.Module) -> tuple[dict[str, nn.Module], dict[str, Approximate]]:
    """Layers of the exact network and approximate ones by name, the exact network itself among the first."""
    others = {
        name: layer
        for name, layer in approx.named_modules()
        if isinstance(layer, Approximate) and name  # a network of one layer is its output
    }
    modules = dict(model.named_modules())
    if missing := [name for name in others if name not in modules]:
        raise ValueError(f"model has no layer {', '.join(missing)}: give the network that approx was made of")
    if not others:
        if not isinstance(approx, Approximate):
            raise ValueError("approx has no approximate layer; axsim.nn.approximate makes one")
        raise ValueError(
            "approx is a single layer: compare its outputs, or put it into a torch.nn.Sequential"
        )
    return {**{name: modules[name] for name in others}, OUTPUT: model}, others


@dataclass
class _Ratio:
    """Sums for a signal-to-noise ratio and a gain, in float64."""

    signal: float = 0.0
    noise: float = 0.0
    both: float = 0.0

    def add(self, exact: Tensor, other: Tensor) -> None:
        """Outputs of one call."""
        y, z = exact.double(), other.double()
        self.signal += float((y * y).sum())
        self.noise += float(((z - y) ** 2).sum())
        self.both += float((y * z).sum())

    @property
    def decibels(self) -> float:
        """Infinite where nothing differs; minus infinite where all of the signal is 0."""
        if not self.noise:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    @property
    def gain(self) -> float:
        """1 where the exact outputs are all 0."""
        return self.both / self.signal if self.signal else 1.0


def _tensor(out: Any) -> Tensor:
    found = first_tensor(out)
    if found is None:
        raise TypeError(f"a layer gives {type(out).__name__} without a tensor, which cannot be compared")
    return found


@contextmanager
def _hooked(hooks: dict[nn.Module, Callable[..., None]]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook, with_kwargs=True) for module, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _evaluating(*models: nn.Module) -> Iterator[None]:
    modes = {module: module.training for model in models for module in model.modules()}
    try:
        for model in models:
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _finite(value: Any) -> Any:
    return value if not isinstance(value, float) or math.isfinite(value) else None

"""What a network multiplies with, layer by layer, and whether it really did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from axsim.nn.arithmetic import Arithmetic
from axsim.nn.energy import Energy, published_energy
from axsim.nn.layers.base import CLASSES, Approximate
from axsim.nn.ranges import run_batch
from axsim.nn.tally import Count
from axsim.results import print_table, write_json

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name, kind: its name in the model, and its exact class.
        multiplier: the name of what it multiplies with; None for a layer that is exact.
        activations, weights: how operands are coded, as in "affine8, static" and "sign-magnitude8, tensor";
            empty for floats.
        ranges: of activations, by site; those that a calibration found.
        gradient: the rule for gradients; empty for a layer that is exact.
        weight_shape: of its weight; empty where it has several.
        in_shape, out_shape: of the last call, batch and all; empty where there was none.
        products: multiply-accumulates for one input, those with padding among them; None where no call was
            seen, or what a layer of several products takes for one input is not known without ``x``. Of an
            interception: those of all calls.
        energy: of one product, as it was published; None where nothing was.
        calls: operations that went through the multiplier since the last reset; a layer of several products
            counts each.
        multiplied: single products of these.
    """

    name: str
    kind: str
    multiplier: str | None
    activations: str
    weights: str
    ranges: dict[str, tuple[float, float]]
    gradient: str
    weight_shape: Shape
    in_shape: Shape
    out_shape: Shape
    products: int | None
    energy: Energy | None
    calls: int
    multiplied: int

    @property
    def ran(self) -> bool:
        """Whether products went through its multiplier since the last reset."""
        return self.calls > 0


@dataclass(frozen=True)
class Summary:
    """A network's layers that multiply, exact ones among them.

    Attributes:
        layers: in the order of the model.
    """

    layers: tuple[LayerSummary, ...]

    @property
    def products(self) -> int | None:
        """Multiply-accumulates for one input; None where a layer's are not known."""
        known = [layer.products for layer in self.layers]
        return None if None in known else sum(n for n in known if n is not None)

    @property
    def approximate_share(self) -> float | None:
        """The share of the products that approximate layers take; None where a layer's are not known."""
        total = self.products
        if not total:
            return None
        return sum(layer.products or 0 for layer in self.layers if layer.multiplier) / total

    @property
    def idle(self) -> tuple[str, ...]:
        """Names of approximate layers that did not multiply since the last reset."""
        return tuple(layer.name for layer in self.layers if layer.multiplier and not layer.ran)

    @property
    def relative_energy(self) -> dict[str, float]:
        """The energy of all products of a family, as a fraction of the same products by its exact circuit.

        By the name of the exact circuit. Products of layers without published figures are left out: the
        printed table says of how many the figure is.
        """
        return {family: spent / most for family, (spent, most) in self._energies().items() if most}

    def _energies(self) -> dict[str, tuple[float, int]]:
        """By exact circuit: products weighted by relative energy, and products."""
        found: dict[str, tuple[float, int]] = {}
        for layer in self.layers:
            if layer.energy is not None and layer.products is not None:
                spent, most = found.get(layer.energy.family, (0.0, 0))
                found[layer.energy.family] = (
                    spent + layer.energy.relative * layer.products,
                    most + layer.products,
                )
        return found

    def to_dict(self) -> dict[str, Any]:
        """All of it, as values that JSON knows."""
        return {
            "layers": [{**asdict(layer), "ran": layer.ran} for layer in self.layers],
            "products": self.products,
            "approximate_share": self.approximate_share,
            "relative_energy": self.relative_energy,
            "idle": list(self.idle),
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """``to_dict`` as JSON, written to ``path`` where one is given. The file is whole or not there."""
        content = self.to_dict()
        if path is not None:
            write_json(path, content)
        return json.dumps(content, indent=2, allow_nan=False)

    def print(self, title: str = "") -> None:
        """Print the table, and what it comes to."""
        headings = (
            "layer", "kind", "in", "out", "multiplier", "activations", "weights", "products", "pJ", "energy",
            "calls", "ran",
        )  # fmt: skip
        print_table(title, headings, [_cells(layer) for layer in self.layers])
        for line in self._said():
            print(line)

    def _said(self) -> Iterator[str]:
        total = self.products
        if total is not None and (share_of := self.approximate_share) is not None:
            yield f"{total:,} products an input, {100 * share_of:.1f} % of them in approximate layers"
        sources = {layer.energy.family: layer.energy.source for layer in self.layers if layer.energy}
        for family, (_, most) in self._energies().items():
            share = f"; of {most:,} products an input" if most != total else ""
            yield (
                f"energy of products: {self.relative_energy[family]:.3f} of {family}'s "
                f"({sources[family]}){share}"
            )
        if self.idle:
            yield f"did not multiply since the last reset: {', '.join(self.idle)}"


@runtime_checkable
class Recording(Protocol):
    """What was recorded apart from a model, such as by an interception."""

    def layer_summaries(self) -> Sequence[LayerSummary]:
        """What multiplied, in order."""


def summary(model: nn.Module | Recording, x: Any = None) -> Summary:
    """What a network multiplies with: layers, shapes, codings, products, published energy, and counts.

    Counts are of products that went through the multiplier since the model was made or ``reset_counts`` was
    called, so that a layer that was never reached, or computes exactly, shows.

    Args:
        model: what ``approximate`` made, or any network: layers that could be replaced are listed as exact.
        x: a batch as ``calibrate`` takes it, on which the model runs once, in evaluation mode and without
            gradients; counts begin at nothing before it. Without it shapes are those of the last call.

    Raises:
        TypeError: ``model`` is no network, or ``x`` no batch.

    >>> import torch, axsim.nn
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> approx = axsim.nn.approximate(model, "L40", per_layer={"3": None})
    >>> found = summary(approx, torch.rand(8, 1, 4, 4))
    >>> [(layer.name, layer.multiplier, layer.products, layer.calls) for layer in found.layers]
    [('0', 'mul8u_L40', 144, 1), ('3', None, 32, 0)]
    >>> {family: round(energy, 2) for family, energy in found.relative_energy.items()}
    {'mul8u_1JFF': 0.5}
    """
    if isinstance(model, Recording) and not isinstance(model, nn.Module):
        return Summary(tuple(model.layer_summaries()))
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}, expected a torch.nn.Module")
    layers = _layers(model)
    seen: dict[nn.Module, _Seen] = {}
    inputs = None
    if x is not None:
        reset_counts(model)
        with _looking_at(model, layers.values(), seen):
            run_batch(model, x, "x")
        inputs = _inputs(x)
    return Summary(tuple(_summarised(name, layer, seen.get(layer), inputs) for name, layer in layers.items()))


def reset_counts(model: nn.Module) -> None:
    """Begin to count a model's products at nothing."""
    for layer in model.modules():
        if isinstance(layer, Approximate):
            layer.tally.reset()


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """Layers that are approximate or could be, each once, by name; not those within another."""
    found: dict[str, nn.Module] = {}
    for name, layer in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if not inside and isinstance(layer, (Approximate, *CLASSES)):
            found[name or getattr(layer, "label", type(layer).__name__.lower())] = layer
    return found


@dataclass
class _Seen:
    """A layer's calls: shapes of the last, and the products of all where its weight says them."""

    in_shape: Shape
    out_shape: Shape
    products: int | None = 0


@contextmanager
def _looking_at(
    model: nn.Module, layers: Iterable[nn.Module], seen: dict[nn.Module, _Seen]
) -> Iterator[None]:
    """Within it calls of layers are seen; the model is in evaluation mode, without gradients."""
    modes = {module: module.training for module in model.modules()}

    def look(layer: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        x, out = first_tensor(args), first_tensor(out)
        if x is None or out is None:
            return
        own = seen.setdefault(layer, _Seen((), ()))
        own.in_shape, own.out_shape = tuple(x.shape), tuple(out.shape)
        made = _exact_products(layer, x, out)
        own.products = None if made is None or own.products is None else own.products + made

    handles = [layer.register_forward_hook(look) for layer in layers]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of what a module takes or gives: itself, or within tuples, lists and dictionaries.

    >>> first_tensor(({"x": [torch.tensor(3)]}, torch.tensor(4)))
    tensor(3)
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, tuple | list):
        return next((found for v in value if (found := first_tensor(v)) is not None), None)
    return None


def _exact_products(layer: nn.Module, x: Tensor, out: Tensor) -> int | None:
    """What an exact layer multiplies; None for one of several products."""
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or not weight.numel():
        return None
    each = x if isinstance(layer, nn.modules.conv._ConvTransposeNd) else out
    return int(each.numel() * (weight.numel() // weight.shape[0]))


def _inputs(x: Any) -> int:
    """How many inputs a batch has."""
    found = first_tensor(x)
    return 1 if found is None or not found.ndim else max(1, len(found))


def _summarised(name: str, layer: nn.Module, seen: _Seen | None, inputs: int | None) -> LayerSummary:
    weight = getattr(layer, "weight", None)
    shape = tuple(weight.shape) if isinstance(weight, Tensor) else ()
    if not isinstance(layer, Approximate):
        known = None
        if seen is not None and inputs is not None:
            known = None if seen.products is None else seen.products // inputs
        shapes = (seen.in_shape, seen.out_shape) if seen else ((), ())
        return LayerSummary(
            name, type(layer).__name__, None, "", "", {}, "", shape, *shapes, known, None, 0, 0
        )
    by, counts = layer.arithmetic, layer.tally.sites
    activations, weights = coding(by, bool(layer.calibration))
    calls, multiplied = (sum(getattr(c, what) for c in counts.values()) for what in ("calls", "products"))
    shapes = (seen.in_shape, seen.out_shape) if seen else _shapes(counts)
    return LayerSummary(
        name,
        layer.exact_class.__name__,
        by.multiplier.name,
        activations,
        weights,
        dict(layer.calibration),
        by.gradient.name,
        shape,
        *shapes,
        _products(counts, inputs),
        published_energy(by.multiplier),
        calls,
        multiplied,
    )


def coding(by: Arithmetic, static: bool) -> tuple[str, str]:
    """In words: of activations, "auto" being static where ranges are known before, and of weights.

    >>> from axsim.nn.arithmetic import arithmetic
    >>> coding(arithmetic("L40"), static=True), coding(arithmetic("axfpm"), static=True)
    (('affine8, static', 'sign-magnitude8, tensor'), ('', ''))
    """
    if (both := by.integer) is None:
        return "", ""
    multiplier, operands = both
    (a, mode), (w, granularity) = (part[2:].split(",") for part in operands.described(multiplier).split("|"))
    if mode == "auto":
        mode = "static" if static else "dynamic"
    return f"{a}, {mode}", f"{w}, {granularity}"


def _shapes(counts: Mapping[str, Count]) -> tuple[Shape, Shape]:
    """Of a layer that multiplies once: those of its last product."""
    if set(counts) != {""}:
        return (), ()
    return tuple(counts[""].x_shape), tuple(counts[""].out_shape)


def _products(counts: Mapping[str, Count], inputs: int | None) -> int | None:
    """For one input: of so many since the reset, or of the last product of a layer that multiplies once."""
    if inputs is not None:
        return sum(c.products for c in counts.values()) // inputs
    if set(counts) != {""}:
        return None
    last = counts[""]
    return last.last // max(1, last.x_shape[0]) if len(last.x_shape) > 1 else last.last


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    energy = layer.energy
    return (
        layer.name,
        layer.kind,
        "x".join(map(str, layer.in_shape)),
        "x".join(map(str, layer.out_shape)),
        layer.multiplier or "exact",
        layer.activations,
        layer.weights,
        "?" if layer.products is None else f"{layer.products:,}",
        "" if energy is None or energy.picojoules is None else f"{energy.picojoules:.3f}",
        "" if energy is None else f"{energy.relative:.3f}",
        f"{layer.calls:,}" if layer.multiplier else "",
        ("yes" if layer.ran else "NO") if layer.multiplier else "",
    )

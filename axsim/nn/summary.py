"""``summary``: what multiplies where, whether it really ran, and what that would cost in hardware."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from axsim.multipliers import FloatMultiplier, Multiplier
from axsim.nn.arithmetic import Arithmetic
from axsim.nn.energy import power, relative_energy
from axsim.nn.intercepted import count
from axsim.nn.layers.base import Approximate, approximate_class
from axsim.nn.operators import OPERATORS
from axsim.nn.ranges import Batches, evaluating, feed
from axsim.nn.through import Through
from axsim.results import print_table


@dataclass(frozen=True)
class Line:
    """A layer, or the calls of one name that an interception met.

    Attributes:
        name, kind: the layer's name and class, or the call's name and function.
        shape: of the weight; of a call's operands where it has none of its own.
        multiplier: its name; None for a layer that is exact.
        coding: how operands become integers; empty for float multipliers and exact layers.
        ranges: "static", "dynamic", or empty where there are none.
        calls: products of tensors that were made by the multiplier; None where nothing was run.
        macs: products of numbers in them; None where nothing was run.
        power: the circuit's published power in mW.
        relative: the published energy of a product, over the exact circuit's of its family.
        why: why a call that could have gone through the multiplier did not.
    """

    name: str
    kind: str
    shape: tuple[tuple[int, ...], ...]
    multiplier: str | None
    coding: str
    ranges: str
    calls: int | None
    macs: int | None
    power: float | None
    relative: float | None
    why: str = ""


@dataclass(frozen=True)
class Summary:
    """What ``summary`` returns; it prints as a table.

    Attributes:
        lines: one for each layer or call.
    """

    lines: tuple[Line, ...]

    @property
    def macs(self) -> int:
        """Products of numbers that were made by multipliers."""
        return sum(line.macs or 0 for line in self.lines if line.multiplier is not None)

    @property
    def relative_energy(self) -> float | None:
        """The energy of all these products, over that of exact circuits of the same families.

        None where nothing was run, or nothing is published for one of the multipliers.
        """
        ran = [line for line in self.lines if line.multiplier is not None and line.macs]
        if not ran or any(line.relative is None for line in ran):
            return None
        return sum((line.macs or 0) * (line.relative or 0.0) for line in ran) / self.macs

    @property
    def unused(self) -> tuple[str, ...]:
        """Layers that have a multiplier, but made no product by it."""
        return tuple(line.name for line in self.lines if line.multiplier is not None and line.calls == 0)

    def rows(self) -> list[list[str]]:
        """The table's rows, as text."""
        return [
            [
                line.name,
                line.kind,
                " ".join("x".join(map(str, s)) for s in line.shape[:2]),
                line.multiplier or f"exact{f': {line.why}' if line.why else ''}",
                " ".join(part for part in (line.coding, line.ranges) if part),
                "" if line.calls is None else str(line.calls),
                "" if line.macs is None else f"{line.macs:,}",
                "" if line.power is None else f"{line.power:g}",
                "" if line.relative is None else f"{line.relative:.3f}",
            ]
            for line in self.lines
        ]

    def print(self) -> None:
        """Print the table, and what it comes to."""
        headings = "layer", "kind", "shape", "multiplier", "operands", "calls", "MACs", "mW", "energy"
        print_table("Products by layer", headings, self.rows())
        energy = self.relative_energy
        print(f"{self.macs:,} products by multipliers", end="")
        print("." if energy is None else f", at {energy:.3f} of the energy of exact ones of their families.")
        if self.unused:
            print(f"Never used: {', '.join(self.unused)}.")


def summary(model: nn.Module | Through, batches: Batches | None = None) -> Summary:
    """What multiplies where: of a model, or of what ``axsim.nn.through`` met.

    Args:
        model: what ``axsim.nn.approximate`` made; or what a ``with axsim.nn.through(...) as seen`` gave.
        batches: run the model on them, as ``axsim.nn.calibrate`` does, but approximately, and count what each
            layer's multiplier really does. Without them nothing is run, and calls and MACs are not known.

    Raises:
        TypeError: ``model`` is neither.
        ValueError: ``batches`` are given for an interception, or hold none.

    >>> import axsim.nn, torch
    >>> model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> model = axsim.nn.approximate(model, "L40", layers="0")
    >>> found = summary(model, [torch.rand(5, 4)])
    >>> [(line.name, line.multiplier, line.calls, line.macs) for line in found.lines]
    [('0', 'mul8u_L40', 1, 60), ('2', None, None, None)]
    >>> round(found.relative_energy, 3)
    0.483
    """
    if isinstance(model, Through):
        if batches is not None:
            raise ValueError("batches are for a model: an interception has counted what it met")
        return Summary(tuple(_of_calls(model)))
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model is a {type(model).__name__}, expected a torch.nn.Module or a through() object"
        )
    counted = None
    if batches is not None:
        counted = _Counting()
        with evaluating(model), counted:
            if not feed(model, batches):
                raise ValueError("batches holds no batches, expected at least one")
    return Summary(tuple(_of_layers(model, counted)))


class _Counting(TorchFunctionMode):  # type: ignore[misc] # torch does not say its type
    """Counts what the operators are called for, by the labels that they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.macs = Counter[str](), Counter[str]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (found := OPERATORS.get(func)) is not None:
            name, place = found
            label = str(args[place]).partition(":")[0]
            self.calls[label] += 1
            self.macs[label] += count(name, args[0], args[1], out)
        return out


def _of_layers(model: nn.Module, counted: _Counting | None) -> Iterable[Line]:
    for name, layer in model.named_modules():
        shape = tuple(tuple(p.shape) for n, p in layer.named_parameters() if "weight" in n)
        if isinstance(layer, Approximate):
            calls = macs = None
            if counted is not None:
                calls, macs = counted.calls[layer.label], counted.macs[layer.label]
            kind = layer.exact_class.__name__
            yield _line(name or layer.label, kind, shape, layer.arithmetic, _ranges(layer), calls, macs)
        elif approximate_class(type(layer)) is not None and not _inside(model, name):
            yield Line(name, type(layer).__name__, shape, None, "", "", None, None, None, None)


def _inside(model: nn.Module, name: str) -> bool:
    """Whether a layer is a part of one that multiplies for it, as an attention's last projection is."""
    parent = model.get_submodule(name.rpartition(".")[0]) if name else model
    return name != "" and isinstance(parent, nn.MultiheadAttention)


def _of_calls(through: Through) -> Iterable[Line]:
    by = through.arithmetic
    for met in through.calls:
        if met.multiplier is None:
            yield Line(met.name, met.function, met.shapes, None, "", "", met.calls, 0, None, None, met.why)
        else:
            yield _line(met.name, met.function, met.shapes, by, through.ranges, met.calls, met.macs)


def _line(
    name: str,
    kind: str,
    shape: tuple[tuple[int, ...], ...],
    by: Arithmetic,
    ranges: str,
    calls: int | None,
    macs: int | None,
) -> Line:
    multiplier: Multiplier | FloatMultiplier = by.multiplier
    coding = ""
    if (both := by.integer) is not None:
        coding = both[1].described(both[0]).replace(f",{both[1].activations}", "").replace("|", " ")
    return Line(
        name, kind, shape, multiplier.name, coding, ranges if coding else "", calls, macs,
        power(multiplier), relative_energy(multiplier),
    )  # fmt: skip


def _ranges(layer: Approximate) -> str:
    if layer.quantization.activations == "dynamic":
        return "dynamic"
    return "static" if set(layer.sites) <= set(layer.calibration) else "dynamic"

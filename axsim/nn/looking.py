"""Calibration of calls that are intercepted."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from axsim.nn.geometry import Conv, Transposed, exact
from axsim.nn.met import Record
from axsim.nn.observers import Observer, Seen, observer_of
from axsim.nn.ranges import Batches, evaluating, feed
from axsim.nn.seen import Calibrated
from axsim.nn.through import Counted, check, intercepted, is_weight, place_of, turned


def calibrate_through(
    model: nn.Module | Callable[..., object],
    batches: Batches,
    *,
    layers: str | Iterable[str] | None = None,
    observer: str | Observer = "minmax",
) -> Calibrated:
    """Find the ranges of what ``axsim.nn.through`` multiplies in a model, or in a function.

    It runs exactly, without gradients, and a model in evaluation mode. Calls are told apart by the name of
    the module that makes them and their number among its calls of that function. Outside of any module they
    are counted from the ``with`` statement on, so that ``through`` is to be entered anew for each call of a
    function.

    Args:
        model: a module, or a function of a batch.
        batches: as for ``axsim.nn.calibrate``; a function gets each batch as it is.
        layers: as for ``through``.
        observer: how ranges are made of what is seen: a name, or one of ``axsim.nn.observers``.

    Returns:
        A value for ``through(..., calibrated=)``, for any multiplier.

    Raises:
        TypeError: a batch is of a wrong type.
        ValueError: there are no batches, nothing was multiplied, or operands hold NaN or infinity.

    >>> def square(x):
    ...     return x @ x.T
    >>> calibrated = calibrate_through(square, [torch.tensor([[1.0, 2.0]])])
    >>> sorted(calibrated.seen)
    [':matmul a', ':matmul b']
    """
    look = _Look(observer_of(observer))
    patterns = None if layers is None else [layers] if isinstance(layers, str) else list(layers)

    def chosen(name: str) -> bool:
        path = name.partition(":")[0]
        return patterns is None or any(fnmatchcase(name, p) or fnmatchcase(path, p) for p in patterns)

    record = Record()
    is_model = isinstance(model, nn.Module)
    if is_model:
        with evaluating(model), intercepted(look.products, record, chosen, model):
            number = feed(model, batches)
    else:
        number = 0
        for batch in batches:  # type: ignore[union-attr]
            with torch.no_grad(), intercepted(look.products, record, chosen):
                model(batch)
            number += 1
    if not number:
        raise ValueError("batches holds no batches, expected at least one")
    if not look.seen:
        left = {met.why for met in record.calls if met.why}
        why = f": what was met was left exact ({', '.join(sorted(left))})" if left else ""
        raise ValueError(f"nothing was multiplied that through() would take{why}")
    return Calibrated(observer, look.seen, frozenset(look.right), weakref.ref(model) if is_model else None)


class _Look:
    """What was seen so far."""

    def __init__(self, observer: Observer) -> None:
        self.observer, self.seen, self.right = observer, dict[str, Seen](), set[str]()

    def products(self, name: str) -> _Looking:
        return _Looking(self, name)

    def at(self, site: str, x: Tensor) -> None:
        if not x.numel():
            return
        try:
            self.seen[site] = self.observer.see(self.seen.get(site, Seen()), x)
        except ValueError as error:
            raise ValueError(f"{site}: {error}") from error


class _Looking(Counted):
    """The exact products of one call, whose operands are looked at."""

    def __init__(self, look: _Look, name: str) -> None:
        self.macs, self.multiplier = 0, None
        self._look, self._name = look, name

    def linear(self, x: Tensor, w: Tensor, bias: Tensor | None, site: str) -> Tensor:
        check(x, w)
        self._look.at(place_of(self._name, site), x)
        return F.linear(x, w, bias)

    def matmul(self, a: Tensor, b: Tensor, sites: tuple[str, str], bias: Tensor | None = None) -> Tensor:
        if is_weight(b):
            return self.linear(a, turned(b), bias, sites[0])
        check(a, b)
        left, right = (place_of(self._name, site) for site in sites)
        self._look.at(left, a)
        self._look.at(right, b)
        self._look.right.add(right)
        return torch.matmul(a, b) if bias is None else torch.matmul(a, b) + bias

    def conv(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Conv) -> Tensor:
        return self._windows(x, w, bias, geometry)

    def conv_transpose(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Transposed) -> Tensor:
        return self._windows(x, w, bias, geometry)

    def _windows(self, x: Tensor, w: Tensor, bias: Tensor | None, geometry: Any) -> Tensor:
        check(x, w)
        self._look.at(self._name, x)
        return exact(x, w, geometry, bias)

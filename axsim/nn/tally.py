"""Products that were made, counted where they are made.

A layer that is called may still multiply exactly: it calibrates, or somebody replaced what it calls. So the
operators count, once a product has gone through a multiplier, and a layer's ``tag`` tells them for whom: its
name, and behind a character that no name has a number of its own in this process. Copies and unpickled layers
begin at nothing, under a number of their own.
"""

from __future__ import annotations

import itertools
import os
import weakref
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from axsim.nn.geometry import Geometry, Linear, MatMul, Transposed

MARK = "\x1f"
_numbers = itertools.count()
_known: dict[str, weakref.ref[Tally]] = {}


@dataclass
class Count:
    """What was multiplied at one site of a layer.

    Attributes:
        calls: operations that went through the multiplier.
        products: single products that they took, padding among them.
        x_shape, out_shape: of the last one.
        last: the products of that one.
    """

    calls: int = 0
    products: int = 0
    x_shape: tuple[int, ...] = ()
    out_shape: tuple[int, ...] = ()
    last: int = 0


class Tally:
    """The counts of one layer, by site.

    Attributes:
        number: what tells it from all others, of other processes too.
        sites: counts of the sites that multiplied since the last ``reset``.
    """

    def __init__(self) -> None:
        self.number = f"{os.getpid():x}-{next(_numbers):x}-{os.urandom(3).hex()}"
        self.sites: dict[str, Count] = {}
        number = self.number
        _known[number] = weakref.ref(self, lambda _: _known.pop(number, None))

    def reset(self) -> None:
        """Begin at nothing."""
        self.sites = {}

    def tag(self, label: str) -> str:
        """A layer's name for operators: ``plain`` gives it back."""
        return f"{label}{MARK}{self.number}"

    def __deepcopy__(self, memo: Any) -> Tally:
        return Tally()

    def __reduce__(self) -> tuple[Any, ...]:
        return Tally, ()


def plain(tag: str) -> str:
    """The name in a tag; a site may stand behind it.

    >>> plain(Tally().tag("conv1") + ":out"), plain("conv1")
    ('conv1:out', 'conv1')
    """
    label, _, rest = tag.partition(MARK)
    _, colon, site = rest.partition(":")
    return label + colon + site


def count(tag: str, x: Tensor, w: Tensor, geometry: Geometry, out: Tensor) -> None:
    """Count a product that was made for the layer of that tag; without one nothing is counted."""
    number, _, site = tag.partition(MARK)[2].partition(":")
    found = _known.get(number)
    tally = None if found is None else found()
    if tally is None:
        return
    sum_ = tally.sites.get(site)
    if sum_ is None:
        sum_ = tally.sites[site] = Count()
    sum_.last = products(x, w, geometry, out)
    sum_.calls += 1
    sum_.products += sum_.last
    sum_.x_shape, sum_.out_shape = x.shape, out.shape


def products(x: Tensor, w: Tensor, geometry: Geometry, out: Tensor) -> int:
    """Single products of an operation, those with padding among them.

    >>> import torch
    >>> from axsim.nn.geometry import Conv
    >>> products(torch.ones(2, 3, 8), torch.ones(4, 3, 5), Conv((1,), (0, 0), (1,)), torch.ones(2, 4, 4))
    480
    """
    if isinstance(geometry, Linear | MatMul):
        each, terms = out, x.shape[-1]
    else:
        each, terms = x if isinstance(geometry, Transposed) else out, w.numel() // max(1, w.shape[0])
    return int(each.numel() * terms)

"""The products of layers that multiply at several sites."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from axsim.nn import operators
from axsim.nn.layers.base import Approximate
from axsim.nn.sites import Products


@dataclass(frozen=True)
class OfLayer:
    """The products of an approximate layer."""

    layer: Approximate

    def linear(self, x: Tensor, w: Tensor, bias: Tensor | None, site: str) -> Tensor:
        """As ``Products.linear``."""
        layer = self.layer
        label = f"{layer.tag}:{site}"
        return operators.linear(x, w, bias, layer.limits(site), layer.arithmetic.key, label)

    def matmul(self, a: Tensor, b: Tensor, sites: tuple[str, str], bias: Tensor | None = None) -> Tensor:
        """As ``Products.matmul``."""
        layer = self.layer
        a_range, b_range = layer.limits(sites[0]), layer.limits(sites[1])
        label = f"{layer.tag}:{', '.join(sites)}"
        return operators.matmul(a, b, a_range, layer.arithmetic.key, bias, label, b_range)


@dataclass(frozen=True)
class Watched:
    """Exact products, at which a layer that is being calibrated looks."""

    layer: Approximate

    def linear(self, x: Tensor, w: Tensor, bias: Tensor | None, site: str) -> Tensor:
        """As ``Products.linear``."""
        self.layer.watch(x, site)
        return F.linear(x, w, bias)

    def matmul(self, a: Tensor, b: Tensor, sites: tuple[str, str], bias: Tensor | None = None) -> Tensor:
        """As ``Products.matmul``."""
        self.layer.watch(a, sites[0])
        self.layer.watch(b, sites[1])
        return torch.matmul(a, b) if bias is None else torch.matmul(a, b) + bias


def products_of(layer: Approximate) -> Products:
    """What multiplies for a layer now."""
    return OfLayer(layer) if layer.watched is None else Watched(layer)

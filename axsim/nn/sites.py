"""Computations of several products, apart from what multiplies.

An attention is written once, and so is a recurrent network. What multiplies is handed to them: an approximate
layer's multiplier, exact products that a calibration looks at, or those of an intercepted call.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Products(Protocol):
    """Products by the sites that they are made at."""

    def linear(self, x: Tensor, w: Tensor, bias: Tensor | None, site: str) -> Tensor:
        """x (..., K) by w (N, K), plus bias (N,): (..., N)."""

    def matmul(self, a: Tensor, b: Tensor, sites: tuple[str, str], bias: Tensor | None = None) -> Tensor:
        """a (..., M, K) by b (..., K, N), plus bias (N,): (..., M, N). The sites are those of a and of b."""

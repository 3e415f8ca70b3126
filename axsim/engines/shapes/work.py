"""How much an operation computes, as engines are chosen by it."""

from __future__ import annotations

import math
from typing import NamedTuple

from axsim.engines.shapes.batches import broadcast, merged
from axsim.engines.shapes.geometry import Geometry


class Work(NamedTuple):
    """A product of ``matrices`` pairs (m, k), (k, n).

    ``width`` is that of a convolution's kernel, else 0; ``depthwise`` says that filters have one channel.
    """

    matrices: int
    m: int
    k: int
    n: int
    width: int = 0
    depthwise: bool = False

    @classmethod
    def of_gemm(cls, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Work:
        """The work of a (..., M, K) by b (..., K, N)."""
        batch = broadcast(a_shape[:-2], b_shape[:-2])
        matrices, rows = merged(batch, a_shape[-2], b_shape)
        return cls(math.prod(matrices), rows, b_shape[-2], b_shape[-1])

    @classmethod
    def of_conv2d(cls, x_shape: tuple[int, ...], w_shape: tuple[int, ...], geometry: Geometry) -> Work:
        """The work of x (N, C, H, W) with w (O, C / groups, kh, kw): a product for each group."""
        windows = math.prod(geometry.output_size(*x_shape[2:], *w_shape[2:]))
        filters = w_shape[0] // geometry.groups
        m, k = x_shape[0] * windows, math.prod(w_shape[1:])
        return cls(geometry.groups, m, k, filters, w_shape[3], w_shape[1] == 1)

    @property
    def products(self) -> int:
        """How many table entries are summed."""
        return self.matrices * self.m * self.k * self.n

    @property
    def operation(self) -> str:
        """ "matmul" or "conv2d"."""
        return "conv2d" if self.width else "matmul"

    @property
    def size(self) -> str:
        """The work in words: "2 times 16 x 8 by 8 x 4, 1.02e+03 products"."""
        times = f"{self.matrices} times " if self.matrices != 1 else ""
        return f"{times}{self.m} x {self.k} by {self.k} x {self.n}, {self.products:.3g} products"

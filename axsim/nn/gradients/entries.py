"""Gradients whose derivatives of the product are tables: sums of their entries."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axsim.engines.cpu import weighted
from axsim.multipliers import Multiplier
from axsim.nn.geometry import Transposed
from axsim.nn.gradients.layout import Layout, layout
from axsim.nn.gradients.rule import Product
from axsim.nn.gradients.ste import kept
from axsim.quantization import QuantParams

Doubles = NDArray[np.float64]
Gradients = tuple[Tensor | None, Tensor | None]

# A transposed convolution's gradients are spread out, for so many numbers at a time.
_SPREAD = 1 << 24


def coded(rule: str, product: Product) -> tuple[Multiplier, QuantParams, QuantParams]:
    """An integer multiplier and what its operands stand for.

    Raises:
        TypeError: it is a float multiplier.
    """
    if not isinstance(product.multiplier, Multiplier):
        raise TypeError(
            f"gradient is {rule}, which is made from a table of integer products, but "
            f"{product.multiplier.name} is a float multiplier; 'ste' and 'ste(gain=measured)' take it"
        )
    assert product.a_params is not None
    assert product.w_params is not None
    return product.multiplier, product.a_params, product.w_params


def refuse_second(rule: str, *tensors: Tensor) -> None:
    """RuntimeError where a graph of the gradients themselves is being made."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        raise RuntimeError(
            f"the gradients of {rule} cannot be differentiated again (create_graph=True): it sums entries of "
            "tables; 'ste' can"
        )


def table_gradients(
    upstream: Tensor,
    product: Product,
    wanted: tuple[bool, bool],
    derivatives: tuple[Doubles, Doubles],
    clip: bool,
) -> Gradients:
    """The operands' gradients, from what stands for the product's derivatives by its two operands.

    The result is ``s_a s_b sum (T[q_a, q_b] - z_b q_a - z_a q_b + z_a z_b)``. With quantisation taken for a
    straight line, the gradient in x is a sum of ``g s_b (D[q_a, q_b] - z_b)``, and that in w one of
    ``g s_a (E[q_a, q_b] - z_a)``. Padded pixels are activations of 0, and meet weights as such. Sums are made
    in float32, on the CPU.

    Args:
        upstream, product, wanted: as ``GradientRule.gradients`` has them.
        derivatives: D and E, for all operands of the ranges of the product's parameters.
        clip: as ``STE.clip``.
    """
    if isinstance(product.geometry, Transposed) and (parts := _parts(upstream, product)) > 1:
        return _in_parts(parts, upstream, product, wanted, derivatives, clip)
    made, (by_a, by_b) = layout(product), derivatives
    of_x = of_w = None
    assert product.a_params is not None
    if wanted[0]:
        of_x = _of_x(upstream, made, by_a).to(product.x)
        if clip and product.clips:
            of_x = of_x * kept(product.x, product.a_params)
    if wanted[1]:
        entries = (by_b - float(product.a_params.zero_point)).astype(np.float32)
        sums = weighted.right(entries, made.packed(upstream), made.a, made.places, made.b)
        scaled = torch.from_numpy(sums).double().mul_(float(product.a_params.scale))
        of_w = made.of_w(scaled).to(product.w)
    return of_x, of_w


def _of_x(upstream: Tensor, made: Layout, by_a: Doubles) -> Tensor:
    if made.scale.ndim:
        g, scale = made.packed(upstream, made.scale), 1.0
    else:
        g, scale = made.packed(upstream), float(made.scale)
    zero = None
    if made.zero.ndim:
        zero = np.ascontiguousarray(made.zero, np.float32)
    elif made.zero:
        by_a = by_a - float(made.zero)
    sums = weighted.left(by_a.astype(np.float32), g, made.a, made.places, made.b, zero)
    return made.of_x(torch.from_numpy(sums).mul_(scale))


def _parts(upstream: Tensor, product: Product) -> int:
    pixels = len(product.x) * math.prod(product.x.shape[2:])
    spread: int = pixels * upstream.shape[1] * math.prod(product.w.shape[2:])
    return min(len(product.x), -(-spread // _SPREAD))


def _in_parts(
    parts: int,
    upstream: Tensor,
    product: Product,
    wanted: tuple[bool, bool],
    derivatives: tuple[Doubles, Doubles],
    clip: bool,
) -> Gradients:
    """Some images at a time."""
    made = [
        table_gradients(g, replace(product, x=x), wanted, derivatives, clip)
        for g, x in zip(upstream.chunk(parts), product.x.chunk(parts), strict=True)
    ]
    of_x = torch.cat([x for x, _ in made if x is not None]) if wanted[0] else None
    of_w = sum(w.double() for _, w in made if w is not None) if wanted[1] else None
    return of_x, of_w.to(product.w) if isinstance(of_w, Tensor) else None

"""Approximate layers; ``axsim.nn.approximate`` makes them of exact ones."""

from __future__ import annotations

from axsim.nn.layers.base import Approximate
from axsim.nn.layers.conv import ApproxConv1d, ApproxConv2d, ApproxConv3d
from axsim.nn.layers.linear import ApproxLinear
from axsim.nn.layers.transposed import ApproxConvTranspose1d, ApproxConvTranspose2d

__all__ = [
    "ApproxConv1d",
    "ApproxConv2d",
    "ApproxConv3d",
    "ApproxConvTranspose1d",
    "ApproxConvTranspose2d",
    "ApproxLinear",
    "Approximate",
]

"""Gradient rules: what stands in the place of an approximate product's gradient, in training and attacks."""

from __future__ import annotations

from axsim.nn.gradients.difference import Difference1D, Difference2D
from axsim.nn.gradients.rule import GradientRule, Product, named
from axsim.nn.gradients.ste import STE
from axsim.nn.gradients.tables import Tables

__all__ = ["STE", "Difference1D", "Difference2D", "GradientRule", "Product", "Tables", "named"]

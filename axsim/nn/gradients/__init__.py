"""Gradient rules: what stands in the place of an approximate product's gradient, in training and attacks."""

from __future__ import annotations

from axsim.nn.gradients.rule import GradientRule, Product, named
from axsim.nn.gradients.ste import STE

__all__ = ["STE", "GradientRule", "Product", "named"]

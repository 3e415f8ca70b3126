"""Approximate multipliers inside real neural networks, exact to the bit."""

from __future__ import annotations

__version__ = "0.1.0"

"""Networks of PyTorch through approximate multipliers."""

from __future__ import annotations

"""Multipliers by name: the EvoApprox8b circuits, parametric families, float multipliers, and your own."""

from __future__ import annotations

from axsim.multipliers.circuit_files import ReadingWarning, read
from axsim.multipliers.float_multiplier import FloatMultiplier
from axsim.multipliers.integer import Multiplier
from axsim.multipliers.libraries import load_library
from axsim.multipliers.registry import get, list_multipliers, register

__all__ = [
    "FloatMultiplier",
    "Multiplier",
    "ReadingWarning",
    "get",
    "list_multipliers",
    "load_library",
    "read",
    "register",
]

"""Approximate multipliers inside real neural networks, exact to the bit.

>>> import axsim, numpy as np
>>> a, b = np.array([[3, 250]], np.uint8), np.array([[200], [100]], np.uint8)
>>> axsim.matmul(a, b, mult="L40")
array([[23296]], dtype=int32)
>>> axsim.matmul(a, b, mult="exact8")
array([[25600]], dtype=int32)
"""

from __future__ import annotations

from axsim import quantize
from axsim.multipliers import FloatMultiplier, Multiplier, get, list_multipliers, load_library, read, register
from axsim.ops import Prepared, conv2d, explain, matmul, multiply, prepare
from axsim.threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "FloatMultiplier",
    "Multiplier",
    "Prepared",
    "__version__",
    "conv2d",
    "explain",
    "get",
    "get_num_threads",
    "list_multipliers",
    "load_library",
    "matmul",
    "multiply",
    "prepare",
    "quantize",
    "read",
    "register",
    "set_num_threads",
]

"""``through``: every product of tensors within a ``with`` statement by a multiplier, whoever calls it.

Calls are intercepted where torch's functions are called (``TorchFunctionMode``), not where its operators are
dispatched (``TorchDispatchMode``): there ``F.linear`` is one call that still has its parameter, whose weights are
prepared once, and a gradient is still to be recorded, so that it follows the rule; further down there are
views of weights without a name, parts of an attention, and gradients that have been decided.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from axsim.nn import operators
from axsim.nn.arithmetic import Arithmetic, Mult, arithmetic
from axsim.nn.geometry import Conv, Linear, MatMul, Transposed, exact
from axsim.nn.gradients.rule import GradientRule
from axsim.nn.intercepted import EXACT, HANDLERS, Left, count
from axsim.nn.observers import Observer, Range, Seen, observer_of
from axsim.nn.paths import Place, followed
from axsim.nn.quantization import Quantization
from axsim.nn.weights import made_of
"""

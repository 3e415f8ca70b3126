"""The one door for arrays: which they are, where they are, and what that place offers.

An operation asks once, and hands on what it found.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.arrays import Wrap, on_host
from axsim.engines.cpu import backend as cpu
from axsim.engines.gpu import arrays as gpu_arrays  # loads no library
from axsim.engines.protocols import Backend

_NO_CONTEXT: AbstractContextManager[None] = nullcontext()


@dataclass(frozen=True)
class Accepted:
    """Arrays that were let in.

    Attributes:
        arrays: in order, NumPy's or all CuPy's; they share the callers' memory.
        backend: of the place where they are.
        wrap: makes a result the arguments' kind (a NumPy scalar of a NumPy result without axes).
        context: to work in; for arrays on a GPU: its device, the caller's stream, and the allocator that
            results come from.
    """

    arrays: list[Any]
    backend: Backend
    wrap: Wrap
    context: AbstractContextManager[Any]


def accept(**arrays: Any) -> Accepted:
    """The arguments as arrays that the engines know; keywords are the arguments' names in messages.

    They are NumPy's, or CuPy's if all arguments are CuPy arrays or torch tensors on one GPU.

    Raises:
        TypeError: an argument is another type, a tensor on another kind of device, a tensor that requires
            gradients, or the kinds or devices are mixed.
    """
    if not all(type(array) is np.ndarray for array in arrays.values()):
        on_device = gpu_arrays.accept(**arrays)
        if on_device is not None:
            from axsim.engines.gpu import backend as gpu

            return Accepted(on_device[0], gpu, *on_device[1:])
    values, wrap = on_host(**arrays)
    return Accepted(values, cpu, wrap, _NO_CONTEXT)

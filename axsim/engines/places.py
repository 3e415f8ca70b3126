"""The places that arrays can be in."""

from __future__ import annotations

from typing import Any

import numpy as np

from axsim.engines import host
from axsim.engines.place import Place


def place_of(array: Any) -> Place:
    """Where an array is that ``axsim._arrays.accept`` let in."""
    if type(array) is np.ndarray:
        return host
    from axsim.engines.cuda import device

    return device

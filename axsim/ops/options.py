"""What the caller of an operation may choose, whichever kind of multiplier it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.quantization import QuantParams, Rule

Quantization = QuantParams | Rule | str | None  # a Rule comes from parts of axsim alone


@dataclass(frozen=True)
class Options:
    """The optional arguments of ``axsim.ops``, as they were given."""

    a_quant: Quantization = None
    b_quant: Quantization = None
    out_dtype: Any = None
    engine: str = "auto"


def result_dtype(given: Any, allowed: tuple[np.dtype[Any], ...], default: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that ``out_dtype`` asks for, or else the default; TypeError if it is not an allowed one."""
    if given is None:
        return default
    try:
        dtype = np.dtype(str(given).removeprefix("torch.") if "torch" in str(given) else given)
    except TypeError:
        raise TypeError(f"out_dtype is {given!r}, expected {allowed[0]} or {allowed[1]}") from None
    if dtype not in allowed:
        raise TypeError(f"out_dtype is {dtype}, expected {allowed[0]} or {allowed[1]} for such operands")
    return dtype

"""What the caller of an operation may choose, whichever kind of multiplier it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from axsim.quantize import QuantParams, integer_range

Quantisation = QuantParams | str | None


@dataclass(frozen=True)
class Rule:
    """How a float operand is quantised by its own range; beside it stand ``QuantParams``, which are given.

    Attributes:
        centred: the zero point is 0, as ``axsim.quantize.symmetric`` makes it; else as ``affine`` does.
        qmin, qmax: the integers in use; int8 if qmin < 0, else uint8.
        bits: their width.
    """

    centred: bool
    qmin: int
    qmax: int
    bits: int

    @classmethod
    def affine(cls, bits: int, *, signed: bool) -> Rule:
        """As ``axsim.quantize.affine``."""
        return cls(False, *integer_range(bits, signed), bits)

    @classmethod
    def symmetric(cls, bits: int) -> Rule:
        """As ``axsim.quantize.symmetric``."""
        qmax = integer_range(bits, True)[1]
        return cls(True, -qmax, qmax, bits)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integers' dtype."""
        return np.dtype(np.int8 if self.qmin < 0 else np.uint8)


@dataclass(frozen=True)
class Options:
    """The optional arguments of ``axsim.ops``, as they were given."""

    a_quant: Quantisation = None
    b_quant: Quantisation = None
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

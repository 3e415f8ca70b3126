"""``axsim.prepare``: weights made ready once for all calls."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from axsim.engines.backend import accept
from axsim.engines.protocols import Backend
from axsim.engines.shapes.geometry import check_filters
from axsim.engines.weights import Shaped, Weights
from axsim.entrance import entrance
from axsim.multipliers import FloatMultiplier, Multiplier, get
from axsim.multipliers.float_multiplier import as_float32
from axsim.ops import integer
from axsim.ops.options import Quantization
from axsim.quantization import QuantParams

Operation = Literal["matmul", "conv2d"]
Mult = str | Multiplier | FloatMultiplier


class Prepared(Shaped):
    """A right operand that does not change between calls; ``axsim.prepare`` makes it.

    It stands in the place of ``b`` in ``matmul``, or of ``w`` in ``conv2d``, and gives the same numbers as
    the array that it was made of. It never changes, may be used by several threads at once, and can be
    pickled. What a processor or GPU needs of it is made when it is first used there.

    Attributes:
        multiplier: what it is for.
        operation: "matmul" or "conv2d".
        values: the operand, read-only and in main memory: uint8, int8 or int16, or float32 for a float
            multiplier.
        params: how floats became ``values``; None where they are the operand itself.
        groups: of a convolution.
        source: the type of the floats that became ``values``; None where there were none.
    """

    def __init__(
        self,
        multiplier: Multiplier | FloatMultiplier,
        operation: Operation,
        values: NDArray[Any],
        params: QuantParams | None,
        groups: int = 1,
        source: np.dtype[Any] | None = None,
    ) -> None:
        values.flags.writeable = False
        self.multiplier, self.operation, self.values = multiplier, operation, values
        self.params, self.groups, self.source = params, groups, source
        self._places: dict[Hashable, Weights] = {}

    def on(self, backend: Backend) -> Weights:
        """The operand in the place of a backend's current device; made once for each."""
        place = backend.place()
        found = self._places.get(place)
        if found is None:
            values = backend.array(self.values, self)
            quantized = None if self.params is None else backend.described(values, self.params)
            found = self._places.setdefault(place, Weights(values, quantized, self.source))
        return found

    def check(self, name: str, multiplier: Multiplier | FloatMultiplier, operation: str, groups: Any) -> None:
        """ValueError unless it was prepared for this; ``name`` is the argument's."""
        for what, given, own in (
            ("multiplier", multiplier.name, self.multiplier.name),
            ("operation", operation, self.operation),
            ("groups", groups, self.groups),
        ):
            if given != own:
                raise ValueError(f"{name} was prepared for the {what} {own!r}, not {given!r}")

    def __repr__(self) -> str:
        return (
            f"Prepared({self.operation}, {self.multiplier.name!r}, {self.values.dtype} {self.values.shape})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Prepared, (
            *(self.multiplier, self.operation, self.values, self.params),
            *(self.groups, self.source),
        )


@entrance
def prepare(
    w: Any,
    mult: Mult = "exact8",
    *,
    operation: Operation = "matmul",
    b_quant: Quantization = None,
    groups: int = 1,
) -> Prepared:
    """A right operand made ready for a multiplier, once for many calls of ``matmul`` or ``conv2d``.

    Args:
        w: (..., K, N) or (K,) for ``matmul``, (O, C / groups, kh, kw) for ``conv2d``: uint8, int8, int16
            (-255 to 255), float32 or float64 (for a float multiplier float32 or float16); or a pair
            (integers, ``QuantParams``). It is copied.
        mult: a multiplier or its name.
        operation: "matmul" or "conv2d".
        b_quant: how floats are quantised; see ``help(axsim.ops)``.
        groups: of the convolution.

    Raises:
        TypeError: w or another argument is of a wrong type.
        ValueError: w has not the axes, is out of the multiplier's range, or holds NaN or infinity.

    >>> import numpy as np, axsim
    >>> w = axsim.prepare(np.float32([[0.5], [-1.0]]), "L40", b_quant="sign-magnitude")
    >>> w
    Prepared(matmul, 'mul8u_L40', int16 (2, 1))
    >>> axsim.matmul(np.float32([[1.0, 0.25]]), w, a_quant=axsim.quantize.QuantParams(1 / 255, 0, 0, 255))
    array([[0.2509804]], dtype=float32)
    """
    multiplier = get(mult)
    if operation not in ("matmul", "conv2d"):
        raise ValueError(f"operation is {operation!r}, expected 'matmul' or 'conv2d'")
    accepted = accept(w=w[0] if is_pair(w) else w)
    (array,), backend = accepted.arrays, accepted.backend
    _check_shape(array.shape, operation)
    groups = check_filters(array.shape, groups) if operation == "conv2d" else 1
    axis = 0 if operation == "conv2d" else array.ndim - 1
    params: QuantParams | None = None
    source = None
    with accepted.context:
        if is_pair(w):
            params = w[1]
            if b_quant is not None:
                raise TypeError("b_quant is given, but w holds integers already")
            check_pair("w", multiplier, array, w[1], axis)
        elif isinstance(multiplier, FloatMultiplier):
            if b_quant is not None:
                raise TypeError(
                    "b_quant is given, but a float multiplier takes floats as they are: leave it out"
                )
            array = as_float32(array, "w")
        else:
            floats = array.dtype
            array, params = integer.ready(backend, multiplier, "w", array, b_quant, axis)
            source = None if params is None else floats
        values = np.array(backend.host(array), order="C")
    return Prepared(multiplier, operation, values, params, groups, source)


def is_pair(right: Any) -> bool:
    """Whether it is integers with what they stand for."""
    return type(right) is tuple and len(right) == 2 and isinstance(right[1], QuantParams)


def check_pair(
    name: str, multiplier: Multiplier | FloatMultiplier, values: NDArray[Any], params: QuantParams, axis: int
) -> None:
    """TypeError or ValueError unless integers and what they stand for fit each other and the multiplier."""
    if isinstance(multiplier, FloatMultiplier):
        raise TypeError(
            f"{name} is a pair of integers and QuantParams, but {multiplier.name} is a float multiplier, "
            f"which takes floats as they are; axsim.quantize.dequantize({name}[0], {name}[1]) makes them"
        )
    if values.dtype != params.dtype:
        raise TypeError(f"{name} holds {values.dtype}, but its QuantParams makes {params.dtype}")
    integer.check_parameters(name, params, values, multiplier, axis)


def _check_shape(shape: tuple[int, ...], operation: str) -> None:
    if operation == "matmul" and not shape:
        raise ValueError("w has no axes, expected at least one")

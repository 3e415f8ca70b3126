"""Quantising arrays on a GPU.

Scales and zero points never leave the device. Outside of a capture the host looks at one small array of
flags; while a CUDA graph is captured it cannot: what is not finite in an operand then makes its scale NaN,
and so the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from axsim.engines.forms.signs import SIGNED
from axsim.engines.gpu.runtime.current import current
from axsim.engines.gpu.runtime.interface import Runtime
from axsim.engines.operands import Quantized, Unquantized
from axsim.quantization import QuantParams, along

_SOURCE = "quantize.cu"
_THREADS = 256
_AFFINE, _SYMMETRIC, _GIVEN = 0, 1, 2


def quantized(operands: Sequence[Unquantized], bias: Any) -> list[Quantized]:
    """As ``Backend.quantized``; while a graph is captured the scale becomes NaN instead of the error."""
    runtime = current()
    made, flags = zip(*(_quantized(runtime, operand) for operand in operands), strict=True)
    if not runtime.capturing():
        xp = runtime.xp
        names = [operand.name for operand in operands]
        found = list(flags)
        if bias is not None:
            names.append("bias")
            found.append((~xp.isfinite(bias)).any().reshape(1).astype(np.int32))
        for name, bad in zip(names, xp.asnumpy(xp.concatenate(found)), strict=True):
            if bad:
                hint = ", which no integer stands for; clean or clip it first" if name != "bias" else ""
                raise ValueError(f"{name} holds NaN or infinity{hint}")
    return list(made)


def integers(name: str, x: Any, params: QuantParams) -> Any:
    """As ``Backend.integers``.

    Raises:
        ValueError: x holds NaN or infinity, or a graph is being captured, when that cannot be seen; or it has
            not the channels that ``params`` is for.
    """
    along(params.scale, params, x, name)  # checks the number of channels
    if current().capturing():
        raise ValueError(
            f"{name} cannot be looked at for NaN and infinity while a CUDA graph is captured; quantise it "
            "before, or pass floats to the operation"
        )
    return quantized([Unquantized(name, x, params)], None)[0].values


def row_extremes(rows: Any) -> tuple[Any, Any]:
    """As ``Backend.row_extremes``.

    CuPy's comparisons take subnormal numbers for zeros, those of integers that are ordered likewise do not.
    """
    xp = current().xp
    bits = 8 * rows.dtype.itemsize

    def ordered(ints: Any) -> Any:  # its own inverse; NaN is beyond the infinities
        return ints ^ ((ints >> (bits - 1)) & (2 ** (bits - 1) - 1))

    ints = ordered(rows.view(f"int{bits}"))
    ends = ordered(xp.asnumpy(xp.stack([ints.min(axis=1), ints.max(axis=1)])))
    low, high = ends.view(rows.dtype).astype(np.float64)
    return low, high


def _quantized(runtime: Runtime, operand: Unquantized) -> tuple[Quantized, Any]:
    """The operand quantised, and a flag: whether it holds something that is not finite."""
    xp, by = runtime.xp, operand.by
    x = xp.ascontiguousarray(operand.values)
    defines = {"FLOAT": {4: "float", 8: "double"}[x.dtype.itemsize]}
    blocks = max(1, min(-(-x.size // (8 * _THREADS)), 8 * runtime.device.multiprocessors))
    grid, block, count = (blocks, 1, 1), (_THREADS, 1, 1), np.int64(x.size)
    found = xp.empty(3 * blocks)
    runtime.kernel(_SOURCE, "extremes", defines)(grid, block, (x, count, found))
    if isinstance(by, QuantParams):
        mode, centred = _GIVEN, not by.zero_point.any()
        given = flat_constants(by)
    else:
        mode, centred = _SYMMETRIC if by.centred else _AFFINE, by.centred
        given = xp.empty(1), xp.empty(1, np.int64)
    channels = len(given[0])
    scale, zero, bad = xp.empty(channels), xp.empty(channels, np.int64), xp.empty(1, np.int32)
    limits = np.int32(by.qmin), np.int32(by.qmax)
    runtime.kernel(_SOURCE, "parameters")(
        (1, 1, 1),
        block,
        (found, np.int32(blocks), np.int32(mode), *limits, *given, np.int32(channels), scale, zero, bad),
    )
    values = xp.empty(operand.values.shape, by.dtype)  # x has an axis even where these have none
    axis = by.axis % x.ndim if isinstance(by, QuantParams) and by.axis is not None else None
    inner = int(np.prod(x.shape[axis + 1 :])) if axis is not None else 1
    if by.dtype == SIGNED:
        defines |= {"INTEGER": "int16"}
    runtime.kernel(_SOURCE, "quantise", defines)(
        grid, block, (x, count, np.int64(inner), np.int32(channels), scale, zero, *limits, values)
    )
    pad = zero.view(np.int16 if by.dtype == SIGNED else np.uint8)[:1]  # the lowest bytes, which lie first
    shape = () if axis is None else (channels,)
    return Quantized(values, scale.reshape(shape), None if centred else zero.reshape(shape), pad), bad


def described(values: Any, params: QuantParams) -> Quantized:
    """As ``Backend.described``."""
    scale, zero = constants(params)
    pad = zero.reshape(-1).view(np.int16 if params.dtype == SIGNED else np.uint8)[:1]
    return Quantized(values, scale, zero if params.zero_point.any() else None, pad)


def constants(params: QuantParams) -> tuple[Any, Any]:
    """As ``Backend.constants``."""
    scale, zero = flat_constants(params)
    return scale.reshape(params.scale.shape), zero.reshape(params.scale.shape)


def flat_constants(params: QuantParams) -> tuple[Any, Any]:
    """Scale and zero point on the device: (channels,), or (1,) if there are no channels."""
    runtime = current()
    return (
        runtime.constant(params.scale.reshape(-1), params, "scale"),
        runtime.constant(params.zero_point.reshape(-1), params, "zero_point"),
    )

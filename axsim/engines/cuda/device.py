"""The place of arrays on a GPU: ``axsim.engines.host`` again, on the device.

Scales and zero points never leave the device. Outside of a capture an operation looks at one small array of
flags, if floats are quantised, or at extremes, where a circuit takes less than its operands' type holds or a
bias may be too large; that is the only time that the host waits. While a CUDA graph is captured it cannot
look: what is not finite in an operand then makes its scale NaN, and so the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from axsim.engines.cuda.epilogue import biased, converted, scaled_conv2d, scaled_gemm, scaled_lookup
from axsim.engines.cuda.planner import choose, plan, select
from axsim.engines.cuda.runtime import Runtime, current
from axsim.engines.place import Quantised, Unquantised
from axsim.quantize import QuantParams

__all__ = [
    "biased", "choose", "converted", "extremes", "plan", "quantised", "scaled_conv2d", "scaled_gemm",
    "scaled_lookup", "select",
]  # fmt: skip

_SOURCE = "quantize.cu"
_THREADS = 256
_AFFINE, _SYMMETRIC, _GIVEN = 0, 1, 2


def quantised(operands: Sequence[Unquantised], bias: Any) -> list[Quantised]:
    """As ``Place.quantised``; while a graph is captured the scale becomes NaN instead of the error."""
    runtime = current()
    made, flags = zip(*(_quantised(runtime, operand) for operand in operands), strict=True)
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


def quantised_by(name: str, x: Any, params: QuantParams) -> Any:
    """The integers of ``axsim.quantize.quantize``.

    Raises:
        ValueError: x holds NaN or infinity, or a graph is being captured, when that cannot be seen.
    """
    if current().capturing():
        raise ValueError(
            f"{name} cannot be looked at for NaN and infinity while a CUDA graph is captured; quantise it "
            "before, or pass floats to the operation"
        )
    return quantised([Unquantised(name, x, params)], None)[0].values


def extremes(*arrays: Any) -> list[tuple[int, int]]:
    """As ``Place.extremes``.

    Raises:
        ValueError: a graph is being captured.
    """
    runtime = current()
    xp = runtime.xp
    if runtime.capturing():
        raise ValueError(
            "the values of the operands cannot be looked at while a CUDA graph is captured, and must be: the "
            "circuit takes less than their type holds, or the bias might be too large. Take a circuit of 8 "
            "bits, a bias of int16, or out_dtype='int64'"
        )
    # One transfer for all, whatever their types: bytes.
    pairs = [
        xp.stack([array.min(), array.max()] if array.size else [xp.zeros((), array.dtype)] * 2)
        for array in arrays
    ]
    found = xp.asnumpy(xp.concatenate([pair.view(np.uint8) for pair in pairs]))
    sizes = [2 * array.dtype.itemsize for array in arrays]
    parts = np.split(found, np.cumsum(sizes)[:-1])
    values = [part.view(array.dtype) for part, array in zip(parts, arrays, strict=True)]
    return [(int(low), int(high)) for low, high in values]


def row_extremes(rows: Any) -> tuple[Any, Any]:
    """The least and the greatest float of each row, as float64 on the host; NaN where there is one.

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


def _quantised(runtime: Runtime, operand: Unquantised) -> tuple[Quantised, Any]:
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
        given = constants(by)
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
    runtime.kernel(_SOURCE, "quantise", defines)(
        grid, block, (x, count, np.int64(inner), np.int32(channels), scale, zero, *limits, values)
    )
    zero_byte = zero.view(np.uint8)[:1]  # the lowest byte, which lies first
    shape = () if axis is None else (channels,)
    return Quantised(values, scale.reshape(shape), None if centred else zero.reshape(shape), zero_byte), bad


def constants(params: QuantParams) -> tuple[Any, Any]:
    """Scale and zero point on the device: (channels,), or (1,) if there are no channels."""
    runtime = current()
    return (
        runtime.constant(params.scale.reshape(-1), params, "scale"),
        runtime.constant(params.zero_point.reshape(-1), params, "zero_point"),
    )
